//! Whether a run fits into memory, before it begins.

use ranvgg::{Size, Statistics, Vgg, device};
use sysinfo::System;

use crate::failure::Result;

/// Bytes for each pixel of the result that a run holds at its peak (`docs/PERFORMANCE.md`).
pub(crate) fn texture(statistics: Statistics) -> f64 {
    match statistics {
        Statistics::Resampled => 380.0,
        _ => NETWORK,
    }
}

/// The same of a style transfer.
pub(crate) fn style(statistics: Statistics) -> f64 {
    match statistics {
        Statistics::Resampled => 600.0,
        _ => NETWORK,
    }
}

/// The same of features of a network.
pub(crate) const NETWORK: f64 = 1000.0;

const GIB: f64 = (1u64 << 30) as f64;

/// Refuses a result that needs more memory than the machine has to give. A GPU has memory of its own,
/// which drivers do not tell.
pub(crate) fn check(size: Size, bytes_per_pixel: f64, vgg: &Vgg, resampled: bool) -> Result<()> {
    let on_host = ["flex", "ndarray"].contains(&&*device::name_of(vgg.device()));
    if !(on_host || resampled) {
        return Ok(());
    }
    let needed = size.pixels() as f64 * bytes_per_pixel;
    match available() {
        Some(free) if needed > free => Err(format!(
            "a result of {size} needs about {:.1} GiB of memory, and {:.1} GiB are free; allowed: about {} pixels",
            needed / GIB,
            free / GIB,
            (free / bytes_per_pixel) as u64,
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
    let limit = system.cgroup_limits().map(|limits| limits.free_memory);
    let free = limit.map_or(free, |limit| limit.min(free));
    (free > 0).then_some(free as f64)
}
