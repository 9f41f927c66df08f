//! The input transform and the output transform.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::Grid;
use super::filtering::{Filtering, LARGEST_TILE, LARGEST_WINDOW};
use crate::engine::cpu::disjoint_slice::DisjointSlice;
use crate::engine::cpu::epilogue::WORD;
use crate::engine::cpu::sink::Sink;
use crate::engine::cpu::source::{PaddedView, Source, vector};

/// Transforms the input tiles `first .. first + tiles`: `B' d B`.
pub(super) struct TransformInput<'a, F, T> {
    pub(super) filtering: PhantomData<F>,
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

/// Channels that are transformed along rows and then along columns. All elements of these stay in the
/// L1 cache.
const CHANNEL_BLOCK: usize = 4 * WORD;

impl<F: Filtering, T: Source> WithSimd for TransformInput<'_, F, T> {
    type Output = ();

    // Loops instead of closures: a closure that is not inlined would be compiled without the SIMD
    // instructions that are enabled here.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let view = self.source.view();
        let (in_block, block_first) = self.block;
        // Outside of the loops, because every value is written before it is read.
        let mut half = [[0.0_f32; CHANNEL_BLOCK]; LARGEST_WINDOW * LARGEST_WINDOW];
        // SAFETY: the source was checked, and zeros are always valid.
        #[allow(unsafe_code)]
        let mut pixels =
            unsafe { [self.source.pixel(None, None); LARGEST_WINDOW * LARGEST_WINDOW] };
        let mut columns = [None; LARGEST_WINDOW];
        for tile in self.first..self.first + self.tiles {
            let (down, across) = (tile / self.grid.across, tile % self.grid.across);
            for (x, column) in columns.iter_mut().take(F::WINDOW).enumerate() {
                *column = PaddedView::source(view.columns, across * F::TILE + x);
            }
            for y in 0..F::WINDOW {
                let row = PaddedView::source(view.rows, down * F::TILE + y);
                for x in 0..F::WINDOW {
                    // SAFETY: the source was checked, and both indices come from its axes.
                    #[allow(unsafe_code)]
                    unsafe {
                        pixels[y * F::WINDOW + x] = self.source.pixel(row, columns[x]);
                    }
                }
            }
            let start = (tile - block_first) * self.stride;
            for channel in (0..view.channels).step_by(CHANNEL_BLOCK) {
                let length = CHANNEL_BLOCK.min(view.channels - channel);
                for lane in (0..length).step_by(S::F32_LANES) {
                    for y in 0..F::WINDOW {
                        let mut row = [simd.splat_f32s(0.0); LARGEST_WINDOW];
                        for x in 0..F::WINDOW {
                            // SAFETY: the number of channels is a multiple of the SIMD lanes.
                            #[allow(unsafe_code)]
                            unsafe {
                                let pixel = pixels[y * F::WINDOW + x];
                                row[x] = self.source.load(simd, pixel, channel + lane);
                                // The next tile shares all but these columns.
                                if x >= F::WINDOW - F::TILE {
                                    self.source.prefetch(pixel, F::TILE, channel + lane);
                                }
                            }
                        }
                        let row = F::input(simd, row);
                        for x in 0..F::WINDOW {
                            store::<S>(&mut half[y * F::WINDOW + x], lane, row[x]);
                        }
                    }
                }
                // Column by column, with all channels of a column before the next one. Each element
                // of a tile lies in its own memory page, and storing to all of them at once would
                // miss the TLB.
                for x in 0..F::WINDOW {
                    let mut targets: [&mut [f32]; LARGEST_WINDOW] = Default::default();
                    for (y, target) in targets.iter_mut().take(F::WINDOW).enumerate() {
                        let element = y * F::WINDOW + x;
                        let first = element * in_block * self.stride + start + channel;
                        // SAFETY: each tile has its own part of `transformed`.
                        #[allow(unsafe_code)]
                        unsafe {
                            *target = self.transformed.part(first, length);
                        }
                    }
                    for lane in (0..length).step_by(S::F32_LANES) {
                        let mut column = [simd.splat_f32s(0.0); LARGEST_WINDOW];
                        for y in 0..F::WINDOW {
                            column[y] = load::<S>(&half[y * F::WINDOW + x], lane);
                        }
                        let column = F::input(simd, column);
                        for y in 0..F::WINDOW {
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

/// Transforms the products of the tiles `first .. first + tiles` to outputs, `A' m A`, and stores them.
pub(super) struct TransformOutput<'a, F, T> {
    pub(super) filtering: PhantomData<F>,
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

impl<F: Filtering, T: Sink> WithSimd for TransformOutput<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (_, block_first) = self.block;
        let per_element = self.panels * self.product_stride;
        // Outside of the loops, because every value is written before it is read.
        let mut half = [simd.splat_f32s(0.0); LARGEST_TILE * LARGEST_WINDOW];
        let mut block = [[0.0; WORD]; LARGEST_TILE * LARGEST_TILE];
        for tile in self.first..self.first + self.tiles {
            let (down, across) = (tile / self.grid.across, tile % self.grid.across);
            let start = (tile - block_first) * self.width;
            for (index, word) in self.words.clone().enumerate() {
                for lane in (0..WORD).step_by(S::F32_LANES) {
                    let channel = index * WORD + lane;
                    let first =
                        channel / self.width * self.product_stride + start + channel % self.width;
                    let last = first + (F::ELEMENTS - 1) * per_element + S::F32_LANES;
                    assert!(last <= self.products.len());
                    for x in 0..F::WINDOW {
                        let mut column = [simd.splat_f32s(0.0); LARGEST_WINDOW];
                        for (y, value) in column.iter_mut().take(F::WINDOW).enumerate() {
                            let offset = first + (y * F::WINDOW + x) * per_element;
                            // SAFETY: the last of these vectors lies inside, as asserted.
                            #[allow(unsafe_code)]
                            unsafe {
                                let products = self.products.as_ptr().add(offset);
                                *value = products.cast::<S::f32s>().read_unaligned();
                            }
                        }
                        let column = F::output(simd, column);
                        for y in 0..F::TILE {
                            half[y * F::WINDOW + x] = column[y];
                        }
                    }
                    for y in 0..F::TILE {
                        let mut row = [simd.splat_f32s(0.0); LARGEST_WINDOW];
                        row[..F::WINDOW].copy_from_slice(&half[y * F::WINDOW..][..F::WINDOW]);
                        let row = F::output(simd, row);
                        for x in 0..F::TILE {
                            store::<S>(&mut block[y * F::TILE + x], lane, row[x]);
                        }
                    }
                }
                let block = &mut block[..F::TILE * F::TILE];
                self.sink
                    .store::<S, F>(simd, (down * F::TILE, across * F::TILE), word, block);
            }
        }
    }
}
