//! Choosing and opening a device.
//!
//! Burn opens a device at its first use and panics if there is none. The functions here look first, so that a
//! missing adapter, or a backend that was not compiled in, is an [`Error`].
//!
//! A name is a backend with an optional index: `flex`, `ndarray`, `wgpu`, `wgpu:1`, `vulkan:0`,
//! `metal`, `webgpu`, `opengl`, `cuda:0`, `rocm`, `cpu`. Without an index it means the backend's
//! best adapter. `wgpu` is Vulkan, Metal, DirectX 12 or the browser's WebGPU, whichever the platform has.
//! OpenGL is opened only by its own name. `remote:ws://HOST:PORT` is a device that another process or machine
//! serves.

mod check;
#[cfg(any(feature = "cuda", feature = "rocm", feature = "cpu"))]
mod compiled;
#[cfg(feature = "wgpu")]
mod graphics;
mod known;
#[cfg(feature = "remote")]
mod remote;
mod spread;

use burn::tensor::Device;

pub use self::check::check;
pub(crate) use self::check::check_half;
use self::check::check_once;
pub use self::spread::{Attempt, spread};
#[cfg(feature = "ndarray")]
use crate::backend::ndarray;
#[doc(hidden)]
pub use crate::backend::reads;
pub use crate::backend::{Launches, launches, without_tuning};
use crate::backend::{is_in_host_memory, threads};
use crate::error::{DeviceReason, Error, Result, unknown_name};

/// The kind of hardware of a device.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[non_exhaustive]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown_class)]
pub enum DeviceClass {
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the processor's memory.
    IntegratedGpu,
    /// A GPU of a virtual machine.
    VirtualGpu,
    /// Another device of a graphics driver.
    Other,
    /// The processor, by a CPU backend.
    Cpu,
    /// The processor emulating a GPU (lavapipe, WARP), for tests.
    SoftwareGpu,
}

fn unknown_class(name: &str) -> Error {
    unknown_name::<DeviceClass>("device class", name)
}

/// A device that [`by_name`] can open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// The name to open it by.
    pub name: String,
    /// The kind of hardware.
    pub class: DeviceClass,
    /// The driver's name of the adapter.
    pub adapter: String,
    /// The driver and graphics interface, or a description of the backend.
    pub driver: String,
    /// The largest buffer that kernels can read, in bytes, if the driver tells. It limits the size of images,
    /// because the first feature maps take 256 bytes per pixel. Graphics interfaces do not tell the total
    /// memory.
    pub largest_buffer: Option<u64>,
    /// Shapes `m x n x k` of the matrix products that the hardware computes, with the types of factors and
    /// sums. Empty if it has none, or the driver does not tell.
    pub matrices: Vec<String>,
}

/// A backend and the crate feature that enables it.
struct Backend {
    name: &'static str,
    feature: &'static str,
    compiled: bool,
}

const BACKENDS: [Backend; 11] = [
    backend("flex", cfg!(feature = "flex")),
    backend("ndarray", cfg!(feature = "ndarray")),
    backend("wgpu", cfg!(feature = "wgpu")),
    backend("vulkan", cfg!(feature = "vulkan")),
    backend("metal", cfg!(feature = "metal")),
    backend("webgpu", cfg!(feature = "webgpu")),
    Backend {
        name: "opengl",
        feature: "wgpu",
        compiled: cfg!(feature = "wgpu"),
    },
    backend("cuda", cfg!(feature = "cuda")),
    backend("rocm", cfg!(feature = "rocm")),
    backend("cpu", cfg!(feature = "cpu")),
    backend("remote", cfg!(feature = "remote")),
];

const fn backend(name: &'static str, compiled: bool) -> Backend {
    Backend {
        name,
        feature: name,
        compiled,
    }
}

/// Opens the best device that computes correctly: a GPU if there is one, else the CPU.
///
/// It never chooses OpenGL, and prefers a CPU backend to a software GPU.
///
/// # Errors
///
/// [`Error::DeviceUnavailable`] if no backend was compiled in, or no device can be opened.
pub fn best() -> Result<Device> {
    let mut candidates = list();
    candidates.retain(|info| !info.name.starts_with("opengl"));
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
    Err(Error::no_adapter("best", reasons.join("; ")))
}

/// Opens all GPUs that compute correctly, of the backend that has the [best] one; without a GPU the best device
/// alone.
///
/// A GPU that several backends offer is opened once. Software GPUs, OpenGL and remote devices are not among them.
///
/// # Errors
///
/// As [`best`].
pub fn all() -> Result<Vec<Device>> {
    let best = best()?;
    let Some(info) = info_of(&best) else {
        return Ok(vec![best]);
    };
    let backend = |info: &DeviceInfo| info.name.split(':').next().map(str::to_owned);
    if info.class >= DeviceClass::Cpu {
        return Ok(vec![best]);
    }
    let mut devices = vec![best];
    for other in list() {
        if backend(&other) == backend(&info)
            && other.class < DeviceClass::Cpu
            && other.name != info.name
            && let Ok(device) = by_name(&other.name)
        {
            devices.push(device);
        }
    }
    Ok(devices)
}

/// Whether networks on a device can store their feature maps in f16
/// ([`Precision::Half`](crate::Precision::Half)).
#[must_use]
pub fn has_half(device: &Device) -> bool {
    crate::engine::has_half(device)
}

/// Lists all devices of this machine, grouped by backend, without opening any.
#[must_use]
pub fn list() -> Vec<DeviceInfo> {
    BACKENDS
        .iter()
        .filter(|backend| backend.compiled)
        .flat_map(|backend| devices_of(backend.name))
        .collect()
}

/// Opens the device of this name. The first time, it [checks](check) that a GPU or a remote device computes
/// correctly.
///
/// With the feature `remote`, `remote:ws://HOST:PORT` is the first device that the server at this address hosts, and
/// `remote:ws://HOST:PORT/1` the second one.
///
/// # Errors
///
/// [`Error::DeviceUnavailable`] for a name that no backend has, for a backend whose feature is off, if
/// nothing answers, and for a device that does not compute what it should; [`Error::Threads`].
pub fn by_name(name: &str) -> Result<Device> {
    let name = name.trim().to_lowercase();
    #[cfg(feature = "remote")]
    if let Some(address) = name.strip_prefix("remote:") {
        let device = remote::open(address, &name)?;
        check_once(&device)?;
        return Ok(device);
    }
    let (base, index) = match name.split_once(':') {
        Some((base, index)) => (base, Some(index)),
        None => (name.as_str(), None),
    };
    let unknown = || {
        let known = BACKENDS.map(|backend| backend.name).join(", ");
        Error::unavailable(&name, DeviceReason::Unknown { known })
    };
    let backend = BACKENDS
        .iter()
        .find(|backend| backend.name == base)
        .ok_or_else(unknown)?;
    let index = match index {
        // Not an index but an address.
        Some(_) if backend.name == "remote" => None,
        Some(index) => Some(index.parse::<usize>().map_err(|_| unknown())?),
        None => None,
    };
    if !backend.compiled {
        let feature = backend.feature.into();
        return Err(Error::unavailable(
            &name,
            DeviceReason::NotCompiled { feature },
        ));
    }
    let device = open(backend.name, index.unwrap_or(0), &name)?;
    threads()?;
    if !is_in_host_memory(&device) {
        check_once(&device)?;
    }
    Ok(device)
}

/// The name of a device in messages. It is the name for [`by_name`], if the device has one.
#[must_use]
pub fn name_of(device: &Device) -> String {
    let inner = device.clone().inner();
    #[cfg(feature = "remote")]
    if let Some(name) = remote::name_of(&inner) {
        return name;
    }
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
    #[cfg(any(feature = "cuda", feature = "rocm", feature = "cpu"))]
    if let Some(name) = compiled::name_of(&inner) {
        return name;
    }
    format!("{inner:?}")
}

/// Information about a device, if it is one of those [listed](list).
#[must_use]
pub fn info_of(device: &Device) -> Option<DeviceInfo> {
    let name = name_of(device);
    list().into_iter().find(|info| info.name == name)
}

fn cpu_info(name: &str, driver: &str) -> DeviceInfo {
    DeviceInfo {
        name: name.into(),
        class: DeviceClass::Cpu,
        adapter: match threads() {
            Ok(1) => "1 thread".into(),
            Ok(count) => format!("{count} threads"),
            Err(error) => error.to_string(),
        },
        driver: driver.into(),
        largest_buffer: None,
        matrices: Vec::new(),
    }
}

fn devices_of(backend: &'static str) -> Vec<DeviceInfo> {
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
        "wgpu" | "vulkan" | "metal" | "webgpu" | "opengl" => graphics::adapters(backend)
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
fn open(backend: &'static str, index: usize, name: &str) -> Result<Device> {
    let no_such_index = |count: usize| {
        Error::no_adapter(
            name,
            format!("there are {count} of this kind, counted from 0"),
        )
    };
    match backend {
        "flex" | "ndarray" if index != 0 => Err(no_such_index(1)),
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => Ok(ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" | "vulkan" | "metal" | "webgpu" | "opengl" => graphics::open(backend, index, name),
        #[cfg(any(feature = "cuda", feature = "rocm", feature = "cpu"))]
        "cuda" | "rocm" | "cpu" => compiled::open(backend, index, name),
        "remote" if cfg!(feature = "remote") => Err(Error::no_adapter(
            name,
            "a remote device has an address: remote:ws://HOST:PORT",
        )),
        _ => {
            let feature = backend.into();
            Err(Error::unavailable(
                name,
                DeviceReason::NotCompiled { feature },
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_backend_has_lists_those_that_exist() {
        for name in ["gpu", "flex:x", "", "wgpu:-1", ":0"] {
            match by_name(name) {
                Err(Error::DeviceUnavailable {
                    reason: DeviceReason::Unknown { known },
                    ..
                }) => assert!(known.contains("vulkan")),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_backend_that_was_not_compiled_in_names_its_feature() {
        for backend in BACKENDS.iter().filter(|backend| !backend.compiled) {
            match by_name(backend.name) {
                Err(Error::DeviceUnavailable {
                    reason: DeviceReason::NotCompiled { feature },
                    ..
                }) => assert_eq!(feature, backend.feature),
                other => panic!("{}: {other:?}", backend.name),
            }
        }
    }

    #[test]
    fn an_index_beyond_the_last_device_is_refused() {
        for backend in BACKENDS.iter().filter(|backend| backend.compiled) {
            let name = format!("{}:99", backend.name);
            match by_name(&name) {
                Err(Error::DeviceUnavailable {
                    reason: DeviceReason::NoAdapter(_),
                    ..
                }) => {}
                other => panic!("{name}: {other:?}"),
            }
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
            let known = info_of(&device).unwrap();
            assert_eq!((known.name, known.adapter), (info.name, info.adapter));
        }
    }
}
