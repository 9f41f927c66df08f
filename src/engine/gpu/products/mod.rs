//! Matrix products of the shapes that convolutions and losses have.
//!
//! Burn's own products are as fast with autotuning. Without it they are slower, and each shape costs the compilation of
//! a kernel of its own.
//!
//! ```text
//! mod ──> operation (of Burn's backend) <── launches ──> kernels
//! ```

mod kernels;
mod launches;
mod operation;
#[cfg(all(test, feature = "wgpu"))]
mod tests;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Device, Tensor};

pub(super) use self::launches::products;
use self::operation::Products as _;

/// Whether the kernels multiply features of so many channels on a device.
pub(in crate::engine) fn fits(device: &Device, channels: usize) -> bool {
    let DispatchDevice::Cube(device) = device.as_dispatch() else {
        return false;
    };
    launches::multiplies(&device.client(), channels, channels)
}

/// `F' F`, `[N, N]`, for features `F`, `[M, N]`.
pub(in crate::engine) fn gram(features: Tensor<2>) -> Tensor<2> {
    let features = features.cast(DType::F32).into_dispatch();
    Tensor::from_dispatch(Dispatch::gram(features))
}

/// `F A`, `[M, N]`, for features `F`, `[M, N]`, and a matrix `A`, `[N, N]`.
pub(in crate::engine) fn mix(features: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
    let [features, matrix] = [features, matrix].map(|m| m.cast(DType::F32).into_dispatch());
    Tensor::from_dispatch(Dispatch::mix(features, matrix))
}
