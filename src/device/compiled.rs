//! Backends with a runtime of their own: CUDA, ROCm and CubeCL's CPU compiler.

use burn::tensor::{Device, DeviceType};

use super::{DeviceClass, DeviceInfo};
use crate::error::{Error, Result};

fn devices(backend: &str) -> Vec<Device> {
    match backend {
        #[cfg(feature = "cuda")]
        "cuda" => Device::enumerate(DeviceType::Cuda).into_vec(),
        #[cfg(feature = "rocm")]
        "rocm" => Device::enumerate(DeviceType::Rocm).into_vec(),
        #[cfg(feature = "cpu")]
        "cpu" => Device::enumerate(DeviceType::Cpu).into_vec(),
        _ => Vec::new(),
    }
}

pub(super) fn list(backend: &str) -> Vec<DeviceInfo> {
    let class = match backend {
        "cpu" => DeviceClass::Cpu,
        _ => DeviceClass::DiscreteGpu,
    };
    (0..devices(backend).len())
        .map(|index| DeviceInfo {
            name: format!("{backend}:{index}"),
            class,
            adapter: format!("{backend} device {index}"),
            driver: backend.into(),
            largest_buffer: None,
            matrices: Vec::new(),
        })
        .collect()
}

/// The name that [`open`] has for `device`.
pub(super) fn name_of(device: &Device) -> Option<String> {
    ["cuda", "rocm", "cpu"].into_iter().find_map(|backend| {
        let index = devices(backend).iter().position(|other| other == device)?;
        Some(format!("{backend}:{index}"))
    })
}

pub(super) fn open(backend: &str, index: usize, name: &str) -> Result<Device> {
    let devices = devices(backend);
    let count = devices.len();
    devices.into_iter().nth(index).ok_or_else(|| {
        Error::no_adapter(
            name,
            format!("there are {count} of this kind, counted from 0"),
        )
    })
}
