//! Images outside of networks: files, colours, sizes.
//!
//! The convention everywhere in the crate: an image is a tensor `[1, 3, H, W]` of sRGB values, as
//! files hold them, in 0..=1; a stack of maps likewise, `[1, C, H, W]`.

mod colour;
mod convert;
mod format;
mod halving;
mod io;
pub(crate) mod picture;
mod raster;
pub(crate) mod scales;

pub(crate) use self::colour::{luma, luma_weights, matched, with_luma};
pub use self::convert::{flatten, from_image, to_image8, to_image16};
pub(crate) use self::format::{Depth, Format, encoded};
pub(crate) use self::halving::Halving;
pub use self::io::{Limits, check_output, open, save};
pub(crate) use self::picture::Picture;
pub(crate) use self::raster::{Raster, is_white};
pub(crate) use self::scales::{Scales, Size};
