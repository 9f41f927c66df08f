//! Moments of channels over positions, which style losses compare.

use std::sync::OnceLock;

use burn::tensor::Tensor;

use super::layout::positions_by_channels;
use super::reductions::sum_of_rows;

/// First and second moments over positions.
#[derive(Clone, Debug)]
pub(crate) enum Moments {
    /// Both are there.
    Known {
        /// The mean of each channel, `[1, N]`.
        mean: Tensor<2>,
        /// The mean of each product of two channels, `[N, N]`, not centred.
        second: Tensor<2>,
    },
    /// Each is computed when it is first asked for.
    Lazy {
        /// The features, `[M, N]`.
        features: Tensor<2>,
        mean: OnceLock<Tensor<2>>,
        second: OnceLock<Tensor<2>>,
    },
}

impl Moments {
    /// The moments of a map `[1, N, H, W]`, by operations on its device.
    pub(super) fn of_tensor(map: Tensor<4>) -> Self {
        Self::Lazy {
            features: positions_by_channels(map),
            mean: OnceLock::new(),
            second: OnceLock::new(),
        }
    }

    /// The mean of each channel, `[1, N]`.
    pub(crate) fn mean(&self) -> Tensor<2> {
        match self {
            Self::Known { mean, .. } => mean.clone(),
            Self::Lazy { features, mean, .. } => {
                let compute = || {
                    let [positions, _] = features.dims();
                    sum_of_rows(features.clone()).div_scalar(positions as f64)
                };
                mean.get_or_init(compute).clone()
            }
        }
    }

    /// The mean of each product of two channels, `[N, N]`, not centred.
    pub(crate) fn second(&self) -> Tensor<2> {
        match self {
            Self::Known { second, .. } => second.clone(),
            Self::Lazy {
                features, second, ..
            } => {
                let compute = || {
                    let [positions, _] = features.dims();
                    gram_product(features.clone()).div_scalar(positions as f64)
                };
                second.get_or_init(compute).clone()
            }
        }
    }
}

/// Whether a device has kernels for products of features of so many channels. Others use Burn's operations.
#[cfg(feature = "cube")]
fn has_kernels(features: &Tensor<2>) -> bool {
    let [_, channels] = features.dims();
    super::gpu::products::fits(&features.device(), channels)
}

/// `F A`, `[M, N]`, for features `F`, `[M, N]`, and a matrix `A`, `[N, N]`.
pub(super) fn mix(features: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "cube")]
    if has_kernels(&features) {
        return super::gpu::products::mix(features, matrix);
    }
    features.matmul(matrix)
}

/// `F' F`, `[N, N]`, for features `F`, `[M, N]`.
///
/// A product with few results and many terms would leave most of a GPU idle. The positions are
/// therefore split into parts (split-K), and the products of the parts are added.
pub(crate) fn gram_product(features: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "cube")]
    if has_kernels(&features) {
        return super::gpu::products::gram(features);
    }
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
