//! Images and Gaussian pyramids for metrics.

use image::Rgb32FImage;

/// The binomial filter between pyramid levels.
const BINOMIAL: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// Weights of luma by ITU-R BT.601.
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

/// An image, `[height, width, 3]`.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    pub(super) fn new(image: &Rgb32FImage) -> Self {
        Self {
            width: image.width() as usize,
            height: image.height() as usize,
            values: image.as_raw().clone(),
        }
    }

    /// The values of a row, `[width, 3]`.
    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width * 3..][..self.width * 3]
    }

    /// The three channels, each `[height, width]`.
    pub(super) fn channels(&self) -> [Vec<f32>; 3] {
        [0, 1, 2].map(|channel| {
            let values = self.values.iter().skip(channel).step_by(3);
            values.copied().collect()
        })
    }

    /// The luma of each pixel (ITU-R BT.601), `[height, width]`.
    pub(super) fn luma(&self) -> Vec<f64> {
        let pixels = self.values.chunks_exact(3);
        let luma = pixels.map(|pixel| {
            let products = LUMA.iter().zip(pixel);
            products
                .map(|(weight, value)| weight * f64::from(*value))
                .sum()
        });
        luma.collect()
    }

    /// The next pyramid level: every second pixel of the image filtered by the binomial. The image is mirrored
    /// at its border.
    pub(super) fn half(&self) -> Self {
        let mirrored = |i: isize, length: usize| {
            let last = length as isize - 1;
            (last - (last - i.abs()).abs()) as usize
        };
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let value =
            |y: usize, x: usize, channel: usize| self.values[(y * self.width + x) * 3 + channel];
        let mut rows = vec![0.0; height * self.width * 3];
        for y in 0..height {
            for x in 0..self.width {
                for channel in 0..3 {
                    rows[(y * self.width + x) * 3 + channel] = (0..5)
                        .map(|i| {
                            let source = mirrored(2 * y as isize + i as isize - 2, self.height);
                            BINOMIAL[i] * value(source, x, channel)
                        })
                        .sum();
                }
            }
        }
        let mut values = vec![0.0; height * width * 3];
        for y in 0..height {
            for x in 0..width {
                for channel in 0..3 {
                    values[(y * width + x) * 3 + channel] = (0..5)
                        .map(|i| {
                            let source = mirrored(2 * x as isize + i as isize - 2, self.width);
                            BINOMIAL[i] * rows[(y * self.width + source) * 3 + channel]
                        })
                        .sum();
                }
            }
        }
        Self {
            width,
            height,
            values,
        }
    }
}
