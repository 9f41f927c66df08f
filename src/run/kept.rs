//! Pixels that a run leaves as they are.

use crate::error::{Error, Result};
use crate::imaging::{Picture, Raster, Size, is_white};

/// A picture parts of which stay, and which parts.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The picture; the result has its size.
    pub picture: Picture,
    /// A picture of the same size: what is black in it stays as it is, what is white is made anew;
    /// greys count as the nearer of the two.
    pub mask: Picture,
}

/// The same on the host.
pub(crate) struct KeptPixels {
    picture: Raster,
    /// One channel.
    mask: Raster,
}

impl Kept {
    /// The size of the picture, and of the result.
    #[must_use]
    pub fn size(&self) -> Size {
        self.picture.size()
    }

    /// Reads both, and refuses what does not fit a result of `size` and `channels`.
    pub(crate) fn read(&self, size: Size, channels: usize) -> Result<KeptPixels> {
        let what = "the picture to keep";
        let picture = self.picture.read(what, channels)?;
        let mask = self.mask.read_mask("the mask")?;
        for (what, raster) in [(what, &picture), ("the mask", &mask)] {
            if raster.size() != size {
                return Err(Error::Shape {
                    what: what.into(),
                    found: vec![raster.size().height, raster.size().width],
                    expected: format!("[{}, {}], as the result", size.height, size.width),
                });
            }
        }
        Ok(KeptPixels { picture, mask })
    }
}

impl KeptPixels {
    /// What of `picture` a `mask` of the same size shows black.
    pub(crate) fn new(picture: Raster, mask: Raster) -> Self {
        Self { picture, mask }
    }

    /// Puts the pixels that stay into a picture of any size, and gives 1 for those that are made, 0
    /// for those that stay, in one channel. Times a gradient that leaves none at pixels that stay;
    /// an optimiser that sees no gradient in a variable never changes it.
    pub(super) fn put(&self, picture: &mut Raster) -> Raster {
        let mut free = self.mask.resized(picture.size());
        let kept = self.picture.resized(picture.size());
        let pixels = picture
            .pixels_mut()
            .zip(free.pixels_mut().zip(kept.pixels()));
        for (pixel, (free, kept)) in pixels {
            if is_white(free[0]) {
                free[0] = 1.0;
            } else {
                pixel.copy_from_slice(kept);
                free[0] = 0.0;
            }
        }
        free
    }
}
