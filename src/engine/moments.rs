//! Moments of channels over positions, which style losses compare.

use burn::tensor::Tensor;

use super::layout::positions_by_channels;

/// First and second moments over positions.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    /// The mean of each channel, `[1, N]`.
    pub(crate) mean: Tensor<2>,
    /// The mean of each product of two channels, `[N, N]`, not centred.
    pub(crate) second: Tensor<2>,
}

impl Moments {
    /// The moments of a map `[1, N, H, W]`, by Burn's operations.
    pub(super) fn of_tensor(map: Tensor<4>) -> Self {
        let features = positions_by_channels(map);
        let [positions, _] = features.dims();
        Self {
            mean: features.clone().mean_dim(0),
            second: products(features).div_scalar(positions as f64),
        }
    }
}

/// `F' F`, `[N, N]`, for features `F`, `[M, N]`.
///
/// A product with few results and many terms would leave most of a GPU idle. The positions are
/// therefore split into parts (split-K), and the products of the parts are added.
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

/// Side of the block of results that a GPU's workgroup computes.
const BLOCK: usize = 64;
/// Workgroups that keep a GPU busy.
const BLOCKS: usize = 256;

/// The fewest positions in a part.
const LEAST_POSITIONS: usize = 256;

/// The number of equal parts that positions are split into.
fn parts(positions: usize, channels: usize) -> usize {
    let wanted = BLOCKS / channels.div_ceil(BLOCK).pow(2);
    let most = wanted.min(positions / LEAST_POSITIONS);
    let divides = |parts: &usize| positions.is_multiple_of(*parts);
    (2..=most).rev().find(divides).unwrap_or(1)
}
