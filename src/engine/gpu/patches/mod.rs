//! Distributions of a picture's responses to filters, compared with an exemplar's, and its contours, compared with those
//! of a content picture. Nothing is read from the device.
//!
//! ```text
//! picture ──> responses ──> filters, labels
//!        └──> operation (of Burn's backend) <── launches ──> kernels
//! ```

mod filters;
mod kernels;
mod labels;
mod launches;
mod operation;
mod picture;
mod responses;

use burn::tensor::Device;

pub(crate) use self::filters::{DeviceFilters, Filters};
pub(crate) use self::kernels::NOISE_WORDS;
use self::kernels::{SHARED_BYTES, UNITS};
pub(crate) use self::labels::{DeviceGuide, DeviceMask, Labels, Split};
pub(crate) use self::picture::Picture;
pub(crate) use self::responses::{Gradient, Mixture};

/// Whether the kernels run on a device: their workgroups and shared memory are within its limits.
pub(crate) fn serves(device: &Device) -> bool {
    super::runs_workgroups(device, UNITS, SHARED_BYTES)
}
