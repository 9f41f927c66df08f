//! Where finished tiles of the Winograd kernel go.

use pulp::Simd;

use super::epilogue::{Epilogue, WORD, words};
use super::shared::Shared;
use crate::engine::winograd::TILE;

/// One word of channels of the 16 pixels of a tile, in rows.
pub(super) type Block = [[f32; WORD]; TILE * TILE];

/// Takes tiles, each once, from any thread.
pub(super) trait Sink: Sync {
    /// Height, width and channels of what is to be computed.
    fn size(&self) -> (usize, usize, usize);

    /// Takes the channels `WORD * word ..` of the tile whose first pixel is `(y, x)`; pixels
    /// beyond the size are to be ignored.
    fn take<S: Simd>(&self, simd: S, y: usize, x: usize, word: usize, block: &mut Block);
}

/// A map `[height, width, channels]`, finished by an epilogue.
pub(super) struct Whole<'a> {
    pub(super) output: Shared<'a, f32>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) epilogue: Epilogue<'a>,
    /// Whether to add to what `output` holds, before the epilogue.
    pub(super) adds: bool,
}

impl Whole<'_> {
    #[inline(always)]
    fn put<S: Simd>(&self, simd: S, pixel: usize, word: usize, values: &mut [f32; WORD]) {
        let start = pixel * self.channels + word * WORD;
        // SAFETY: each word of each pixel is taken once.
        #[allow(unsafe_code)]
        let target = unsafe { self.output.part(start, WORD) };
        if self.adds {
            for (value, held) in values.iter_mut().zip(&*target) {
                *value += held;
            }
        }
        let number = pixel * words(self.channels) + word;
        self.epilogue.apply_word(simd, number, word * WORD, values);
        target.copy_from_slice(values);
    }
}

impl Sink for Whole<'_> {
    fn size(&self) -> (usize, usize, usize) {
        (self.height, self.width, self.channels)
    }

    #[inline(always)]
    fn take<S: Simd>(&self, simd: S, y: usize, x: usize, word: usize, block: &mut Block) {
        for dy in 0..TILE.min(self.height - y) {
            for dx in 0..TILE.min(self.width - x) {
                let pixel = (y + dy) * self.width + x + dx;
                self.put(simd, pixel, word, &mut block[dy * TILE + dx]);
            }
        }
    }
}

/// A map averaged over windows of 2x2 pixels: convolution, ReLU and pooling in one pass.
pub(super) struct Halved<'a> {
    /// `[height / 2, width / 2, channels]`.
    pub(super) output: Shared<'a, f32>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) epilogue: Epilogue<'a>,
}

impl Sink for Halved<'_> {
    fn size(&self) -> (usize, usize, usize) {
        (self.height, self.width, self.channels)
    }

    #[inline(always)]
    fn take<S: Simd>(&self, simd: S, y: usize, x: usize, word: usize, block: &mut Block) {
        let words = words(self.channels);
        for dy in 0..TILE.min(self.height - y) {
            for dx in 0..TILE.min(self.width - x) {
                let number = ((y + dy) * self.width + x + dx) * words + word;
                let values = &mut block[dy * TILE + dx];
                self.epilogue.apply_word(simd, number, word * WORD, values);
            }
        }
        // A last odd line belongs to no window.
        let (height, width) = (self.height / 2, self.width / 2);
        for (dy, dx) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
            let (row, column) = ((y + dy) / 2, (x + dx) / 2);
            if row >= height || column >= width {
                continue;
            }
            let start = (row * width + column) * self.channels + word * WORD;
            // SAFETY: each window lies in one tile, whose words are taken once.
            #[allow(unsafe_code)]
            let target = unsafe { self.output.part(start, WORD) };
            let first = dy * TILE + dx;
            for (i, target) in target.iter_mut().enumerate() {
                let upper = block[first][i] + block[first + 1][i];
                let lower = block[first + TILE][i] + block[first + TILE + 1][i];
                *target = 0.25 * (upper + lower);
            }
        }
    }
}

/// A padded map: what is inside goes to a whole map, the margin to a strip beside it.
pub(super) struct Margined<'a> {
    pub(super) inner: Whole<'a>,
    /// Width of the margin on each side.
    pub(super) margin: usize,
    /// `[positions of the margin][channels]`, numbered by [`margin_number`].
    pub(super) strip: Shared<'a, f32>,
}

/// Number of a position `(y, x)` of a padded map among those of its margin: the rows above, those
/// below, then the two ends of each row between. `None` inside.
#[inline(always)]
pub(super) fn margin_number(
    (y, x): (usize, usize),
    (height, width): (usize, usize),
    margin: usize,
) -> Option<usize> {
    let padded = width + 2 * margin;
    if y < margin {
        Some(y * padded + x)
    } else if y >= height + margin {
        Some((y - height) * padded + x)
    } else if x < margin {
        Some(2 * margin * padded + (y - margin) * 2 * margin + x)
    } else if x >= width + margin {
        Some(2 * margin * padded + (y - margin) * 2 * margin + x - width)
    } else {
        None
    }
}

/// Positions of the margin of a map.
pub(super) fn margin_length((height, width): (usize, usize), margin: usize) -> usize {
    2 * margin * (width + 2 * margin + height)
}

impl Sink for Margined<'_> {
    fn size(&self) -> (usize, usize, usize) {
        let Whole { height, width, .. } = self.inner;
        let both = 2 * self.margin;
        (height + both, width + both, self.inner.channels)
    }

    #[inline(always)]
    fn take<S: Simd>(&self, simd: S, y: usize, x: usize, word: usize, block: &mut Block) {
        let Whole {
            height,
            width,
            channels,
            ..
        } = self.inner;
        let (padded_height, padded_width, _) = self.size();
        for dy in 0..TILE.min(padded_height - y) {
            for dx in 0..TILE.min(padded_width - x) {
                let (y, x) = (y + dy, x + dx);
                let values = &mut block[dy * TILE + dx];
                match margin_number((y, x), (height, width), self.margin) {
                    None => {
                        let pixel = (y - self.margin) * width + x - self.margin;
                        self.inner.put(simd, pixel, word, values);
                    }
                    Some(number) => {
                        let start = number * channels + word * WORD;
                        // SAFETY: each word of each position is taken once.
                        #[allow(unsafe_code)]
                        let target = unsafe { self.strip.part(start, WORD) };
                        target.copy_from_slice(values);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_a_margin_are_numbered_once() {
        for (height, width, margin) in [(1, 1, 1), (3, 5, 1), (4, 2, 2), (7, 6, 3)] {
            let mut numbers: Vec<usize> = (0..height + 2 * margin)
                .flat_map(|y| (0..width + 2 * margin).map(move |x| (y, x)))
                .filter_map(|place| margin_number(place, (height, width), margin))
                .collect();
            numbers.sort_unstable();
            let all: Vec<usize> = (0..margin_length((height, width), margin)).collect();
            assert_eq!(numbers, all);
        }
    }
}
