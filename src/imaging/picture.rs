//! Input pictures of tasks: decoded images, tensors and stacks of maps.

use burn::tensor::Tensor;
use image::{DynamicImage, GrayImage, Rgb32FImage, RgbImage};

use super::convert::flatten;
use super::format::{Depth, Format};
use super::{Raster, Size, is_white};
use crate::error::{Error, Result, all_finite};

/// The input picture of a task. Decoded images and tensors convert by `From`; [`Picture::maps`]
/// makes a stack of maps.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Picture {
    /// A decoded image of any pixel type. Transparency is composited over white.
    Image(DynamicImage),
    /// A tensor `[1, C, H, W]` of values in 0..=1, sRGB if `C` is 3.
    Tensor(Tensor<4>),
    /// Registered maps of one surface, of one size: see [`Picture::maps`].
    Maps(Vec<DynamicImage>),
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

/// Values outside of 0..=1, which [`Outcome::picture`](crate::Outcome::picture) may contain, are
/// not clipped.
impl From<Rgb32FImage> for Picture {
    fn from(image: Rgb32FImage) -> Self {
        Self::Image(image.into())
    }
}

impl From<GrayImage> for Picture {
    fn from(image: GrayImage) -> Self {
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
    /// Several maps of one surface, for example albedo, normals and height. Their channels are
    /// stacked to one picture, so they are synthesized together and stay registered. The network
    /// must have as many channels ([`RandomVgg::with_channels`](crate::RandomVgg::with_channels)).
    ///
    /// A grey map has one channel and a colour map three. Transparency is one more channel. Values
    /// are used without conversion.
    ///
    /// ```
    /// # #[cfg(feature = "flex")] {
    /// use image::DynamicImage;
    /// use ranvgg::{Picture, RandomVgg, TextureOptions, device, synthesize_texture};
    ///
    /// let albedo = DynamicImage::new_rgb8(32, 32);
    /// let height = DynamicImage::new_luma16(32, 32);
    /// let stack = Picture::maps([albedo, height]);
    /// let vgg = RandomVgg::vgg19()
    ///     .with_channels(stack.channels())
    ///     .init(&device::by_name("flex")?)?;
    ///
    /// let mut options = TextureOptions::default();
    /// options.run.evaluations = Some(2);
    /// let maps = synthesize_texture(&vgg, stack, &options, &mut ())?.maps();
    /// assert_eq!(maps[1].color(), image::ColorType::L16);
    /// # }
    /// # Ok::<(), ranvgg::Error>(())
    /// ```
    pub fn maps(maps: impl IntoIterator<Item = DynamicImage>) -> Self {
        Self::Maps(maps.into_iter().collect())
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> Size {
        match self {
            Self::Image(image) => size_of(image),
            Self::Tensor(tensor) => {
                let [_, _, height, width] = tensor.dims();
                Size::new(width, height)
            }
            Self::Maps(maps) => maps.first().map_or(Size::square(0), size_of),
        }
    }

    /// The number of channels that a network for this picture has.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.formats().iter().map(|format| format.channels).sum()
    }

    /// The pixel types of the files that can store this picture.
    pub(crate) fn formats(&self) -> Vec<Format> {
        let eight = |channels| Format {
            channels,
            depth: Depth::Eight,
        };
        match self {
            Self::Image(image) => vec![Format {
                channels: 3,
                ..Format::of(image)
            }],
            Self::Tensor(tensor) => match tensor.dims()[1] {
                3 => vec![eight(3)],
                channels => vec![eight(1); channels],
            },
            Self::Maps(maps) => maps.iter().map(Format::of).collect(),
        }
    }

    /// The picture in host memory, for a network with `channels` channels. Messages call it `what`.
    pub(crate) fn read(&self, what: &str, channels: usize) -> Result<Raster> {
        let found = self.channels();
        let raster = match self {
            Self::Image(image) => flatten(image).into(),
            Self::Tensor(tensor) => {
                let shape = tensor.dims();
                if shape[0] != 1 || shape.contains(&0) {
                    return Err(Error::Shape {
                        what: what.into(),
                        found: shape.to_vec(),
                        expected: format!("[1, {channels}, height, width]"),
                    });
                }
                Raster::from_tensor(tensor.clone())?
            }
            Self::Maps(maps) => stacked(what, maps)?,
        };
        if raster.size().pixels() == 0 {
            return Err(Error::Shape {
                what: what.into(),
                found: vec![raster.size().height, raster.size().width],
                expected: "at least one pixel".into(),
            });
        }
        if found != channels {
            return Err(Error::Channels {
                what: what.into(),
                found,
                expected: channels,
            });
        }
        all_finite(what, raster.values())?;
        Ok(raster)
    }

    /// The picture as a mask in host memory: one channel, the mean of all channels.
    pub(crate) fn read_mask(&self, what: &str) -> Result<Raster> {
        let channels = self.channels();
        let raster = self.read(what, channels)?;
        Ok(raster.mapped(|pixel| [pixel.iter().sum::<f32>() / channels as f32]))
    }

    /// As [`read_mask`](Self::read_mask), with an error for a mask that is nowhere white.
    pub(crate) fn read_region(&self, what: &str) -> Result<Raster> {
        let mask = self.read_mask(what)?;
        if mask.values().iter().any(|value| is_white(*value)) {
            return Ok(mask);
        }
        let allowed = "masks that are white somewhere";
        Err(Error::option(what, "black", allowed))
    }
}

fn size_of(image: &DynamicImage) -> Size {
    Size::new(image.width() as usize, image.height() as usize)
}

/// The channels of all maps, concatenated.
fn stacked(what: &str, maps: &[DynamicImage]) -> Result<Raster> {
    let mut rasters: Vec<Raster> = Vec::new();
    for map in maps {
        let format = Format::of(map);
        let size = size_of(map);
        if let Some(first) = rasters.first().filter(|first| first.size() != size) {
            return Err(Error::Shape {
                what: format!("map {} of {what}", rasters.len() + 1),
                found: vec![size.height, size.width],
                expected: format!(
                    "[{}, {}], as the first",
                    first.size().height,
                    first.size().width
                ),
            });
        }
        let source = map.to_rgba32f();
        let values = source.as_raw();
        // A grey image has equal colours. Transparency is the last channel.
        let channels: &[usize] = match format.channels {
            1 => &[0],
            2 => &[0, 3],
            3 => &[0, 1, 2],
            _ => &[0, 1, 2, 3],
        };
        rasters.push(Raster::from_pixels(size, |pixel| {
            let channels = channels.iter();
            channels.map(move |channel| values[4 * pixel + channel])
        }));
    }
    Ok(Raster::stacked(&rasters))
}
