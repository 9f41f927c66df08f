//! What positions are labelled by: guides, splits and masks.

use burn::tensor::{Device, Tensor};

use super::kernels::{AFTER_DIRECTION, NOISE_WORDS};
use super::operation::Labelling;
use crate::backend::upload;
use crate::engine::tables::CLASSES;

/// A guide of a picture, by which positions are put into classes.
pub(crate) struct DeviceGuide {
    /// `[channels, H, W]`.
    pub(super) planes: Tensor<1>,
    /// Channels, height and width.
    pub(super) shape: [usize; 3],
    /// Pixels of the picture for each of the guide, along both axes.
    pub(super) step: usize,
    /// Whether scores have noise.
    pub(super) noisy: bool,
}

/// How the positions of a picture are split into classes for one bank of filters.
pub(crate) struct Split<'a> {
    pub(crate) direction: &'a [f32],
    /// The scores at the borders between classes.
    pub(crate) borders: &'a [f32],
    /// The width of the noise.
    pub(crate) width: f32,
    /// The key, the stream and the number of the first word of the noise.
    pub(crate) noise: [u32; NOISE_WORDS],
}

/// The pixels of a picture that count.
pub(crate) struct DeviceMask {
    /// 1 at pixels that count and 0 at others, `[H, W]`.
    pub(super) values: Tensor<1>,
}

/// The classes of a picture's positions.
pub(crate) struct Labels {
    /// `[banks, rows, columns]`.
    pub(super) values: Tensor<3>,
    pub(super) labelling: Labelling,
}

/// Splits in the order of the kernel.
pub(super) fn numbers(splits: &[Split<'_>]) -> Vec<f32> {
    let halves = |word: &u32| [(word & 0xffff) as f32, (word >> 16) as f32];
    let mut numbers = Vec::new();
    for split in splits {
        numbers.reserve(split.direction.len() + AFTER_DIRECTION);
        numbers.extend(split.direction);
        // Borders of a class that there are too few positions for lie above all scores.
        let missing = std::iter::repeat(&f32::MAX);
        numbers.extend(split.borders.iter().chain(missing).take(CLASSES - 1));
        numbers.push(split.width);
        numbers.extend(split.noise.iter().flat_map(halves));
    }
    numbers
}

impl DeviceMask {
    /// The pixels that count, row by row.
    pub(crate) fn new(pixels: impl Iterator<Item = bool>, device: &Device) -> Self {
        let values = pixels.map(|counts| f32::from(u8::from(counts)));
        Self {
            values: upload(values.collect(), device),
        }
    }
}

impl DeviceGuide {
    /// A guide of `[channels, H, W]` values, each of which is that of `step` by `step` pixels. Scores have noise if `noisy`.
    pub(crate) fn new(
        planes: Vec<f32>,
        shape: [usize; 3],
        (step, noisy): (usize, bool),
        device: &Device,
    ) -> Self {
        Self {
            planes: upload(planes, device),
            shape,
            step,
            noisy,
        }
    }
}
