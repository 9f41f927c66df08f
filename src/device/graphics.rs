//! Adapters of wgpu.
//!
//! Vulkan, Metal, DirectX 12 and the browser's WebGPU count as GPUs. OpenGL is opened only by its own name,
//! because its shader compilers may drop NaN and its contexts belong to one thread at a time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
use burn::tensor::{Device, DeviceKind};

use super::{DeviceClass, DeviceInfo};
use crate::error::{Error, Result, caught};

/// An adapter of a graphics interface.
#[derive(Clone)]
pub(super) struct Adapter {
    interface: wgpu::Backend,
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

/// The adapters of each backend that was enumerated, and the devices that were opened.
///
/// Drivers are called only under the lock of this registry. Two threads cannot create OpenGL contexts at
/// once (EGL answers `BadAccess`).
#[derive(Default)]
struct Registry {
    adapters: BTreeMap<&'static str, Vec<Adapter>>,
    opened: Vec<Opened>,
}

/// A device that was opened, and its adapter.
struct Opened {
    interface: wgpu::Backend,
    kind: DeviceKind,
    device: Device,
}

fn registry() -> MutexGuard<'static, Registry> {
    static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
        adapters: BTreeMap::new(),
        opened: Vec::new(),
    });
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Backends of this file, OpenGL last.
const BACKENDS: [&str; 5] = ["wgpu", "vulkan", "metal", "webgpu", "opengl"];

/// The graphics interfaces of a backend, in the order in which they are tried.
fn interfaces(backend: &str) -> &'static [wgpu::Backend] {
    match backend {
        "vulkan" => &[wgpu::Backend::Vulkan],
        "metal" => &[wgpu::Backend::Metal],
        "webgpu" => &[wgpu::Backend::BrowserWebGpu],
        "opengl" => &[wgpu::Backend::Gl],
        _ if cfg!(target_family = "wasm") => &[wgpu::Backend::BrowserWebGpu],
        _ if cfg!(target_vendor = "apple") => &[wgpu::Backend::Metal],
        _ if cfg!(target_os = "windows") => &[wgpu::Backend::Vulkan, wgpu::Backend::Dx12],
        _ => &[wgpu::Backend::Vulkan],
    }
}

impl Registry {
    /// The adapters of the first graphics interface with a GPU, or else of the first interface with any
    /// adapter. The best one comes first.
    fn adapters(&mut self, backend: &'static str) -> &[Adapter] {
        self.adapters.entry(backend).or_insert_with(|| {
            let mut software_only = Vec::new();
            for &interface in interfaces(backend) {
                let mut found = enumerate(interface);
                found.sort_by_key(|adapter| adapter.class);
                let is_hardware = |adapter: &Adapter| adapter.class != DeviceClass::SoftwareGpu;
                if found.iter().any(is_hardware) {
                    return found;
                }
                if software_only.is_empty() {
                    software_only = found;
                }
            }
            software_only
        })
    }

    /// The device of an adapter, if it is open.
    fn opened(&self, adapter: &Adapter) -> Option<&Device> {
        let same = |it: &&Opened| it.interface == adapter.interface && it.kind == adapter.kind;
        self.opened.iter().find(same).map(|it| &it.device)
    }
}

/// The adapters of a backend, the best one first.
pub(super) fn adapters(backend: &'static str) -> Vec<Adapter> {
    registry().adapters(backend).to_vec()
}

/// All adapters of a graphics interface.
fn enumerate(interface: wgpu::Backend) -> Vec<Adapter> {
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
                interface,
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

/// Shapes and types of the matrix products that the hardware computes (cooperative matrices).
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

/// Opens an adapter of a backend, or returns its device if it is open.
pub(super) fn open(backend: &'static str, index: usize, name: &str) -> Result<Device> {
    let refused = |reason: String| Error::no_adapter(name, reason);
    let mut registry = registry();
    let adapters = registry.adapters(backend);
    let count = adapters.len();
    let Some(adapter) = adapters.get(index).cloned() else {
        return Err(refused(match count {
            0 => format!(
                "no driver offers one through {}",
                names(interfaces(backend))
            ),
            _ => format!("there are {count} of this kind, counted from 0"),
        }));
    };
    if let Some(device) = registry.opened(&adapter) {
        return Ok(device.clone());
    }
    if adapter.class == DeviceClass::SoftwareGpu {
        crate::backend::no_tuning_unless_asked();
    }
    let options = Device::wgpu_options()
        .device_kind(adapter.kind.clone())
        .graphics_api(pinned(adapter.interface));
    // CubeCL panics where it cannot start a thread.
    let opened = caught(|| options.init()).map_err(refused)?;
    let device = match opened {
        Ok(device) => device,
        // The adapter was opened outside of this module. Burn's own constructor gives the same runtime.
        Err(WgpuInitError::Registration { message }) => {
            pinned_device(&adapter).ok_or_else(|| refused(message))?
        }
        Err(error) => return Err(refused(error.to_string())),
    };
    registry.opened.push(Opened {
        interface: adapter.interface,
        kind: adapter.kind,
        device: device.clone(),
    });
    Ok(device)
}

/// The names of interfaces in a message.
fn names(interfaces: &[wgpu::Backend]) -> String {
    let names: Vec<String> = interfaces.iter().map(ToString::to_string).collect();
    names.join(" or ")
}

/// Burn's name of the interface. With it Burn never falls back to another interface.
fn pinned(interface: wgpu::Backend) -> WgpuBackend {
    match interface {
        wgpu::Backend::Vulkan => WgpuBackend::Vulkan,
        wgpu::Backend::Metal => WgpuBackend::Metal,
        wgpu::Backend::Dx12 => WgpuBackend::Dx12,
        wgpu::Backend::Gl => WgpuBackend::Gl,
        wgpu::Backend::BrowserWebGpu => WgpuBackend::WebGpu,
        wgpu::Backend::Noop => WgpuBackend::Auto,
    }
}

/// The device that Burn's constructor of an interface makes for an adapter, if it is compiled in.
fn pinned_device(adapter: &Adapter) -> Option<Device> {
    match adapter.interface {
        #[cfg(feature = "vulkan")]
        wgpu::Backend::Vulkan => Some(Device::vulkan(adapter.kind.clone())),
        #[cfg(feature = "metal")]
        wgpu::Backend::Metal => Some(Device::metal(adapter.kind.clone())),
        #[cfg(feature = "webgpu")]
        wgpu::Backend::BrowserWebGpu => Some(Device::webgpu(adapter.kind.clone())),
        _ => None,
    }
}

/// The name that [`open`] has for `device`. A device of Burn's automatic choice gets the name of the adapter
/// that Burn chooses.
pub(super) fn name_of(device: &Device) -> Option<String> {
    let mut registry = registry();
    BACKENDS.into_iter().find_map(|backend| {
        let adapters = registry.adapters(backend).to_vec();
        let is_this = |adapter: &Adapter| {
            registry.opened(adapter) == Some(device)
                || pinned_device(adapter).as_ref() == Some(device)
                || backend == "wgpu" && *device == Device::wgpu(adapter.kind.clone())
        };
        let index = adapters.iter().position(is_this)?;
        Some(format!("{backend}:{index}"))
    })
}
