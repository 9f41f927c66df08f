//! Adapters behind wgpu.
//!
//! Vulkan, Metal, DirectX 12 and the browser's WebGPU count as GPUs. OpenGL is opened only by its own
//! name: its shader compilers are allowed to drop NaN, and its contexts belong to one thread at a time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
use burn::tensor::{Device, DeviceKind};

use super::{DeviceClass, DeviceInfo};
use crate::error::{Error, Result};

/// An adapter that an interface offers.
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

/// Adapters that were asked for, by interface, and devices that were opened.
///
/// Whoever holds the lock may talk to drivers: OpenGL's contexts cannot be made on two threads at
/// once (EGL answers `BadAccess`).
#[derive(Default)]
struct Known {
    adapters: BTreeMap<&'static str, Vec<Adapter>>,
    opened: Vec<Opened>,
}

struct Opened {
    interface: wgpu::Backend,
    kind: DeviceKind,
    device: Device,
}

fn known() -> MutexGuard<'static, Known> {
    static KNOWN: Mutex<Known> = Mutex::new(Known {
        adapters: BTreeMap::new(),
        opened: Vec::new(),
    });
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names of backends that this file opens, those of OpenGL last.
const BACKENDS: [&str; 5] = ["wgpu", "vulkan", "metal", "webgpu", "opengl"];

/// The graphics interfaces of a backend, in the order in which they are asked.
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

impl Known {
    /// The adapters of the first graphics interface that has a GPU, else of the first that has
    /// anything, best first.
    fn adapters(&mut self, backend: &'static str) -> &[Adapter] {
        self.adapters.entry(backend).or_insert_with(|| {
            let mut software = Vec::new();
            for &interface in interfaces(backend) {
                let mut found = probe(interface);
                found.sort_by_key(|adapter| adapter.class);
                let is_hardware = |adapter: &Adapter| adapter.class != DeviceClass::SoftwareGpu;
                if found.iter().any(is_hardware) {
                    return found;
                }
                if software.is_empty() {
                    software = found;
                }
            }
            software
        })
    }

    /// The device of an adapter, if it was opened here.
    fn opened(&self, adapter: &Adapter) -> Option<&Device> {
        let same = |it: &&Opened| it.interface == adapter.interface && it.kind == adapter.kind;
        self.opened.iter().find(same).map(|it| &it.device)
    }
}

/// The adapters of a backend, best first.
pub(super) fn adapters(backend: &'static str) -> Vec<Adapter> {
    known().adapters(backend).to_vec()
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

/// Opens an adapter of a backend, or gives the device that was opened before.
pub(super) fn open(backend: &'static str, index: usize, name: &str) -> Result<Device> {
    let refused = |reason: String| Error::no_adapter(name, reason);
    let mut known = known();
    let adapters = known.adapters(backend);
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
    if let Some(device) = known.opened(&adapter) {
        return Ok(device.clone());
    }
    if adapter.class == DeviceClass::SoftwareGpu {
        crate::backend::no_tuning_unless_asked();
    }
    let options = Device::wgpu_options()
        .device_kind(adapter.kind.clone())
        .graphics_api(pinned(adapter.interface));
    let device = match options.init() {
        Ok(device) => device,
        // Somebody else opened it; under its pinned name it is the same runtime.
        Err(WgpuInitError::Registration { message }) => {
            pinned_device(&adapter).ok_or_else(|| refused(message))?
        }
        Err(error) => return Err(refused(error.to_string())),
    };
    known.opened.push(Opened {
        interface: adapter.interface,
        kind: adapter.kind,
        device: device.clone(),
    });
    Ok(device)
}

/// Names of interfaces for messages.
fn names(interfaces: &[wgpu::Backend]) -> String {
    let names: Vec<String> = interfaces.iter().map(ToString::to_string).collect();
    names.join(" or ")
}

/// The interface as Burn takes it: one that is named never falls back to another.
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

/// The device that Burn's own constructors give for an adapter, where they are compiled in.
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

/// The name under which [`open`] gives `device`; of one that was opened by Burn's automatic choice,
/// the name of the adapter that this choice takes.
pub(super) fn name_of(device: &Device) -> Option<String> {
    let mut known = known();
    BACKENDS.into_iter().find_map(|backend| {
        let adapters = known.adapters(backend).to_vec();
        let is_this = |adapter: &Adapter| {
            known.opened(adapter) == Some(device)
                || pinned_device(adapter).as_ref() == Some(device)
                || backend == "wgpu" && *device == Device::wgpu(adapter.kind.clone())
        };
        let index = adapters.iter().position(is_this)?;
        Some(format!("{backend}:{index}"))
    })
}
