//! Losses of the mean and the covariance of features.
//!
//! Features after a ReLU are not negative, so the outer product of their mean dominates a Gram
//! matrix. Their covariance, which distinguishes a wall from gravel, counts for little in it. As
//! two losses, mean and covariance have weights of their own.

use burn::tensor::Tensor;

use super::{
    ByBlocks, Gradient, Loss, Measured, Observation, OfMoments, check_channels, no_maps, whitening,
};
use crate::engine::sum_of_squares;
use crate::error::{Error, Result};

/// The squared distance of the mean of a map's features from a target mean.
///
/// For features `F` of `N` channels at `M` positions, `m = sum over positions of F / M`,
///
/// ```text
/// L = 1 / (2 N) * sum (m - m0)^2            dL/dF = (m - m0) / (N M) at every position
/// ```
#[derive(Clone, Debug)]
pub struct Mean {
    /// `[1, N]`.
    target: Tensor<2>,
}

/// The squared distance of the covariance of a map's features from a target covariance.
///
/// With `m` as in [`Mean`] and `S = (F - m) (F - m)' / M`,
///
/// ```text
/// L = 1 / (4 N^2) * sum (S - S0)^2          dL/dF = (S - S0) (F - m) / (N^2 M)
/// ```
///
/// The variance along some directions of feature space, such as brightness, is a thousand times
/// that along others, and dominates this distance. Edges are in the directions of low variance.
/// [`partially_whitened`](Self::partially_whitened) gives these more weight.
#[derive(Clone, Debug)]
pub struct Covariance {
    /// `[N, N]`.
    target: Tensor<2>,
    /// The number of positions in the target.
    positions: usize,
    /// `W`, `[N, N]`, if the distance is whitened.
    metric: Option<Tensor<2>>,
}

/// The variance that is added to each direction before whitening, relative to the mean variance.
const FLOOR: f64 = 0.01;

/// The further relative variance that is added, times `N / M`. The smallest variances of `M`
/// samples in `N` dimensions are sampling noise, and the more so the larger `N / M`. To match them
/// is to copy the exemplar.
const FLOOR_PER_SAMPLING: f64 = 3.0;

impl Mean {
    /// The loss with the mean of `map`, `[1, N, H, W]`, as the target.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn of(map: impl Into<Observation>) -> Result<Self> {
        let target = map.into().mean()?;
        Ok(Self { target })
    }
}

impl Covariance {
    /// The loss with the covariance of `map`, `[1, N, H, W]`, as the target.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn of(map: impl Into<Observation>) -> Result<Self> {
        let (_, covariance) = moments_of_mixture([(map, 1.0)])?;
        Ok(covariance)
    }

    /// The loss in a partially whitened metric, in which directions of low variance count as well:
    ///
    /// ```text
    /// L = 1 / (4 N^2) * sum (W (S - S0) W)^2        W = (S0 / s + f I)^(-exponent / 2)
    /// ```
    ///
    /// with the mean variance `s` of a direction and `f = 0.01 + 3 N / M` for a target of `M`
    /// positions. An exponent of 0 gives the plain distance. An exponent of 1 gives full whitening:
    /// the distance is then nearly invariant under linear transforms of the features. With an
    /// exponent of 1/2 the entry between two directions of variances `a` and `b` has a weight of
    /// about `1 / sqrt(a b)`. In the Wasserstein distance of normal distributions with these
    /// covariances it is `1 / (a + b)`, close to the target.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for an exponent outside of 0..=1,
    /// [`Error::Device`](crate::Error::Device) if the matrix cannot be read.
    pub fn partially_whitened(mut self, exponent: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&exponent) {
            return Err(Error::option("whitening exponent", exponent, "0 to 1"));
        }
        let [channels, _] = self.target.dims();
        let floor = FLOOR + FLOOR_PER_SAMPLING * channels as f64 / self.positions as f64;
        self.metric = whitening::power(&self.target, floor, -exponent / 2.0)?;
        Ok(self)
    }

    /// The target covariance, `[N, N]`.
    #[must_use]
    pub fn matrix(&self) -> &Tensor<2> {
        &self.target
    }
}

/// The mean and the covariance of a mixture of maps with weights `share`:
///
/// ```text
/// m = sum over maps of share m_i            S = sum over maps of share (S_i + m_i m_i') - m m'
/// ```
///
/// # Errors
///
/// [`Error::InvalidOption`] for no maps, [`Error::Shape`] for maps that differ in their channels,
/// [`Error::Device`] if one cannot be read.
pub fn moments_of_mixture<M: Into<Observation>>(
    parts: impl IntoIterator<Item = (M, f64)>,
) -> Result<(Mean, Covariance)> {
    let mut sum: Option<(Tensor<2>, Tensor<2>)> = None;
    let mut positions = 0;
    for (map, share) in parts {
        let mut observation = map.into();
        if let Some((mean, _)) = &sum {
            check_channels(&observation, "a mixture", mean.dims()[1])?;
        }
        let [_, _, height, width] = observation.dims();
        positions += height * width;
        let first = observation.mean()?.mul_scalar(share);
        let second = observation.second_moment()?.mul_scalar(share);
        sum = Some(match sum {
            Some((mean, moment)) => (mean + first, moment + second),
            None => (first, second),
        });
    }
    let (mean, second) = sum.ok_or_else(no_maps)?;
    let covariance = second - mean.clone().transpose().matmul(mean.clone());
    let covariance = Covariance {
        target: covariance,
        positions,
        metric: None,
    };
    Ok((Mean { target: mean }, covariance))
}

impl Loss for Mean {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let [_, channels, height, width] = observation.dims();
        check_channels(observation, "moments", self.target.dims()[1])?;
        let difference = observation.mean()? - self.target.clone();
        let value = sum_of_squares(difference.clone());
        let factor = weight / (channels * height * width) as f64;
        Ok(Measured {
            value: value.mul_scalar(weight / (2.0 * channels as f64)),
            gradient: Gradient::offset(difference.mul_scalar(factor)),
        })
    }

    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        Some(Box::new(OfMoments::new(self)))
    }
}

impl Loss for Covariance {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let [_, channels, height, width] = observation.dims();
        check_channels(observation, "moments", self.target.dims()[0])?;
        let in_metric = |matrix: Tensor<2>| match &self.metric {
            Some(metric) => metric.clone().matmul(matrix).matmul(metric.clone()),
            None => matrix,
        };
        let difference = in_metric(observation.covariance()? - self.target.clone());
        let squares = (channels * channels) as f64;
        let value = sum_of_squares(difference.clone()).mul_scalar(weight / (4.0 * squares));
        let scaled = in_metric(difference).mul_scalar(weight / (squares * (height * width) as f64));
        // (F - m) D = F D - m D, without a centred copy of the features.
        let offset = observation.mean()?.matmul(scaled.clone()).neg();
        Ok(Measured {
            value,
            gradient: Gradient::matrix(scaled).plus(Gradient::offset(offset)),
        })
    }

    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        Some(Box::new(OfMoments::new(self)))
    }
}
