//! Pictures in planar layout, one plane for each channel. Convolutions with few channels are fastest in it.

use crate::imaging::{Raster, Size};

/// Floats of the widest vector.
const LANES: usize = 16;
/// The most positions of a row that are computed at once.
const SPAN: usize = 4 * LANES;

/// Planes of `channels` channels, `[C, H, W]`, each row padded to whole vectors.
///
/// Unused memory follows each plane. So a vector load at any position, up to one row further down, stays
/// inside the allocation.
#[derive(Clone, Debug)]
pub(crate) struct Planes {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Floats from one row to the next.
    pub(super) stride: usize,
    /// Floats from one plane to the next.
    pub(super) plane: usize,
    pub(super) data: Vec<f32>,
}

impl Planes {
    /// Planes of zeros.
    pub(crate) fn new(channels: usize, height: usize, width: usize) -> Self {
        Self::in_buffer(channels, height, width, Vec::new())
    }

    /// Planes in a buffer of any length, with its values and zeros after them.
    pub(super) fn in_buffer(
        channels: usize,
        height: usize,
        width: usize,
        mut data: Vec<f32>,
    ) -> Self {
        let stride = width.next_multiple_of(LANES);
        let plane = stride * (height + 1) + 2 * SPAN;
        data.resize(channels * plane, 0.0);
        Self {
            channels,
            height,
            width,
            stride,
            plane,
            data,
        }
    }

    /// The planes of interleaved pixels `[H, W, C]`.
    pub(crate) fn from_pixels(
        channels: usize,
        height: usize,
        width: usize,
        pixels: &[f32],
    ) -> Self {
        let mut planes = Self::new(channels, height, width);
        for (y, line) in pixels.chunks_exact(width * channels).enumerate() {
            for channel in 0..channels {
                let row = planes.row_mut(channel, y);
                for (value, pixel) in row.iter_mut().zip(line.chunks_exact(channels)) {
                    *value = pixel[channel];
                }
            }
        }
        planes
    }

    /// Interleaved pixels `[H, W, C]`.
    #[cfg(test)]
    pub(crate) fn to_pixels(&self) -> Vec<f32> {
        let mut pixels = vec![0.0; self.height * self.width * self.channels];
        for channel in 0..self.channels {
            let rows = pixels.chunks_exact_mut(self.width * self.channels);
            for (y, line) in rows.enumerate() {
                let targets = line.iter_mut().skip(channel).step_by(self.channels);
                for (target, value) in targets.zip(self.row(channel, y)) {
                    *target = *value;
                }
            }
        }
        pixels
    }

    pub(crate) fn row(&self, channel: usize, y: usize) -> &[f32] {
        let start = channel * self.plane + y * self.stride;
        &self.data[start..start + self.width]
    }

    pub(crate) fn row_mut(&mut self, channel: usize, y: usize) -> &mut [f32] {
        let start = channel * self.plane + y * self.stride;
        &mut self.data[start..start + self.width]
    }

    /// Adds `border` rows and columns of zeros on every side.
    #[cfg(test)]
    pub(crate) fn with_zeros(&self, border: usize) -> Self {
        let (height, width) = (self.height + 2 * border, self.width + 2 * border);
        let mut padded = Self::new(self.channels, height, width);
        for channel in 0..self.channels {
            for y in 0..self.height {
                let row = &mut padded.row_mut(channel, y + border)[border..];
                row[..self.width].copy_from_slice(self.row(channel, y));
            }
        }
        padded
    }

    /// Multiplies all values.
    pub(crate) fn scale(&mut self, factor: f32) {
        self.data.iter_mut().for_each(|value| *value *= factor);
    }

    /// Adds planes of the same shape.
    pub(crate) fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.data.len(), other.data.len());
        for (sum, value) in self.data.iter_mut().zip(&other.data) {
            *sum += value;
        }
    }
}

/// The channels of a picture as planes.
pub(super) fn planes(raster: &Raster) -> Planes {
    let Size { width, height } = raster.size();
    Planes::from_pixels(raster.channels(), height, width, raster.values())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(channels: usize, height: usize, width: usize) -> Planes {
        let pixels: Vec<f32> = (0..channels * height * width).map(|i| i as f32).collect();
        Planes::from_pixels(channels, height, width, &pixels)
    }

    #[test]
    fn pixels_survive_a_round_trip() {
        let planes = counting(3, 4, 5);
        assert_eq!(planes.row(1, 2), [31.0, 34.0, 37.0, 40.0, 43.0]);
        let pixels: Vec<f32> = (0..60).map(|i| i as f32).collect();
        assert_eq!(planes.to_pixels(), pixels);
    }
}
