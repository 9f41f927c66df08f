//! Differences from quantiles as an operation of Burn's CubeCL backend, with and without Burn's fusion.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

/// Comparisons of values with a target in sorted order.
#[backend_extension(Cube: cfg(feature = "cube"), Fusion: cfg(feature = "fusion"))]
pub(crate) trait Quantiles: Backend {
    /// The difference of each value, `[directions, positions]`, from the quantile of the same rank of its
    /// direction's target, `[directions, length]`, which is sorted. Both are in f32.
    ///
    /// Lists of pairs take at most `largest` bytes if one direction's pairs do.
    #[fusion(dtype = DType::F32, shape = values)]
    fn subtract_quantiles(
        values: FloatTensor<Self>,
        sorted: FloatTensor<Self>,
        largest: usize,
    ) -> FloatTensor<Self>;
}
