//! The input transform and the output transform.

use pulp::{Simd, WithSimd};

use super::Grid;
use crate::engine::cpu::disjoint_slice::DisjointSlice;
use crate::engine::cpu::epilogue::WORD;
use crate::engine::cpu::sink::{Block, Sink};
use crate::engine::cpu::source::{PaddedView, Source, vector};
use crate::engine::winograd::{ELEMENTS, TILE, WINDOW};

/// Transforms the input tiles `first .. first + tiles`: `B' d B`.
pub(super) struct TransformInput<'a, T> {
    /// [`check`](Source::check) has passed.
    pub(super) source: &'a T,
    pub(super) grid: &'a Grid,
    pub(super) first: usize,
    pub(super) tiles: usize,
    /// `[element][tile of the block][stride]`.
    pub(super) transformed: &'a DisjointSlice<'a, f32>,
    pub(super) stride: usize,
    /// The number of tiles of the block, and its first tile.
    pub(super) block: (usize, usize),
}

/// Channels that are transformed along rows and then along columns. Their 36 elements stay in the
/// L1 cache.
const CHANNEL_BLOCK: usize = 8 * WORD;

impl<T: Source> WithSimd for TransformInput<'_, T> {
    type Output = ();

    // Loops instead of closures: a closure that is not inlined would be compiled without the SIMD
    // instructions that are enabled here.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let view = self.source.view();
        let (in_block, block_first) = self.block;
        let mut half = [[0.0f32; CHANNEL_BLOCK]; ELEMENTS];
        for tile in self.first..self.first + self.tiles {
            let (down, across) = (tile / self.grid.across, tile % self.grid.across);
            // SAFETY: the source was checked, and zeros are always valid.
            #[allow(unsafe_code)]
            let mut pixels = unsafe { [self.source.pixel(None, None); ELEMENTS] };
            for y in 0..WINDOW {
                for x in 0..WINDOW {
                    let row = PaddedView::source(view.rows, down * TILE + y);
                    let column = PaddedView::source(view.columns, across * TILE + x);
                    // SAFETY: the source was checked, and both indices come from its axes.
                    #[allow(unsafe_code)]
                    unsafe {
                        pixels[y * WINDOW + x] = self.source.pixel(row, column);
                    }
                }
            }
            let start = (tile - block_first) * self.stride;
            for channel in (0..view.channels).step_by(CHANNEL_BLOCK) {
                let length = CHANNEL_BLOCK.min(view.channels - channel);
                for lane in (0..length).step_by(S::F32_LANES) {
                    for y in 0..WINDOW {
                        let mut row = [simd.splat_f32s(0.0); WINDOW];
                        for x in 0..WINDOW {
                            // SAFETY: the number of channels is a multiple of the SIMD lanes.
                            #[allow(unsafe_code)]
                            unsafe {
                                let pixel = pixels[y * WINDOW + x];
                                row[x] = self.source.load(simd, pixel, channel + lane);
                            }
                        }
                        let row = transform_six(simd, row);
                        for x in 0..WINDOW {
                            store::<S>(&mut half[y * WINDOW + x], lane, row[x]);
                        }
                    }
                }
                // Column by column, with all channels of a column before the next one. Each of the
                // 36 elements lies in its own memory page, and storing to all of them at once would
                // miss the TLB.
                for x in 0..WINDOW {
                    let mut targets: [&mut [f32]; WINDOW] = Default::default();
                    for (y, target) in targets.iter_mut().enumerate() {
                        let element = y * WINDOW + x;
                        let first = element * in_block * self.stride + start + channel;
                        // SAFETY: each tile has its own part of `transformed`.
                        #[allow(unsafe_code)]
                        unsafe {
                            *target = self.transformed.part(first, length);
                        }
                    }
                    for lane in (0..length).step_by(S::F32_LANES) {
                        let mut column = [simd.splat_f32s(0.0); WINDOW];
                        for y in 0..WINDOW {
                            column[y] = load::<S>(&half[y * WINDOW + x], lane);
                        }
                        let column = transform_six(simd, column);
                        for y in 0..WINDOW {
                            store::<S>(targets[y], lane, column[y]);
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(values: &[f32], lane: usize) -> S::f32s {
    vector::<S>(&values[lane..])
}

#[inline(always)]
fn store<S: Simd>(values: &mut [f32], lane: usize, value: S::f32s) {
    S::as_mut_simd_f32s(&mut values[lane..][..S::F32_LANES]).0[0] = value;
}

/// `B' d` for six values. The coefficients are those of `INPUT` in `engine/winograd.rs`.
#[inline(always)]
fn transform_six<S: Simd>(simd: S, d: [S::f32s; WINDOW]) -> [S::f32s; WINDOW] {
    let add = |a, b| simd.add_f32s(a, b);
    let sub = |a, b| simd.sub_f32s(a, b);
    let fma = |a: f32, b, c| simd.mul_add_e_f32s(simd.splat_f32s(a), b, c);
    let (far, near) = (sub(d[3], d[1]), sub(d[4], d[2]));
    [
        add(d[0], fma(1.5, far, fma(-2.0, d[2], d[4]))),
        fma(2.5, d[3], fma(0.5, d[2], sub(d[4], d[1]))),
        fma(-2.5, d[2], fma(0.5, d[3], add(d[4], d[1]))),
        fma(2.0, far, near),
        fma(-0.5, far, near),
        add(d[1], fma(1.5, near, fma(-2.0, d[3], d[5]))),
    ]
}

/// Transforms the products of the tiles `first .. first + tiles` to outputs, `A' m A`, and stores them.
pub(super) struct TransformOutput<'a, T> {
    pub(super) sink: &'a T,
    pub(super) grid: &'a Grid,
    pub(super) first: usize,
    pub(super) tiles: usize,
    /// `[element][panel][tile of the block][width of a panel]`, for a range of panels.
    pub(super) products: &'a [f32],
    pub(super) panels: usize,
    pub(super) width: usize,
    /// The stride between the products of one element and panel and the next.
    pub(super) product_stride: usize,
    /// The channels of these panels, in words of 16.
    pub(super) words: std::ops::Range<usize>,
    /// The number of tiles of the block, and its first tile.
    pub(super) block: (usize, usize),
}

impl<T: Sink> WithSimd for TransformOutput<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (_, block_first) = self.block;
        let per_element = self.panels * self.product_stride;
        // Outside of the loops, because every value is written before it is read.
        let mut block: Block = [[0.0; WORD]; TILE * TILE];
        for tile in self.first..self.first + self.tiles {
            let (down, across) = (tile / self.grid.across, tile % self.grid.across);
            let start = (tile - block_first) * self.width;
            for (index, word) in self.words.clone().enumerate() {
                for lane in (0..WORD).step_by(S::F32_LANES) {
                    let channel = index * WORD + lane;
                    let first =
                        channel / self.width * self.product_stride + start + channel % self.width;
                    let last = first + (ELEMENTS - 1) * per_element + S::F32_LANES;
                    assert!(last <= self.products.len());
                    let mut half = [simd.splat_f32s(0.0); TILE * WINDOW];
                    for x in 0..WINDOW {
                        let mut column = [simd.splat_f32s(0.0); WINDOW];
                        for (y, value) in column.iter_mut().enumerate() {
                            let offset = first + (y * WINDOW + x) * per_element;
                            // SAFETY: the last of these vectors lies inside, as asserted.
                            #[allow(unsafe_code)]
                            unsafe {
                                let products = self.products.as_ptr().add(offset);
                                *value = products.cast::<S::f32s>().read_unaligned();
                            }
                        }
                        let column = transform_four(simd, column);
                        for y in 0..TILE {
                            half[y * WINDOW + x] = column[y];
                        }
                    }
                    for y in 0..TILE {
                        let mut row = [half[y * WINDOW]; WINDOW];
                        row.copy_from_slice(&half[y * WINDOW..][..WINDOW]);
                        let row = transform_four(simd, row);
                        for x in 0..TILE {
                            store::<S>(&mut block[y * TILE + x], lane, row[x]);
                        }
                    }
                }
                self.sink
                    .store(simd, down * TILE, across * TILE, word, &mut block);
            }
        }
    }
}

/// `A' m` for six values. The coefficients are those of `OUTPUT` in `engine/winograd.rs`.
#[inline(always)]
fn transform_four<S: Simd>(simd: S, m: [S::f32s; WINDOW]) -> [S::f32s; TILE] {
    let add = |a, b| simd.add_f32s(a, b);
    let sub = |a, b| simd.sub_f32s(a, b);
    let fma = |a: f32, b, c| simd.mul_add_e_f32s(simd.splat_f32s(a), b, c);
    let (even, odd) = (add(m[1], m[2]), sub(m[1], m[2]));
    [
        add(add(m[0], even), add(m[3], m[4])),
        fma(-2.0, m[4], fma(0.5, m[3], odd)),
        fma(4.0, m[4], fma(0.25, m[3], even)),
        add(m[5], fma(-8.0, m[4], fma(0.125, m[3], odd))),
    ]
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;
    use crate::engine::winograd::{INPUT, OUTPUT};

    #[test]
    fn transforms_equal_the_matrices() {
        for column in 0..WINDOW {
            let mut unit = [0.0; WINDOW];
            unit[column] = 8.0;
            let expected = INPUT.map(|row| row[column] as f32);
            assert_eq!(transform_six(Scalar::new(), unit), expected);
            let expected = OUTPUT.map(|row| row[column] as f32);
            assert_eq!(transform_four(Scalar::new(), unit), expected);
        }
    }
}
