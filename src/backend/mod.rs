//! Properties of Burn's backends: where tensors lie, reads from devices, panics, kernel launches and
//! autotuning.

mod guard;
mod launches;
mod memory;
mod reading;
mod threads;
mod tuning;

pub(crate) use self::guard::guarded;
pub use self::launches::{Launches, launches};
#[cfg(feature = "ndarray")]
pub(crate) use self::memory::ndarray;
#[cfg(feature = "cube")]
pub(crate) use self::memory::upload;
pub(crate) use self::memory::{is_in_host_memory, largest_buffer};
pub(crate) use self::reading::read;
pub use self::reading::reads;
pub(crate) use self::threads::threads;
#[cfg(feature = "wgpu")]
pub(crate) use self::tuning::no_tuning_unless_asked;
#[cfg(feature = "cube")]
pub(crate) use self::tuning::tunes;
pub use self::tuning::without_tuning;
