//! Mean and covariance of features, matched separately.
//!
//! Rectified features are all positive, so a Gram matrix is mostly the outer product of their means
//! with itself, and what distinguishes a wall from gravel, how features vary together, counts for
//! little in it. Apart, each gets its own weight.

use burn::tensor::Tensor;

use super::{Gradient, Loss, Measured, check_channels, positions_by_channels, second_moment};
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
    #[must_use]
    pub fn of(map: Tensor<4>) -> Self {
        Self {
            target: mean(&positions_by_channels(map)),
        }
    }
}

impl Covariance {
    /// The covariance over the positions of a map `[1, N, H, W]`.
    #[must_use]
    pub fn of(map: Tensor<4>) -> Self {
        let features = positions_by_channels(map);
        let mean = mean(&features);
        Self {
            target: covariance(&features, &mean),
        }
    }

    /// The matrix, `[N, N]`.
    #[must_use]
    pub fn matrix(&self) -> &Tensor<2> {
        &self.target
    }
}

/// `[1, N]` of features `[M, N]`.
fn mean(features: &Tensor<2>) -> Tensor<2> {
    features.clone().mean_dim(0)
}

fn covariance(features: &Tensor<2>, mean: &Tensor<2>) -> Tensor<2> {
    second_moment(features) - mean.clone().transpose().matmul(mean.clone())
}

impl Loss for Mean {
    fn measure(&self, map: Tensor<4>, weight: f64) -> Result<Measured> {
        let [_, channels, height, width] = map.dims();
        check_channels(&map, "moments", self.target.dims()[1])?;
        let difference = mean(&positions_by_channels(map)) - self.target.clone();
        let value = difference.clone().square().sum();
        let factor = weight / (channels * height * width) as f64;
        Ok(Measured {
            value: value.mul_scalar(weight / (2.0 * channels as f64)),
            gradient: Gradient::offset(difference.mul_scalar(factor)),
        })
    }
}

impl Loss for Covariance {
    fn measure(&self, map: Tensor<4>, weight: f64) -> Result<Measured> {
        let [_, channels, height, width] = map.dims();
        check_channels(&map, "moments", self.target.dims()[0])?;
        let features = positions_by_channels(map);
        let mean = mean(&features);
        let difference = covariance(&features, &mean) - self.target.clone();
        let squares = (channels * channels) as f64;
        let value = difference
            .clone()
            .square()
            .sum()
            .mul_scalar(weight / (4.0 * squares));
        let scaled = difference.mul_scalar(weight / (squares * (height * width) as f64));
        // (F - m) D without the centred features.
        let offset = mean.matmul(scaled.clone()).neg();
        Ok(Measured {
            value,
            gradient: Gradient::matrix(scaled).plus(Gradient::offset(offset)),
        })
    }
}
