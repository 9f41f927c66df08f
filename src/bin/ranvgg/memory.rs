//! Whether a run fits into memory, before it begins.

use burn::tensor::Device;
use ranvgg::{Size, Statistics, device};
use sysinfo::System;

use crate::failure::Result;

/// The memory that a run takes at its peak, beside what every run takes (`docs/PERFORMANCE.md`).
#[derive(Clone, Copy)]
pub(crate) struct Need {
    /// Bytes for each pixel of the result.
    pixel: f64,
    /// Bytes for each pixel that are taken only up to a limit.
    kept: f64,
    /// Bytes for each pixel, if the run is told to take little.
    least: f64,
    /// What the run was told to take at most.
    bound: Option<f64>,
}

/// The limit of what is kept.
const KEPT_LIMIT: f64 = (256 << 20) as f64;

/// The share of the free memory that a run is told to stay below, if it would take more.
const SHARE: f64 = 0.75;

impl Need {
    /// A run by resampled filters, which keeps their responses.
    fn resampled(pixel: f64, least: f64) -> Self {
        Self {
            pixel,
            kept: 300.0,
            least,
            bound: None,
        }
    }

    /// A texture of as many channels.
    pub(crate) fn texture(statistics: Statistics, channels: usize) -> Self {
        match statistics {
            Statistics::Resampled => Self::resampled(19.0 * channels as f64, 7.0 * channels as f64),
            _ => Self::NETWORK,
        }
    }

    /// A style transfer.
    pub(crate) fn style(statistics: Statistics) -> Self {
        match statistics {
            Statistics::Resampled => Self::resampled(70.0, 49.0),
            _ => Self::NETWORK,
        }
    }

    /// An exemplar or a style at its scale.
    pub(crate) fn exemplar(statistics: Statistics, channels: usize) -> Self {
        match statistics {
            Statistics::Resampled => Self::resampled(6.0 * channels as f64, 6.0 * channels as f64),
            _ => Self {
                pixel: 400.0,
                least: 400.0,
                ..Self::NETWORK
            },
        }
    }

    /// Features of a network.
    pub(crate) const NETWORK: Self = Self {
        pixel: 1000.0,
        kept: 0.0,
        least: 400.0,
        bound: None,
    };

    fn bytes(self, pixels: f64) -> f64 {
        let bytes = pixels * self.pixel + (pixels * self.kept).min(KEPT_LIMIT);
        self.bound.map_or(bytes, |bound| bytes.min(bound))
    }

    /// The need of a run that is told what it may take.
    pub(crate) fn within(mut self, memory: Option<u64>) -> Self {
        self.bound = memory.map(|memory| memory as f64);
        self
    }

    /// The need of a run of pictures of as many channels, which keeps two of them where it saves checkpoints.
    pub(crate) fn saved(mut self, is_saved: bool, channels: usize) -> Self {
        if is_saved {
            let more = (2 * channels * size_of::<f32>()) as f64;
            self.pixel += more;
            self.least += more;
        }
        self
    }

    /// A need without a way to take less.
    pub(crate) fn whole(mut self) -> Self {
        self.least = self.pixel;
        self
    }
}

const GIB: f64 = (1u64 << 30) as f64;

/// Refuses a picture that needs more memory than the machine has to give, however little is kept. Where it needs more
/// than three quarters of that, returns these as a bound. A GPU has memory of its own, which drivers do not tell.
pub(crate) fn check(
    what: (&str, Size),
    need: Need,
    device: &Device,
    resampled: bool,
) -> Result<Option<u64>> {
    match available().filter(|_| on_host(device, resampled)) {
        Some(free) => check_within(what, need, free),
        None => Ok(None),
    }
}

/// Whether a run on `device` works in the host's memory.
pub(crate) fn on_host(device: &Device, resampled: bool) -> bool {
    resampled || ["flex", "ndarray"].contains(&&*device::name_of(device))
}

/// [`check`], where `free` bytes can be had.
pub(crate) fn check_within(
    (what, size): (&str, Size),
    need: Need,
    free: f64,
) -> Result<Option<u64>> {
    let pixels = size.pixels() as f64;
    let (needed, least) = (need.bytes(pixels), pixels * need.least);
    let (most, bounded) = match need.bound {
        Some(_) => (free, needed),
        None => (free * SHARE, needed.min(least)),
    };
    if bounded > most {
        return Err(format!(
            "{what} of {size} needs about {:.1} GiB of memory, and {:.1} GiB are free; allowed: about {} pixels",
            bounded / GIB,
            free / GIB,
            (most / need.least) as u64,
        )
        .into());
    }
    Ok((need.bound.is_none() && needed > most).then_some(most as u64))
}

/// Bytes of memory that the system or the container can give; none where it does not tell.
pub(crate) fn available() -> Option<f64> {
    let mut system = System::new();
    system.refresh_memory();
    let free = system.available_memory();
    // Not the memory that a control group calls free: that leaves out what files are cached in.
    let limit = system
        .cgroup_limits()
        .map(|limits| limits.total_memory.saturating_sub(limits.rss));
    let free = limit.map_or(free, |limit| limit.min(free));
    match (free, below_limit()) {
        (0, left) => left,
        (free, left) => Some(left.map_or(free as f64, |left| left.min(free as f64))),
    }
}

/// Bytes that the process may still take by limits of its own, as `ulimit -v` and `ulimit -d` set them.
#[cfg(target_os = "linux")]
fn below_limit() -> Option<f64> {
    let first = |file: &str, name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(file).ok()?;
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let left = |limit: &str, taken: &str| {
        // None where it says `unlimited`.
        let limit = first("/proc/self/limits", limit)?;
        let taken = 1024 * first("/proc/self/status", taken)?;
        Some(limit.saturating_sub(taken))
    };
    let space = left("Max address space", "VmSize:");
    let data = left("Max data size", "VmData:");
    space.into_iter().chain(data).min().map(|left| left as f64)
}

#[cfg(not(target_os = "linux"))]
fn below_limit() -> Option<f64> {
    None
}
