//! Conversions between decoded images and tensors.

use burn::tensor::{Device, Tensor};
use image::{DynamicImage, ImageBuffer, Rgb, Rgb32FImage};

use super::Raster;
use super::format::{Depth, encoded};
use crate::error::{Error, Result, all_finite};

/// Converts an image of any pixel type to sRGB values in 0..=1. Transparency is composited over white.
#[must_use]
pub fn flatten(image: &DynamicImage) -> Rgb32FImage {
    if !image.color().has_alpha() {
        return image.to_rgb32f();
    }
    let source = image.to_rgba32f();
    ImageBuffer::from_fn(source.width(), source.height(), |x, y| {
        let [r, g, b, alpha] = source.get_pixel(x, y).0;
        Rgb([r, g, b].map(|value| value * alpha + 1.0 - alpha))
    })
}

/// Converts an image of any pixel type to a tensor `[1, 3, H, W]`. Transparency is composited over
/// white.
#[must_use]
pub fn from_image(image: &DynamicImage, device: &Device) -> Tensor<4> {
    Raster::from(flatten(image)).to_tensor(device)
}

/// Converts a tensor `[1, C, H, W]` of one to four channels to an image with 8 bits for each
/// channel. Values are clipped to 0..=1 and rounded to the nearest step.
///
/// # Errors
///
/// [`Error::Shape`] for another number of channels, [`Error::Device`] if the tensor cannot be read,
/// [`Error::NotFinite`] if it holds NaN or infinity.
pub fn to_image8(tensor: Tensor<4>) -> Result<DynamicImage> {
    finite(tensor).map(|raster| encoded(&raster, Depth::Eight))
}

/// As [`to_image8`], with 16 bits for each channel.
///
/// # Errors
///
/// Those of [`to_image8`].
pub fn to_image16(tensor: Tensor<4>) -> Result<DynamicImage> {
    finite(tensor).map(|raster| encoded(&raster, Depth::Sixteen))
}

/// Reads an image of finite values.
fn finite(tensor: Tensor<4>) -> Result<Raster> {
    let shape = tensor.dims();
    if shape[0] != 1 || !(1..=4).contains(&shape[1]) {
        return Err(Error::Shape {
            what: "the image".into(),
            found: shape.to_vec(),
            expected: "[1, 1 to 4, height, width]".into(),
        });
    }
    let raster = Raster::from_tensor(tensor)?;
    all_finite("the image", raster.values())?;
    Ok(raster)
}
