//! Pixels that a run leaves as they are.

use image::Rgb32FImage;

use crate::error::{Error, Result};
use crate::imaging::{Picture, Size, resize};

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
    picture: Rgb32FImage,
    mask: Rgb32FImage,
}

impl Kept {
    /// The size of the picture, and of the result.
    #[must_use]
    pub fn size(&self) -> Size {
        self.picture.size()
    }

    /// Reads both, and refuses what does not fit a result of `size`.
    pub(crate) fn read(&self, size: Size) -> Result<KeptPixels> {
        let picture = self.picture.clone().into_rgb("the picture to keep")?;
        let mask = self.mask.clone().into_rgb("the mask")?;
        for (what, image) in [("the picture to keep", &picture), ("the mask", &mask)] {
            if Size::of(image) != size {
                return Err(Error::Shape {
                    what: what.into(),
                    found: vec![image.height() as usize, image.width() as usize],
                    expected: format!("[{}, {}], as the result", size.height, size.width),
                });
            }
        }
        Ok(KeptPixels { picture, mask })
    }
}

impl KeptPixels {
    /// Puts the pixels that stay into a picture of any size, and gives 1 for those that are made, 0
    /// for those that stay. Times a gradient that leaves none at pixels that stay; an optimiser that
    /// sees no gradient in a variable never changes it.
    pub(super) fn put(&self, picture: &mut Rgb32FImage) -> Rgb32FImage {
        let size = Size::of(picture);
        let mut free = resize(&self.mask, size.width, size.height);
        let kept = resize(&self.picture, size.width, size.height);
        let pixels = picture
            .pixels_mut()
            .zip(free.pixels_mut().zip(kept.pixels()));
        for (pixel, (free, kept)) in pixels {
            let lightness = free.0.iter().sum::<f32>() / 3.0;
            if lightness < 0.5 {
                *pixel = *kept;
                free.0 = [0.0; 3];
            } else {
                free.0 = [1.0; 3];
            }
        }
        free
    }
}
