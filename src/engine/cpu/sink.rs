//! Outputs of the Winograd kernel: how a finished tile is stored.

use pulp::Simd;

use super::disjoint_slice::DisjointSlice;
use super::epilogue::{Epilogue, WORD, words};
use super::winograd::Filtering;

/// 16 channels of the pixels of a tile, row by row.
pub(super) type Block = [[f32; WORD]];

/// Stores output tiles. Each tile is stored once, from any thread.
pub(super) trait Sink: Sync {
    /// Height, width and channels of the output of the kernel.
    fn size(&self) -> (usize, usize, usize);

    /// Stores 16 channels from channel `WORD * word` on, for the tile of `F` whose pixel `first`, row and column,
    /// is its uppermost and leftmost one.
    /// Ignores pixels beyond the size.
    fn store<S: Simd, F: Filtering>(
        &self,
        simd: S,
        first: (usize, usize),
        word: usize,
        block: &mut Block,
    );
}

/// A map `[height, width, channels]`, with an epilogue.
pub(super) struct WholeMap<'a> {
    pub(super) output: DisjointSlice<'a, f32>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) epilogue: Epilogue<'a>,
    /// Whether to add to the content of `output` before the epilogue.
    pub(super) accumulates: bool,
}

impl WholeMap<'_> {
    #[inline(always)]
    fn store_word<S: Simd>(&self, simd: S, pixel: usize, word: usize, values: &mut [f32; WORD]) {
        let start = pixel * self.channels + word * WORD;
        // SAFETY: each word of each pixel is stored once.
        #[allow(unsafe_code)]
        let target = unsafe { self.output.part(start, WORD) };
        if self.accumulates {
            let held = S::as_simd_f32s(target).0;
            for (value, held) in S::as_mut_simd_f32s(values).0.iter_mut().zip(held) {
                *value = simd.add_f32s(*value, *held);
            }
        }
        let number = pixel * words(self.channels) + word;
        self.epilogue.apply_word(simd, number, word * WORD, values);
        target.copy_from_slice(values);
    }
}

impl Sink for WholeMap<'_> {
    fn size(&self) -> (usize, usize, usize) {
        (self.height, self.width, self.channels)
    }

    #[inline(always)]
    fn store<S: Simd, F: Filtering>(
        &self,
        simd: S,
        (y, x): (usize, usize),
        word: usize,
        block: &mut Block,
    ) {
        for dy in 0..F::TILE.min(self.height - y) {
            for dx in 0..F::TILE.min(self.width - x) {
                let pixel = (y + dy) * self.width + x + dx;
                self.store_word(simd, pixel, word, &mut block[dy * F::TILE + dx]);
            }
        }
    }
}

/// A map after 2x2 average pooling: convolution, ReLU and pooling in one kernel.
pub(super) struct PooledMap<'a> {
    /// `[height / 2, width / 2, channels]`.
    pub(super) output: DisjointSlice<'a, f32>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) epilogue: Epilogue<'a>,
}

impl Sink for PooledMap<'_> {
    fn size(&self) -> (usize, usize, usize) {
        (self.height, self.width, self.channels)
    }

    #[inline(always)]
    fn store<S: Simd, F: Filtering>(
        &self,
        simd: S,
        (y, x): (usize, usize),
        word: usize,
        block: &mut Block,
    ) {
        let words = words(self.channels);
        for dy in 0..F::TILE.min(self.height - y) {
            for dx in 0..F::TILE.min(self.width - x) {
                let number = ((y + dy) * self.width + x + dx) * words + word;
                let values = &mut block[dy * F::TILE + dx];
                self.epilogue.apply_word(simd, number, word * WORD, values);
            }
        }
        // The last row or column of an odd side belongs to no window.
        let (height, width) = (self.height / 2, self.width / 2);
        for dy in (0..F::TILE).step_by(2) {
            for dx in (0..F::TILE).step_by(2) {
                let (row, column) = ((y + dy) / 2, (x + dx) / 2);
                if row >= height || column >= width {
                    continue;
                }
                let start = (row * width + column) * self.channels + word * WORD;
                // SAFETY: each window lies in one tile, whose words are stored once.
                #[allow(unsafe_code)]
                let target = unsafe { self.output.part(start, WORD) };
                let first = dy * F::TILE + dx;
                for (i, target) in target.iter_mut().enumerate() {
                    let upper = block[first][i] + block[first + 1][i];
                    let lower = block[first + F::TILE][i] + block[first + F::TILE + 1][i];
                    *target = 0.25 * (upper + lower);
                }
            }
        }
    }
}

/// A padded map. The inner positions are stored as a map, the padded positions in a buffer of their
/// own.
pub(super) struct PaddedMap<'a> {
    pub(super) inner: WholeMap<'a>,
    /// Padded positions on each side.
    pub(super) padding: usize,
    /// The padded positions, `[margin_length][channels]`, in the order of [`margin_index`].
    pub(super) margin: DisjointSlice<'a, f32>,
}

/// The index of a position `(y, x)` of a padded map within its margin, or `None` inside the map.
/// The rows above come first, then the rows below, then both ends of each row between.
#[inline(always)]
pub(super) fn margin_index(
    (y, x): (usize, usize),
    (height, width): (usize, usize),
    padding: usize,
) -> Option<usize> {
    let padded = width + 2 * padding;
    if y < padding {
        Some(y * padded + x)
    } else if y >= height + padding {
        Some((y - height) * padded + x)
    } else if x < padding {
        Some(2 * padding * padded + (y - padding) * 2 * padding + x)
    } else if x >= width + padding {
        Some(2 * padding * padded + (y - padding) * 2 * padding + x - width)
    } else {
        None
    }
}

/// The number of padded positions around a map.
pub(super) fn margin_length((height, width): (usize, usize), padding: usize) -> usize {
    2 * padding * (width + 2 * padding + height)
}

impl Sink for PaddedMap<'_> {
    fn size(&self) -> (usize, usize, usize) {
        let WholeMap { height, width, .. } = self.inner;
        let both = 2 * self.padding;
        (height + both, width + both, self.inner.channels)
    }

    #[inline(always)]
    fn store<S: Simd, F: Filtering>(
        &self,
        simd: S,
        (y, x): (usize, usize),
        word: usize,
        block: &mut Block,
    ) {
        let WholeMap {
            height,
            width,
            channels,
            ..
        } = self.inner;
        let (padded_height, padded_width, _) = self.size();
        for dy in 0..F::TILE.min(padded_height - y) {
            for dx in 0..F::TILE.min(padded_width - x) {
                let (y, x) = (y + dy, x + dx);
                let values = &mut block[dy * F::TILE + dx];
                match margin_index((y, x), (height, width), self.padding) {
                    None => {
                        let pixel = (y - self.padding) * width + x - self.padding;
                        self.inner.store_word(simd, pixel, word, values);
                    }
                    Some(index) => {
                        let start = index * channels + word * WORD;
                        // SAFETY: each word of each position is stored once.
                        #[allow(unsafe_code)]
                        let target = unsafe { self.margin.part(start, WORD) };
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
    fn positions_of_a_margin_have_distinct_indices() {
        for (height, width, margin) in [(1, 1, 1), (3, 5, 1), (4, 2, 2), (7, 6, 3)] {
            let mut indices: Vec<usize> = (0..height + 2 * margin)
                .flat_map(|y| (0..width + 2 * margin).map(move |x| (y, x)))
                .filter_map(|position| margin_index(position, (height, width), margin))
                .collect();
            indices.sort_unstable();
            let all: Vec<usize> = (0..margin_length((height, width), margin)).collect();
            assert_eq!(indices, all);
        }
    }
}
