//! Images outside of networks: files, colours, sizes, resampling.
//!
//! In all of the crate an image is a tensor `[1, 3, H, W]` of sRGB values as in files, scaled to 0..=1. A stack of
//! maps is such a tensor with more channels, `[1, C, H, W]`.

mod colour;
mod convert;
mod fingerprint;
mod format;
mod halving;
mod io;
mod jpeg;
mod metadata;
mod periodic;
pub(crate) mod picture;
mod profile;
mod provenance;
mod raster;
mod resampling;
pub(crate) mod scales;

pub(crate) use self::colour::{luma, luma_weights, luminance, matched, with_luma};
pub use self::convert::{flatten, from_image, to_image8, to_image16};
pub(crate) use self::format::{Depth, Format, encoded};
pub use self::halving::halve;
pub(crate) use self::halving::{Halving, halving_of};
pub use self::io::{Limits, check_output, dimensions, open, open_data, save, save_with};
pub use self::metadata::provenance;
pub(crate) use self::periodic::segments;
pub(crate) use self::picture::Picture;
pub use self::provenance::{InputFile, Provenance};
pub(crate) use self::raster::{Raster, is_white};
pub(crate) use self::scales::{Scales, Size};
