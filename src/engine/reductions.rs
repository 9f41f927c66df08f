//! Sums, inner products and largest values, on any device.

#[cfg(feature = "cube")]
use burn::tensor::Device;
use burn::tensor::Tensor;

#[cfg(feature = "cube")]
use super::gpu::reductions::{self, Reduction};

/// Whether a device has kernels for reductions. Others use Burn's operations.
#[cfg(feature = "cube")]
fn has_kernels(device: &Device) -> bool {
    reductions::serves(device)
}

/// `sum a b` of two vectors of the same length, `[1]`.
pub(crate) fn inner_product(a: &Tensor<1>, b: &Tensor<1>) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if has_kernels(&a.device()) {
        return reductions::inner_product(a.clone(), b.clone());
    }
    // Not a matrix product, because some devices compute these at reduced precision.
    (a.clone() * b.clone()).sum_dim(0)
}

/// The sum of the squares of all values, `[1]`.
pub(crate) fn sum_of_squares<const D: usize>(values: Tensor<D>) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if has_kernels(&values.device()) {
        return reductions::reduce(flat(values), Reduction::SumOfSquares);
    }
    values.square().sum()
}

/// The largest absolute value, `[1]`.
pub(crate) fn largest_absolute<const D: usize>(values: Tensor<D>) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if has_kernels(&values.device()) {
        return reductions::reduce(flat(values), Reduction::LargestAbsolute);
    }
    values.abs().max()
}

/// The sum of the rows of a matrix, `[1, columns]`.
pub(crate) fn sum_of_rows(matrix: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "cube")]
    if has_kernels(&matrix.device()) {
        return reductions::sum_of_rows(matrix);
    }
    matrix.sum_dim(0)
}

#[cfg(feature = "cube")]
fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let length = tensor.shape().num_elements();
    tensor.reshape([length])
}
