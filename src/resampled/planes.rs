//! Pictures in planar layout, one plane for each channel. Convolutions with few channels are fastest in it.

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
        let stride = width.next_multiple_of(LANES);
        let plane = stride * (height + 1) + 2 * SPAN;
        Self {
            channels,
            height,
            width,
            stride,
            plane,
            data: vec![0.0; channels * plane],
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

    /// One channel, row by row with padding between rows; see [`index_of`](Self::index_of).
    pub(crate) fn plane(&self, channel: usize) -> &[f32] {
        &self.data[channel * self.plane..][..self.height * self.stride]
    }

    pub(crate) fn plane_mut(&mut self, channel: usize) -> &mut [f32] {
        &mut self.data[channel * self.plane..][..self.height * self.stride]
    }

    /// The index of row `y` and column `x` into a channel's [`plane`](Self::plane).
    pub(crate) fn index_of(&self, y: usize, x: usize) -> usize {
        y * self.stride + x
    }

    /// The row and column of an [index](Self::index_of).
    pub(crate) fn position_of(&self, index: usize) -> (usize, usize) {
        (index / self.stride, index % self.stride)
    }

    /// Adds `border` rows and columns of zeros on every side.
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

    /// Continues the picture periodically, by `more` rows below and `more` columns to the right.
    pub(crate) fn repeated(&self, more: usize) -> Self {
        let mut padded = Self::new(self.channels, self.height + more, self.width + more);
        for channel in 0..self.channels {
            for y in 0..padded.height {
                let source = self.row(channel, y % self.height);
                let row = padded.row_mut(channel, y);
                for (value, source) in row.iter_mut().zip(source.iter().cycle()) {
                    *value = *source;
                }
            }
        }
        padded
    }

    /// The adjoint of [`repeated`](Self::repeated): adds each value beyond `height` and `width` to the
    /// value that it repeats.
    pub(crate) fn folded(&self, height: usize, width: usize) -> Self {
        let mut folded = Self::new(self.channels, height, width);
        for channel in 0..self.channels {
            for y in 0..self.height {
                let row = folded.row_mut(channel, y % height);
                for (x, value) in self.row(channel, y).iter().enumerate() {
                    row[x % width] += value;
                }
            }
        }
        folded
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

    #[test]
    fn folding_is_the_adjoint_of_repeating() {
        let (image, gradient) = (counting(2, 3, 4), counting(2, 8, 9));
        let dot = |a: &Planes, b: &Planes| -> f32 {
            let (a, b) = (a.to_pixels(), b.to_pixels());
            a.iter().zip(&b).map(|(a, b)| a * b).sum()
        };
        let forward = dot(&image.repeated(5), &gradient);
        assert_eq!(forward, dot(&image, &gradient.folded(3, 4)));
    }
}
