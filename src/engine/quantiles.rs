//! Differences of values from the quantiles of a target, on devices whose tensors are not in host memory.

use burn::tensor::{Device, Tensor};

/// Whether [`subtract_quantiles`] computes on a device.
pub(crate) fn sorts(device: &Device) -> bool {
    #[cfg(feature = "cube")]
    {
        super::gpu::quantiles::serves(device)
    }
    #[cfg(not(feature = "cube"))]
    {
        let _ = device;
        false
    }
}

/// The difference of each value, `[directions, positions]`, from the quantile of the same rank of the target,
/// `[directions, length]` in f32, sorted along each direction. `None` where the device does not compute it, or not
/// for so many values.
pub(crate) fn subtract_quantiles(values: Tensor<2>, sorted: Tensor<2>) -> Option<Tensor<2>> {
    #[cfg(feature = "cube")]
    {
        use super::gpu::quantiles;

        let ([_, positions], [_, length]) = (values.dims(), sorted.dims());
        let computes = sorts(&values.device()) && quantiles::fits(positions, length);
        computes.then(|| quantiles::subtract_quantiles(values, sorted))
    }
    #[cfg(not(feature = "cube"))]
    {
        let _ = (values, sorted);
        None
    }
}
