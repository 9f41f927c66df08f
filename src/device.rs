//! Choosing a device: the fallible door in front of a framework that panics.
//!
//! Burn opens a device at its first use and panics when nothing answers. The functions here ask
//! first, so that a missing adapter or a backend that was not compiled in is an [`Error`].
//!
//! Names are a backend, optionally with an index: `flex`, `ndarray`, `wgpu`, `wgpu:1`, `vulkan:0`,
//! `metal`, `webgpu`, `cuda:0`, `rocm`, `cpu`. Without an index a backend gives its best adapter.

use burn::tensor::Device;

use crate::error::{Error, Result};

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DeviceClass {
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the processor's memory.
    IntegratedGpu,
    /// A GPU lent to a virtual machine.
    VirtualGpu,
    /// Something else that a graphics driver offers.
    Other,
    /// The processor, in compiled Rust.
    Cpu,
    /// The processor pretending to be a GPU (lavapipe, WARP): for tests.
    SoftwareGpu,
}

impl std::fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DiscreteGpu => "discrete GPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::Other => "other",
            Self::Cpu => "CPU",
            Self::SoftwareGpu => "software GPU",
        })
    }
}

/// A device that [`by_name`] can open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// The name to open it by.
    pub name: String,
    /// What kind of hardware it is.
    pub class: DeviceClass,
    /// The adapter as its driver calls it.
    pub adapter: String,
    /// The driver and graphics interface, or what the backend is.
    pub driver: String,
}

/// A backend: its name, and the crate feature that brings it.
struct Backend {
    name: &'static str,
    feature: &'static str,
    compiled: bool,
}

const BACKENDS: [Backend; 9] = [
    backend("flex", cfg!(feature = "flex")),
    backend("ndarray", cfg!(feature = "ndarray")),
    backend("wgpu", cfg!(feature = "wgpu")),
    backend("vulkan", cfg!(feature = "vulkan")),
    backend("metal", cfg!(feature = "metal")),
    backend("webgpu", cfg!(feature = "webgpu")),
    backend("cuda", cfg!(feature = "cuda")),
    backend("rocm", cfg!(feature = "rocm")),
    backend("cpu", cfg!(feature = "cpu")),
];

const fn backend(name: &'static str, compiled: bool) -> Backend {
    Backend {
        name,
        feature: name,
        compiled,
    }
}

/// The best device that answers: a GPU if there is one, else the CPU.
///
/// A software GPU is never chosen where a CPU backend is compiled in.
///
/// # Errors
///
/// [`Error::NoAdapter`] if no backend was compiled in or none answers.
pub fn best() -> Result<Device> {
    let mut candidates = list();
    candidates.sort_by_key(|info| info.class);
    let mut reasons = Vec::new();
    for candidate in candidates {
        match by_name(&candidate.name) {
            Ok(device) => return Ok(device),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    if reasons.is_empty() {
        reasons.push("no backend that answers was compiled in".into());
    }
    Err(Error::NoAdapter {
        name: "best".into(),
        reason: reasons.join("; "),
    })
}

/// Every device that answers, grouped by backend. Opens none of them.
#[must_use]
pub fn list() -> Vec<DeviceInfo> {
    BACKENDS
        .iter()
        .filter(|backend| backend.compiled)
        .flat_map(|backend| devices_of(backend.name))
        .collect()
}

/// Opens the device of this name.
///
/// # Errors
///
/// [`Error::UnknownDevice`] for a name that no backend has, [`Error::BackendNotCompiled`] for a
/// backend whose feature is off, [`Error::NoAdapter`] if nothing answers.
pub fn by_name(name: &str) -> Result<Device> {
    let name = name.trim().to_lowercase();
    let (base, index) = match name.split_once(':') {
        Some((base, index)) => (base, Some(index)),
        None => (name.as_str(), None),
    };
    let unknown = || Error::UnknownDevice {
        name: name.clone(),
        known: BACKENDS.map(|backend| backend.name).join(", "),
    };
    let backend = BACKENDS
        .iter()
        .find(|backend| backend.name == base)
        .ok_or_else(unknown)?;
    let index = match index {
        Some(index) => Some(index.parse::<usize>().map_err(|_| unknown())?),
        None => None,
    };
    if !backend.compiled {
        return Err(Error::BackendNotCompiled {
            name: name.clone(),
            feature: backend.feature.into(),
        });
    }
    open(base, index, &name)
}

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

/// The name of a device for messages: what [`by_name`] calls it where that is known.
#[must_use]
pub fn name_of(device: &Device) -> String {
    let inner = device.clone().inner();
    #[cfg(feature = "flex")]
    if inner == Device::flex() {
        return "flex".into();
    }
    #[cfg(feature = "ndarray")]
    if inner == ndarray() {
        return "ndarray".into();
    }
    #[cfg(feature = "wgpu")]
    if let Some(name) = graphics::name_of(&inner) {
        return name;
    }
    format!("{inner:?}")
}

/// Burn means to drop this backend one day; while it is there, it is a choice.
#[cfg(feature = "ndarray")]
#[allow(deprecated)]
fn ndarray() -> Device {
    Device::ndarray()
}

fn cpu_info(name: &str, driver: &str) -> DeviceInfo {
    DeviceInfo {
        name: name.into(),
        class: DeviceClass::Cpu,
        adapter: format!("{} threads", rayon::current_num_threads()),
        driver: driver.into(),
    }
}

fn devices_of(backend: &str) -> Vec<DeviceInfo> {
    match backend {
        "flex" => vec![cpu_info(
            "flex",
            "pure Rust kernels of this crate over Burn Flex",
        )],
        "ndarray" => vec![cpu_info(
            "ndarray",
            "pure Rust kernels of this crate over Burn NdArray",
        )],
        #[cfg(feature = "wgpu")]
        "wgpu" | "vulkan" | "metal" | "webgpu" => graphics::adapters(backend)
            .into_iter()
            .enumerate()
            .map(|(index, adapter)| adapter.info(backend, index))
            .collect(),
        #[cfg(any(feature = "cuda", feature = "rocm", feature = "cpu"))]
        "cuda" | "rocm" | "cpu" => compiled::list(backend),
        _ => Vec::new(),
    }
}

#[allow(unused_variables)]
fn open(backend: &str, index: Option<usize>, name: &str) -> Result<Device> {
    let no_such_index = |count: usize| Error::NoAdapter {
        name: name.into(),
        reason: format!("there are {count} of this kind, counted from 0"),
    };
    match backend {
        "flex" | "ndarray" if index.unwrap_or(0) != 0 => Err(no_such_index(1)),
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => Ok(ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" | "vulkan" | "metal" | "webgpu" => graphics::open(backend, index, name),
        #[cfg(any(feature = "cuda", feature = "rocm", feature = "cpu"))]
        "cuda" | "rocm" | "cpu" => compiled::open(backend, index, name),
        _ => Err(Error::BackendNotCompiled {
            name: name.into(),
            feature: backend.into(),
        }),
    }
}

/// Adapters behind wgpu.
#[cfg(feature = "wgpu")]
mod graphics {
    use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
    use burn::tensor::{Device, DeviceKind};

    use super::{DeviceClass, DeviceInfo};
    use crate::error::{Error, Result};

    pub(super) struct Adapter {
        class: DeviceClass,
        kind: DeviceKind,
        adapter: String,
        driver: String,
    }

    impl Adapter {
        pub(super) fn info(self, backend: &str, index: usize) -> DeviceInfo {
            DeviceInfo {
                name: format!("{backend}:{index}"),
                class: self.class,
                adapter: self.adapter,
                driver: self.driver,
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
                }
            })
            .collect()
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
                let index =
                    adapters.position(|adapter| *device == opened(backend, adapter.kind))?;
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
}

/// Backends with a runtime of their own.
#[cfg(any(feature = "cuda", feature = "rocm", feature = "cpu"))]
mod compiled {
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
            })
            .collect()
    }

    pub(super) fn open(backend: &str, index: Option<usize>, name: &str) -> Result<Device> {
        let devices = devices(backend);
        let count = devices.len();
        devices
            .into_iter()
            .nth(index.unwrap_or(0))
            .ok_or_else(|| Error::NoAdapter {
                name: name.into(),
                reason: format!("there are {count} of this kind, counted from 0"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_backend_has_lists_those_that_exist() {
        for name in ["gpu", "flex:x", "", "wgpu:-1", ":0"] {
            match by_name(name) {
                Err(Error::UnknownDevice { known, .. }) => assert!(known.contains("vulkan")),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_backend_that_was_not_compiled_in_names_its_feature() {
        for backend in BACKENDS.iter().filter(|backend| !backend.compiled) {
            match by_name(backend.name) {
                Err(Error::BackendNotCompiled { feature, .. }) => {
                    assert_eq!(feature, backend.feature);
                }
                other => panic!("{}: {other:?}", backend.name),
            }
        }
    }

    #[test]
    fn an_index_beyond_the_last_device_is_refused() {
        for backend in BACKENDS.iter().filter(|backend| backend.compiled) {
            let name = format!("{}:99", backend.name);
            assert!(
                matches!(by_name(&name), Err(Error::NoAdapter { .. })),
                "{name}"
            );
        }
    }

    #[cfg(any(feature = "flex", feature = "ndarray"))]
    #[test]
    fn every_listed_cpu_opens_and_is_known_to_be_in_host_memory() {
        for info in list()
            .into_iter()
            .filter(|info| info.class == DeviceClass::Cpu)
        {
            let device = by_name(&info.name).unwrap();
            assert!(is_in_host_memory(&device) || info.name.starts_with("cpu"));
            assert_eq!(name_of(&device), info.name);
        }
    }
}
