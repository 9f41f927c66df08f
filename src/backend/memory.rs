//! Where the values of tensors are.

use burn::tensor::Device;

/// Whether tensors of `device` lie in host memory, so that kernels on slices can serve it.
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
    // Without a CPU backend there is nothing to compare with.
    let _ = inner;
    false
}

/// Bytes of the largest buffer that a device takes, where there is such a limit: of host memory none.
pub(crate) fn largest_buffer(device: &Device) -> Option<u64> {
    #[cfg(feature = "cube")]
    if let burn::backend::DispatchDevice::Cube(device) = device.clone().inner().as_dispatch() {
        return Some(device.client().properties().memory.max_page_size);
    }
    let _ = device;
    None
}

/// Burn means to drop this backend one day; while it is there, it is a choice.
#[cfg(feature = "ndarray")]
#[allow(deprecated)]
pub(crate) fn ndarray() -> Device {
    Device::ndarray()
}
