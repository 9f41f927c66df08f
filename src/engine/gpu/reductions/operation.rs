//! Reductions as operations of Burn's CubeCL backend, with and without Burn's fusion.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
#[cfg(feature = "fusion")]
use burn::tensor::Shape;

/// What one number says of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reduction {
    /// The sum.
    Sum,
    /// The sum of the squares.
    SumOfSquares,
    /// The largest absolute value.
    LargestAbsolute,
}

/// Reductions of long lists. All values are in f32.
#[backend_extension(Cube: cfg(feature = "cube"), Fusion: cfg(feature = "fusion"))]
pub(crate) trait Reductions: Backend {
    /// A reduction of all values of a vector, `[1]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([1]))]
    fn reduce(values: FloatTensor<Self>, reduction: Reduction) -> FloatTensor<Self>;

    /// The inner product of two vectors, `[1]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([1]))]
    fn inner_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The sum of the rows of a matrix, `[1, columns]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([1, matrix[1]]))]
    fn sum_of_rows(matrix: FloatTensor<Self>) -> FloatTensor<Self>;
}
