//! Where tensors lie, how large they can be, and how values get there.

use burn::tensor::Device;
#[cfg(feature = "cube")]
use burn::tensor::{Tensor, TensorData};

/// Whether tensors of `device` lie in host memory, where kernels on slices can compute.
pub(crate) fn is_in_host_memory(device: &Device) -> bool {
    let inner = device.clone().inner();
    #[cfg(feature = "flex")]
    if inner == Device::flex() {
        return true;
    }
    #[cfg(feature = "ndarray")]
    if inner == ndarray() {
        return true;
    }
    // Without a CPU backend nothing above uses it.
    let _ = inner;
    false
}

/// The largest buffer of a device in bytes. Host memory has no such limit.
pub(crate) fn largest_buffer(device: &Device) -> Option<u64> {
    #[cfg(feature = "cube")]
    if let burn::backend::DispatchDevice::Cube(device) = device.clone().inner().as_dispatch() {
        return Some(device.client().properties().memory.max_page_size);
    }
    let _ = device;
    None
}

/// Writes values to a device.
#[cfg(feature = "cube")]
pub(crate) fn upload(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// Burn has deprecated this backend. It stays available here until Burn removes it.
#[cfg(feature = "ndarray")]
#[allow(deprecated)]
pub(crate) fn ndarray() -> Device {
    Device::ndarray()
}
