//! What statistics are taken from: one picture, or several with weights.

use burn::tensor::{Device, Tensor};
use image::Rgb32FImage;

use crate::error::{Error, Result, positive};
use crate::imaging::{Picture, Size, from_rgb, mean_colour, resize};

/// The pictures whose statistics a texture or style has: one, or a mixture of several.
///
/// A mixture has the statistics of all its pictures side by side, each with a share of the area
/// that is proportional to its weight: of two weighted equally, half of the result comes from each.
///
/// ```
/// use image::DynamicImage;
/// use ranvgg::Exemplars;
///
/// let (moss, stone) = (DynamicImage::new_rgb8(64, 64), DynamicImage::new_rgb8(64, 64));
/// let one = Exemplars::from(&moss);
/// let mixture = Exemplars::mixture([(&moss, 1.0), (&stone, 2.0)]);
/// ```
#[derive(Clone, Debug)]
pub struct Exemplars {
    parts: Vec<(Picture, f64)>,
}

impl<P: Into<Picture>> From<P> for Exemplars {
    fn from(picture: P) -> Self {
        Self::mixture([(picture, 1.0)])
    }
}

impl Exemplars {
    /// Several pictures, each with its weight.
    pub fn mixture<P: Into<Picture>>(parts: impl IntoIterator<Item = (P, f64)>) -> Self {
        let parts = parts.into_iter();
        Self {
            parts: parts
                .map(|(picture, weight)| (picture.into(), weight))
                .collect(),
        }
    }

    /// Reads all of them; `what` names them in messages.
    pub(crate) fn read(self, what: &str) -> Result<Mixture> {
        if self.parts.is_empty() {
            return Err(Error::option("pictures", 0, "at least one"));
        }
        let mut parts = Vec::new();
        for (picture, weight) in self.parts {
            positive("the weight of a picture", weight)?;
            parts.push((picture.into_rgb(what)?, weight));
        }
        let sum: f64 = parts.iter().map(|(_, weight)| weight).sum();
        for (_, weight) in &mut parts {
            *weight /= sum;
        }
        Ok(Mixture { parts })
    }
}

/// Pictures on the host, with shares that add up to 1.
pub(crate) struct Mixture {
    parts: Vec<(Rgb32FImage, f64)>,
}

impl Mixture {
    pub(crate) fn sizes(&self) -> impl Iterator<Item = Size> {
        self.parts.iter().map(|(picture, _)| Size::of(picture))
    }

    /// The size of the first.
    pub(crate) fn first_size(&self) -> Size {
        Size::of(&self.parts[0].0)
    }

    pub(crate) fn mean_colour(&self) -> [f32; 3] {
        let mut mean = [0.0; 3];
        for (picture, share) in &self.parts {
            for (sum, value) in mean.iter_mut().zip(mean_colour(picture)) {
                *sum += *share as f32 * value;
            }
        }
        mean
    }

    /// Each at the size that `sized` makes of its own.
    pub(crate) fn resized(self, sized: impl Fn(Size) -> Size) -> Self {
        let parts = self.parts.into_iter().map(|(picture, share)| {
            let size = sized(Size::of(&picture));
            (resize(&picture, size.width, size.height), share)
        });
        Self {
            parts: parts.collect(),
        }
    }

    /// All of them halved so many times, on a device.
    pub(crate) fn halved(&self, octaves: usize, device: &Device) -> Vec<(Tensor<4>, f64)> {
        let parts = self.parts.iter().map(|(picture, share)| {
            let small = Size::of(picture).halved(octaves);
            let picture = resize(picture, small.width, small.height);
            (from_rgb(&picture, device), *share)
        });
        parts.collect()
    }
}
