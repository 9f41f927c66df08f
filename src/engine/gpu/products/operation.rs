//! Matrix products as operations of Burn's CubeCL backend, with and without Burn's fusion.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
#[cfg(feature = "fusion")]
use burn::tensor::Shape;

/// Matrix products of features. All values are in f32.
#[backend_extension(Cube: cfg(feature = "cube"), Fusion: cfg(feature = "fusion"))]
pub(crate) trait Products: Backend {
    /// `F' F`, `[N, N]`, for features `F`, `[M, N]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([features[1], features[1]]))]
    fn gram(features: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `F A`, `[M, N]`, for features `F`, `[M, N]`, and a matrix `A`, `[N, N]`.
    #[fusion(dtype = DType::F32, shape = features)]
    fn mix(features: FloatTensor<Self>, matrix: FloatTensor<Self>) -> FloatTensor<Self>;
}
