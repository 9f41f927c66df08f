//! Pictures that are read window by window.

use std::ops::Range;

use super::planes::Planes;
use super::structure::luminance;
use crate::imaging::{Raster, Size, segments};

/// A picture of interleaved pixels, `[H, W, C]`.
#[derive(Clone, Copy)]
pub(crate) struct Canvas<'a> {
    values: &'a [f32],
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Whether the picture repeats without end.
    pub(super) wraps: bool,
    /// Whether it is read as luminance.
    grey: bool,
}

impl<'a> Canvas<'a> {
    /// A picture of `values` in the order `[H, W, C]`.
    pub(crate) fn new(size: Size, channels: usize, values: &'a [f32], wraps: bool) -> Self {
        debug_assert_eq!(values.len(), size.pixels() * channels);
        Self {
            values,
            channels,
            height: size.height,
            width: size.width,
            wraps,
            grey: false,
        }
    }

    /// The luminance of the picture.
    pub(super) fn luminance(self) -> Self {
        Self { grey: true, ..self }
    }

    pub(crate) fn of(raster: &'a Raster, wraps: bool) -> Self {
        Self::new(raster.size(), raster.channels(), raster.values(), wraps)
    }

    pub(super) fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }

    /// All values, `[H, W, C]`.
    #[cfg(test)]
    pub(crate) fn values(&self) -> &'a [f32] {
        self.values
    }

    /// The pixels of these rows and columns. Only a picture that repeats may be read beyond its border.
    pub(super) fn window(&self, rows: Range<isize>, columns: Range<isize>) -> Planes {
        let pixels = self.pixels(rows, columns);
        match self.grey {
            true => luminance(&pixels),
            false => pixels,
        }
    }

    fn pixels(&self, rows: Range<isize>, columns: Range<isize>) -> Planes {
        let mut planes = Planes::new(self.channels, rows.len(), columns.len());
        for (y, row) in rows.enumerate() {
            let row = row.rem_euclid(self.height as isize) as usize;
            let line = &self.values[row * self.width * self.channels..];
            let mut x = 0;
            for segment in segments(columns.clone(), self.width) {
                let pixels = &line[segment.start * self.channels..segment.end * self.channels];
                for channel in 0..self.channels {
                    let target = &mut planes.row_mut(channel, y)[x..x + segment.len()];
                    for (value, pixel) in target.iter_mut().zip(pixels.chunks_exact(self.channels))
                    {
                        *value = pixel[channel];
                    }
                }
                x += segment.len();
            }
        }
        planes
    }

    /// All pixels and, if the picture repeats, `more` further rows and columns.
    pub(super) fn extended(&self, more: usize) -> Planes {
        let more = if self.wraps { more } else { 0 };
        let range = |length: usize| 0..(length + more) as isize;
        self.window(range(self.height), range(self.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_picture_that_repeats() {
        // Two channels, the second one ten times the first.
        let values: Vec<f32> = (0..6).flat_map(|i| [i as f32, 10.0 * i as f32]).collect();
        let canvas = Canvas::new(Size::new(3, 2), 2, &values, true);
        let window = canvas.window(-1..2, -2..5);
        let below = [4.0, 5.0, 3.0, 4.0, 5.0, 3.0, 4.0];
        let above = [1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0];
        assert_eq!(window.row(0, 0), below);
        assert_eq!(window.row(0, 1), above);
        assert_eq!(window.row(0, 2), below);
        assert_eq!(window.row(1, 1), above.map(|value| 10.0 * value));
        let extended = canvas.extended(1);
        assert_eq!((extended.height, extended.width), (3, 4));
        assert_eq!(extended.row(0, 2), [0.0, 1.0, 2.0, 0.0]);
    }
}
