//! Between pictures in files and tensors.

use burn::tensor::{Device, Tensor, TensorData};
use image::{DynamicImage, ImageBuffer, Rgb, Rgb32FImage, RgbImage};

use super::Size;
use crate::error::{Error, Result, all_finite};

/// A picture given to a task: a decoded image or a tensor, by `From`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Picture {
    /// A decoded image of any pixel type; transparency is composited over white.
    Image(DynamicImage),
    /// A tensor `[1, 3, H, W]` of sRGB values in 0..=1.
    Tensor(Tensor<4>),
}

impl From<DynamicImage> for Picture {
    fn from(image: DynamicImage) -> Self {
        Self::Image(image)
    }
}

impl From<&DynamicImage> for Picture {
    fn from(image: &DynamicImage) -> Self {
        Self::Image(image.clone())
    }
}

impl From<RgbImage> for Picture {
    fn from(image: RgbImage) -> Self {
        Self::Image(image.into())
    }
}

impl From<Tensor<4>> for Picture {
    fn from(tensor: Tensor<4>) -> Self {
        Self::Tensor(tensor)
    }
}

impl From<&Tensor<4>> for Picture {
    fn from(tensor: &Tensor<4>) -> Self {
        Self::Tensor(tensor.clone())
    }
}

impl Picture {
    /// Its width and height in pixels.
    #[must_use]
    pub fn size(&self) -> Size {
        match self {
            Self::Image(image) => Size::new(image.width() as usize, image.height() as usize),
            Self::Tensor(tensor) => {
                let [_, _, height, width] = tensor.dims();
                Size::new(width, height)
            }
        }
    }

    /// The picture on the host; `what` names it in messages.
    pub(crate) fn into_rgb(self, what: &str) -> Result<Rgb32FImage> {
        let picture = match self {
            Self::Image(image) => flatten(&image),
            Self::Tensor(tensor) => {
                let shape = tensor.dims();
                if shape[0] != 1 || shape[1] != 3 || shape[2] == 0 || shape[3] == 0 {
                    return Err(Error::Shape {
                        what: what.into(),
                        found: shape.to_vec(),
                        expected: "[1, 3, height, width]".into(),
                    });
                }
                to_rgb(tensor)?
            }
        };
        if picture.width() == 0 || picture.height() == 0 {
            return Err(Error::Shape {
                what: what.into(),
                found: vec![picture.height() as usize, picture.width() as usize],
                expected: "at least one pixel".into(),
            });
        }
        all_finite(what, picture.as_raw())?;
        Ok(picture)
    }
}

/// An image of any pixel type as sRGB values in 0..=1, transparency composited over white.
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

/// An image of any pixel type as a tensor `[1, 3, H, W]`, transparency over white.
#[must_use]
pub fn from_image(image: &DynamicImage, device: &Device) -> Tensor<4> {
    from_rgb(&flatten(image), device)
}

pub(crate) fn from_rgb(image: &Rgb32FImage, device: &Device) -> Tensor<4> {
    let shape = [1, image.height() as usize, image.width() as usize, 3];
    let data = TensorData::new(image.as_raw().clone(), shape);
    Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
}

pub(crate) fn to_rgb(tensor: Tensor<4>) -> Result<Rgb32FImage> {
    let [_, _, height, width] = tensor.dims();
    let data = tensor.permute([0, 2, 3, 1]).inner();
    let values: Vec<f32> = data.try_into_vec_as().map_err(Error::device)?;
    ImageBuffer::from_raw(width as u32, height as u32, values).ok_or_else(|| Error::Shape {
        what: "an image".into(),
        found: vec![1, 3, height, width],
        expected: "[1, 3, height, width]".into(),
    })
}

/// The mean colour of a picture.
pub(crate) fn mean_colour(picture: &Rgb32FImage) -> [f32; 3] {
    let mut sums = [0.0f64; 3];
    for pixel in picture.pixels() {
        for (sum, value) in sums.iter_mut().zip(pixel.0) {
            *sum += f64::from(value);
        }
    }
    let count = f64::from(picture.width()) * f64::from(picture.height());
    sums.map(|sum| (sum / count) as f32)
}

/// A tensor `[1, 3, H, W]` as an image of 8 bits a channel: values beyond 0..=1 are clipped, others
/// rounded to the nearest step.
///
/// # Errors
///
/// [`Error::Device`] if the tensor cannot be read, [`Error::NotFinite`] if it holds NaN or
/// infinity.
pub fn to_image8(tensor: Tensor<4>) -> Result<DynamicImage> {
    finite(tensor).map(|picture| to_image8_of(&picture))
}

/// As [`to_image8`] with 16 bits a channel.
///
/// # Errors
///
/// Those of [`to_image8`].
pub fn to_image16(tensor: Tensor<4>) -> Result<DynamicImage> {
    finite(tensor).map(|picture| to_image16_of(&picture))
}

fn finite(tensor: Tensor<4>) -> Result<Rgb32FImage> {
    let picture = to_rgb(tensor)?;
    all_finite("the image", picture.as_raw())?;
    Ok(picture)
}

pub(crate) fn to_image8_of(picture: &Rgb32FImage) -> DynamicImage {
    quantise(picture, 255.0, |value| value as u8).into()
}

pub(crate) fn to_image16_of(picture: &Rgb32FImage) -> DynamicImage {
    quantise(picture, 65535.0, |value| value as u16).into()
}

fn quantise<T>(
    picture: &Rgb32FImage,
    steps: f32,
    narrow: impl Fn(f32) -> T,
) -> ImageBuffer<Rgb<T>, Vec<T>>
where
    T: image::Primitive,
    Rgb<T>: image::Pixel<Subpixel = T>,
{
    ImageBuffer::from_fn(picture.width(), picture.height(), |x, y| {
        let pixel = picture.get_pixel(x, y).0;
        Rgb(pixel.map(|value| narrow((value.clamp(0.0, 1.0) * steps).round())))
    })
}
