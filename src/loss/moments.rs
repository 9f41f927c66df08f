//! Mean and covariance of features, matched separately.
//!
//! Rectified features are all positive, so a Gram matrix is mostly the outer product of their means
//! with itself, and what distinguishes a wall from gravel, how features vary together, counts for
//! little in it. Apart, each gets its own weight.

use burn::tensor::Tensor;

use super::{Gradient, Loss, Measured, Observation, check_channels};
use crate::error::Result;

/// Distance of the mean of a map's features from that of another.
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

/// Distance of the covariance of a map's features from that of another.
///
/// With `m` as in [`Mean`] and `S = (F - m) (F - m)' / M`,
///
/// ```text
/// L = 1 / (4 N^2) * sum (S - S0)^2          dL/dF = (S - S0) (F - m) / (N^2 M)
/// ```
#[derive(Clone, Debug)]
pub struct Covariance {
    /// `[N, N]`.
    target: Tensor<2>,
}

impl Mean {
    /// The mean over the positions of a map `[1, N, H, W]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn of(map: impl Into<Observation>) -> Result<Self> {
        Self::observed(&mut map.into())
    }

    /// The mean of a map that other losses measure too.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn observed(observation: &mut Observation) -> Result<Self> {
        let target = observation.mean()?;
        Ok(Self { target })
    }
}

impl Covariance {
    /// The covariance over the positions of a map `[1, N, H, W]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn of(map: impl Into<Observation>) -> Result<Self> {
        Self::observed(&mut map.into())
    }

    /// The covariance of a map that other losses measure too.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn observed(observation: &mut Observation) -> Result<Self> {
        let target = observation.covariance()?;
        Ok(Self { target })
    }

    /// The matrix, `[N, N]`.
    #[must_use]
    pub fn matrix(&self) -> &Tensor<2> {
        &self.target
    }
}

impl Loss for Mean {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let [_, channels, height, width] = observation.dims();
        check_channels(observation, "moments", self.target.dims()[1])?;
        let difference = observation.mean()? - self.target.clone();
        let value = difference.clone().square().sum();
        let factor = weight / (channels * height * width) as f64;
        Ok(Measured {
            value: value.mul_scalar(weight / (2.0 * channels as f64)),
            gradient: Gradient::offset(difference.mul_scalar(factor)),
        })
    }
}

impl Loss for Covariance {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let [_, channels, height, width] = observation.dims();
        check_channels(observation, "moments", self.target.dims()[0])?;
        let difference = observation.covariance()? - self.target.clone();
        let squares = (channels * channels) as f64;
        let value = difference
            .clone()
            .square()
            .sum()
            .mul_scalar(weight / (4.0 * squares));
        let scaled = difference.mul_scalar(weight / (squares * (height * width) as f64));
        // (F - m) D without the centred features.
        let offset = observation.mean()?.matmul(scaled.clone()).neg();
        Ok(Measured {
            value,
            gradient: Gradient::matrix(scaled).plus(Gradient::offset(offset)),
        })
    }
}
