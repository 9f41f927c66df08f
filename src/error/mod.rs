//! What can go wrong, as data: which thing, which value, what is allowed.
//!
//! [`crate::Error`] is the one error type of the crate. The types here say why: what was wanted
//! of a file, how an image fails to fit a layer, what keeps a device from being used.

mod checks;
mod panics;
mod reasons;
pub(crate) mod variants;

pub(crate) use self::checks::{all_finite, at_least_one, not_negative, positive, unknown_name};
pub(crate) use self::panics::caught;
#[doc(hidden)]
pub use self::panics::quiet_caught_panics;
pub use self::reasons::{DeviceReason, FileUse, ImageReason, OutputReason, TensorReason};
pub(crate) use self::variants::{Error, Result};
