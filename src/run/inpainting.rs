//! Inpainting: pixels of a picture that a run leaves as they are.

use crate::error::{Error, Result};
use crate::imaging::{Picture, Raster, Size, is_white};

/// A picture with a hole that a texture fills.
///
/// ```
/// use image::DynamicImage;
/// use ranvgg::{Inpainting, TextureOptions};
///
/// let (torn, hole) = (DynamicImage::new_rgb8(64, 64), DynamicImage::new_luma8(64, 64));
/// let options = TextureOptions::default().with_inpainting(Inpainting::new(torn, hole));
/// assert_eq!(options.inpainting.unwrap().size().width, 64);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inpainting {
    /// The picture. The result has its size.
    pub picture: Picture,
    /// A mask of the same size. Pixels that are black in it stay as they are, bit for bit; white
    /// pixels are synthesized. Greys count as the nearer of the two.
    pub mask: Picture,
}

/// The picture and the mask on the host.
#[derive(Clone)]
pub(crate) struct KeptPixels {
    picture: Raster,
    /// One channel.
    mask: Raster,
}

impl Inpainting {
    /// Fills what `mask` shows white of `picture`.
    pub fn new(picture: impl Into<Picture>, mask: impl Into<Picture>) -> Self {
        Self {
            picture: picture.into(),
            mask: mask.into(),
        }
    }

    /// The size of the picture, and of the result.
    #[must_use]
    pub fn size(&self) -> Size {
        self.picture.size()
    }

    /// Reads both, and refuses what does not fit a result of `size` and `channels`.
    pub(crate) fn read(&self, size: Size, channels: usize) -> Result<KeptPixels> {
        let what = "the picture to fill";
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
    /// Both pictures, for [`Raster::fingerprint`].
    pub(super) fn rasters(&self) -> [(&'static str, &Raster); 2] {
        [
            ("the picture to fill", &self.picture),
            ("the mask", &self.mask),
        ]
    }

    /// Keeps the pixels of `picture` that a `mask` of the same size shows black.
    pub(crate) fn new(picture: Raster, mask: Raster) -> Self {
        Self { picture, mask }
    }

    /// Restores the kept pixels in a picture of any size.
    ///
    /// Returns one channel that is 0 at these pixels and 1 elsewhere. Multiplied by it, a gradient
    /// vanishes at the pixels that stay, and an optimiser never changes a variable without gradient.
    pub(super) fn restore(&self, picture: &mut Raster) -> Raster {
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
