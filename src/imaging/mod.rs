//! Images outside of networks: files, colours, sizes.
//!
//! The convention everywhere in the crate: an image is a tensor `[1, 3, H, W]` of sRGB values, as
//! files hold them, in 0..=1.

mod convert;
mod halving;
mod io;
mod resize;
mod scales;

pub use self::convert::{Picture, flatten, from_image, to_image8, to_image16};
pub(crate) use self::convert::{from_rgb, mean_colour, to_image8_of, to_image16_of, to_rgb};
pub(crate) use self::halving::Halving;
pub use self::io::{Limits, check_output, open, save};
pub(crate) use self::resize::{resize, resize_periodic};
pub use self::scales::{Scales, Size};
