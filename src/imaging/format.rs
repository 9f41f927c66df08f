//! Pixel types of image files: channels and bits.

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};

use super::{Raster, Size};

/// The pixel type of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) channels: usize,
    pub(crate) depth: Depth,
}

/// Bits for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    Eight,
    Sixteen,
}

impl Format {
    pub(super) fn of(image: &DynamicImage) -> Self {
        let colour = image.color();
        let deep = colour.bytes_per_pixel() > colour.channel_count();
        Self {
            channels: usize::from(colour.channel_count()),
            depth: if deep { Depth::Sixteen } else { Depth::Eight },
        }
    }
}

/// Converts a raster of one to four channels to an image: grey, grey with alpha, RGB, or RGBA.
pub(crate) fn encoded(raster: &Raster, depth: Depth) -> DynamicImage {
    match depth {
        Depth::Eight => {
            let values = quantised(raster, 255.0, |value| value as u8);
            image_of(raster, values)
        }
        Depth::Sixteen => {
            let values = quantised(raster, 65535.0, |value| value as u16);
            image_of(raster, values)
        }
    }
}

fn quantised<T>(raster: &Raster, steps: f32, narrow: impl Fn(f32) -> T) -> Vec<T> {
    let values = raster.values().iter();
    values
        .map(|value| narrow((value.clamp(0.0, 1.0) * steps).round()))
        .collect()
}

fn image_of<T: image::Primitive>(raster: &Raster, values: Vec<T>) -> DynamicImage
where
    DynamicImage: From<ImageBuffer<Luma<T>, Vec<T>>>
        + From<ImageBuffer<LumaA<T>, Vec<T>>>
        + From<ImageBuffer<Rgb<T>, Vec<T>>>
        + From<ImageBuffer<Rgba<T>, Vec<T>>>,
    Rgb<T>: image::Pixel<Subpixel = T>,
    Rgba<T>: image::Pixel<Subpixel = T>,
    Luma<T>: image::Pixel<Subpixel = T>,
    LumaA<T>: image::Pixel<Subpixel = T>,
{
    let Size { width, height } = raster.size();
    let (width, height) = (width as u32, height as u32);
    let image = match raster.channels() {
        1 => ImageBuffer::<Luma<T>, _>::from_raw(width, height, values).map(Into::into),
        2 => ImageBuffer::<LumaA<T>, _>::from_raw(width, height, values).map(Into::into),
        3 => ImageBuffer::<Rgb<T>, _>::from_raw(width, height, values).map(Into::into),
        _ => ImageBuffer::<Rgba<T>, _>::from_raw(width, height, values).map(Into::into),
    };
    // `from_raw` succeeds: the number of values is that of the size and the channels.
    image.unwrap_or_default()
}
