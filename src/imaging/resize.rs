//! Resampling on the host.

use image::Rgb32FImage;
use image::imageops::{self, FilterType};

/// Resamples to `width` x `height` by Lanczos' kernel with three lobes, widened when shrinking so
/// that nothing aliases.
pub(crate) fn resize(picture: &Rgb32FImage, width: usize, height: usize) -> Rgb32FImage {
    if (picture.width() as usize, picture.height() as usize) == (width, height) {
        return picture.clone();
    }
    imageops::resize(picture, width as u32, height as u32, FilterType::Lanczos3)
}
