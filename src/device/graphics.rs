//! Adapters behind wgpu.

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
use burn::tensor::{Device, DeviceKind};

use super::{DeviceClass, DeviceInfo};
use crate::error::{Error, Result};

pub(super) struct Adapter {
    class: DeviceClass,
    kind: DeviceKind,
    adapter: String,
    driver: String,
    largest_buffer: u64,
    matrices: Vec<String>,
}

impl Adapter {
    pub(super) fn info(self, backend: &str, index: usize) -> DeviceInfo {
        DeviceInfo {
            name: format!("{backend}:{index}"),
            class: self.class,
            adapter: self.adapter,
            driver: self.driver,
            largest_buffer: Some(self.largest_buffer),
            matrices: self.matrices,
        }
    }
}

fn interfaces(backend: &str) -> &'static [wgpu::Backend] {
    match backend {
        "vulkan" => &[wgpu::Backend::Vulkan],
        "metal" => &[wgpu::Backend::Metal],
        "webgpu" => &[wgpu::Backend::BrowserWebGpu],
        // The order in which Burn's automatic choice looks, by platform.
        _ if cfg!(target_family = "wasm") => &[wgpu::Backend::BrowserWebGpu],
        _ if cfg!(target_os = "macos") => &[wgpu::Backend::Metal],
        _ if cfg!(target_os = "windows") => &[
            wgpu::Backend::Vulkan,
            wgpu::Backend::Dx12,
            wgpu::Backend::Gl,
        ],
        _ => &[wgpu::Backend::Vulkan, wgpu::Backend::Gl],
    }
}

/// The adapters of the first graphics interface that has a GPU, else of the first that has
/// anything, best first.
pub(super) fn adapters(backend: &str) -> Vec<Adapter> {
    let mut software = Vec::new();
    for &interface in interfaces(backend) {
        let mut found = probe(interface);
        found.sort_by_key(|adapter| adapter.class);
        if found
            .iter()
            .any(|adapter| adapter.class != DeviceClass::SoftwareGpu)
        {
            return found;
        }
        if software.is_empty() {
            software = found;
        }
    }
    software
}

fn probe(interface: wgpu::Backend) -> Vec<Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = interface.into();
    let instance = wgpu::Instance::new(descriptor);
    let infos = burn::tensor::try_read_sync(instance.enumerate_adapters(interface.into()))
        .unwrap_or_default();
    let mut counts = [0; 3];
    let mut nth = |class: usize| {
        counts[class] += 1;
        counts[class] - 1
    };
    infos
        .iter()
        .map(|adapter| {
            let info = adapter.get_info();
            let limits = adapter.limits();
            // Burn counts each kind of adapter from zero, in the order of enumeration.
            let (class, kind) = match info.device_type {
                wgpu::DeviceType::DiscreteGpu => {
                    (DeviceClass::DiscreteGpu, DeviceKind::DiscreteGpu(nth(0)))
                }
                wgpu::DeviceType::IntegratedGpu => (
                    DeviceClass::IntegratedGpu,
                    DeviceKind::IntegratedGpu(nth(1)),
                ),
                wgpu::DeviceType::VirtualGpu => {
                    (DeviceClass::VirtualGpu, DeviceKind::VirtualGpu(nth(2)))
                }
                wgpu::DeviceType::Cpu => (DeviceClass::SoftwareGpu, DeviceKind::Cpu),
                wgpu::DeviceType::Other => (DeviceClass::Other, DeviceKind::DefaultDevice),
            };
            Adapter {
                class,
                kind,
                adapter: info.name,
                driver: format!("{} {} ({interface})", info.driver, info.driver_info)
                    .trim()
                    .to_owned(),
                largest_buffer: limits
                    .max_buffer_size
                    .min(limits.max_storage_buffer_binding_size),
                matrices: matrices(adapter),
            }
        })
        .collect()
}

/// The products that cooperative matrices offer.
fn matrices(adapter: &wgpu::Adapter) -> Vec<String> {
    let shapes = adapter.cooperative_matrix_properties();
    let name = |shape: &wgpu::CooperativeMatrixProperties| {
        format!(
            "{}x{}x{} {:?} to {:?}",
            shape.m_size, shape.n_size, shape.k_size, shape.ab_type, shape.cr_type
        )
    };
    shapes.iter().map(name).collect()
}

pub(super) fn open(backend: &str, index: Option<usize>, name: &str) -> Result<Device> {
    let refused = |reason: String| Error::NoAdapter {
        name: name.into(),
        reason,
    };
    let adapters = adapters(backend);
    let count = adapters.len();
    let adapter = adapters
        .into_iter()
        .nth(index.unwrap_or(0))
        .ok_or_else(|| {
            refused(match count {
                0 => "no graphics driver offers one".into(),
                _ => format!("there are {count} of this kind, counted from 0"),
            })
        })?;
    let interface = match backend {
        "vulkan" => WgpuBackend::Vulkan,
        "metal" => WgpuBackend::Metal,
        "webgpu" => WgpuBackend::WebGpu,
        _ => WgpuBackend::Auto,
    };
    let options = Device::wgpu_options()
        .device_kind(adapter.kind.clone())
        .graphics_api(interface);
    match options.init() {
        Ok(device) => Ok(device),
        // Opened before in this process: Burn keeps one runtime for each adapter.
        Err(WgpuInitError::Registration { .. }) => Ok(opened(backend, adapter.kind)),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// The name under which [`open`] gives `device`.
pub(super) fn name_of(device: &Device) -> Option<String> {
    ["wgpu", "vulkan", "metal", "webgpu"]
        .into_iter()
        .find_map(|backend| {
            let mut adapters = adapters(backend).into_iter();
            let index = adapters.position(|adapter| *device == opened(backend, adapter.kind))?;
            Some(format!("{backend}:{index}"))
        })
}

/// The runtime of an adapter, opened or not.
fn opened(backend: &str, kind: DeviceKind) -> Device {
    match backend {
        #[cfg(feature = "vulkan")]
        "vulkan" => Device::vulkan(kind),
        #[cfg(feature = "metal")]
        "metal" => Device::metal(kind),
        #[cfg(feature = "webgpu")]
        "webgpu" => Device::webgpu(kind),
        _ => Device::wgpu(kind),
    }
}
