//! Means of channels over positions: what losses of style compare.

use burn::tensor::Tensor;

use super::layout::positions_by_channels;

/// Means over positions.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    /// Of each channel, `[1, N]`.
    pub(crate) mean: Tensor<2>,
    /// Of each product of two channels, `[N, N]`.
    pub(crate) second: Tensor<2>,
}

impl Moments {
    /// Of a map `[1, N, H, W]`, by Burn's operations.
    pub(super) fn of_tensor(map: Tensor<4>) -> Self {
        let features = positions_by_channels(map);
        let [positions, _] = features.dims();
        Self {
            mean: features.clone().mean_dim(0),
            second: products(features).div_scalar(positions as f64),
        }
    }
}

/// Sums over positions of the products of channels, `F' F`, `[N, N]`, for `F` of `[M, N]`.
///
/// Few results of very many terms each would leave most of a GPU idle. So the sum is made of several
/// products, each over a part of the positions.
fn products(features: Tensor<2>) -> Tensor<2> {
    let [positions, channels] = features.dims();
    let parts = parts(positions, channels);
    if parts == 1 {
        return features.clone().transpose().matmul(features);
    }
    let features = features.reshape([parts, positions / parts, channels]);
    features
        .clone()
        .swap_dims(1, 2)
        .matmul(features)
        .sum_dim(0)
        .reshape([channels, channels])
}

/// Results that a GPU's workgroup computes along each side, and how many workgroups keep it busy.
const BLOCK: usize = 64;
const BLOCKS: usize = 256;

/// Fewer positions than these are not worth a product of their own.
const LEAST_POSITIONS: usize = 256;

/// Into how many equal parts positions are cut.
fn parts(positions: usize, channels: usize) -> usize {
    let wanted = BLOCKS / channels.div_ceil(BLOCK).pow(2);
    let most = wanted.min(positions / LEAST_POSITIONS);
    let divides = |parts: &usize| positions.is_multiple_of(*parts);
    (2..=most).rev().find(divides).unwrap_or(1)
}
