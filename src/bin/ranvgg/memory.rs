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
    /// What the run may take at most.
    bound: Option<f64>,
}

/// The limit of what is kept.
const KEPT_LIMIT: f64 = (256 << 20) as f64;

impl Need {
    /// A run by resampled filters, which keeps their responses.
    fn resampled(pixel: f64) -> Self {
        Self {
            pixel,
            kept: 290.0,
            bound: None,
        }
    }

    /// A texture of as many channels.
    pub(crate) fn texture(statistics: Statistics, channels: usize) -> Self {
        match statistics {
            Statistics::Resampled => Self::resampled(19.0 * channels as f64),
            _ => Self::NETWORK,
        }
    }

    /// A style transfer.
    pub(crate) fn style(statistics: Statistics) -> Self {
        match statistics {
            Statistics::Resampled => Self::resampled(260.0),
            _ => Self::NETWORK,
        }
    }

    /// An exemplar or a style at its scale.
    pub(crate) fn exemplar(statistics: Statistics, channels: usize) -> Self {
        match statistics {
            Statistics::Resampled => Self::resampled(17.0 * channels as f64),
            _ => Self {
                pixel: 400.0,
                ..Self::NETWORK
            },
        }
    }

    /// Features of a network.
    pub(crate) const NETWORK: Self = Self {
        pixel: 1000.0,
        kept: 0.0,
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

    /// The pixels of a result that needs that many bytes.
    fn pixels_in(self, bytes: f64) -> f64 {
        let most = (bytes - KEPT_LIMIT) / self.pixel;
        most.max(bytes / (self.pixel + self.kept))
    }
}

const GIB: f64 = (1u64 << 30) as f64;

/// Refuses a picture that needs more memory than the machine has to give. A GPU has memory of its own,
/// which drivers do not tell.
pub(crate) fn check(
    (what, size): (&str, Size),
    need: Need,
    device: &Device,
    resampled: bool,
) -> Result<()> {
    let on_host = ["flex", "ndarray"].contains(&&*device::name_of(device));
    if !(on_host || resampled) {
        return Ok(());
    }
    let needed = need.bytes(size.pixels() as f64);
    match available() {
        Some(free) if needed > free => Err(format!(
            "{what} of {size} needs about {:.1} GiB of memory, and {:.1} GiB are free; allowed: about {} pixels",
            needed / GIB,
            free / GIB,
            need.pixels_in(free) as u64,
        )
        .into()),
        _ => Ok(()),
    }
}

/// Bytes of memory that the system or the container can give; none where it does not tell.
fn available() -> Option<f64> {
    let mut system = System::new();
    system.refresh_memory();
    let free = system.available_memory();
    // Not the memory that a control group calls free: that leaves out what files are cached in.
    let limit = system
        .cgroup_limits()
        .map(|limits| limits.total_memory.saturating_sub(limits.rss));
    let free = limit.map_or(free, |limit| limit.min(free));
    (free > 0).then_some(free as f64)
}
