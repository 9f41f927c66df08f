//! The three transforms of F(4x4, 3x3), on filters, input tiles and products.

use pulp::{Simd, WithSimd};

use super::{ELEMENTS, Grid, WINDOW};
use crate::engine::cpu::epilogue::WORD;
use crate::engine::cpu::shared::Shared;
use crate::engine::cpu::sink::{Block, Sink, TILE};
use crate::engine::cpu::source::{Source, View, vector};

/// `G g G'` of a filter in rows.
pub(super) fn transform_filter(filter: &[f32; 9]) -> [f32; ELEMENTS] {
    // In f64, since it happens once for each network and its error would stay in every result.
    let column = |g: [f64; 3]| {
        let (sum, odd) = (g[0] + g[2], g[1]);
        let (wide, wide_odd) = (g[0] + 4.0 * g[2], 2.0 * g[1]);
        [
            g[0] / 4.0,
            -(sum + odd) / 6.0,
            -(sum - odd) / 6.0,
            (wide + wide_odd) / 24.0,
            (wide - wide_odd) / 24.0,
            g[2],
        ]
    };
    let g = filter.map(f64::from);
    let columns: [[f64; 6]; 3] = std::array::from_fn(|x| column([g[x], g[3 + x], g[6 + x]]));
    let mut out = [0.0; ELEMENTS];
    for y in 0..WINDOW {
        let row = column([columns[0][y], columns[1][y], columns[2][y]]);
        for x in 0..WINDOW {
            out[y * WINDOW + x] = row[x] as f32;
        }
    }
    out
}

/// Transforms the tiles `first .. first + tiles` of a source.
pub(super) struct TransformInput<'a, T> {
    /// Checked.
    pub(super) source: &'a T,
    pub(super) grid: &'a Grid,
    pub(super) first: usize,
    pub(super) tiles: usize,
    /// `[element][tile of the block][stride]`.
    pub(super) transformed: &'a Shared<'a, f32>,
    pub(super) stride: usize,
    /// Tiles of the block, and the number of its first one.
    pub(super) block: (usize, usize),
}

/// Channels that are transformed along rows before they are along columns: their 36 elements stay
/// in the first cache.
const STRETCH: usize = 8 * WORD;

impl<T: Source> WithSimd for TransformInput<'_, T> {
    type Output = ();

    // Loops instead of closures: a closure that is not inlined does not know the instructions that
    // this function may use.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let view = self.source.view();
        let (in_block, block_first) = self.block;
        let mut half = [[0.0f32; STRETCH]; ELEMENTS];
        for tile in self.first..self.first + self.tiles {
            let (down, across) = (tile / self.grid.across, tile % self.grid.across);
            // SAFETY: the source was checked, and these are pixels that its axes show.
            #[allow(unsafe_code)]
            let mut places = unsafe { [self.source.place(None, None); ELEMENTS] };
            for y in 0..WINDOW {
                for x in 0..WINDOW {
                    let row = View::pixel(view.rows, down * TILE + y);
                    let column = View::pixel(view.columns, across * TILE + x);
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    unsafe {
                        places[y * WINDOW + x] = self.source.place(row, column);
                    }
                }
            }
            let start = (tile - block_first) * self.stride;
            for stretch in (0..view.channels).step_by(STRETCH) {
                let length = STRETCH.min(view.channels - stretch);
                for lane in (0..length).step_by(S::F32_LANES) {
                    for y in 0..WINDOW {
                        let mut row = [simd.splat_f32s(0.0); WINDOW];
                        for x in 0..WINDOW {
                            // SAFETY: channels are a multiple of a vector's lanes.
                            #[allow(unsafe_code)]
                            unsafe {
                                let place = places[y * WINDOW + x];
                                row[x] = self.source.load(simd, place, stretch + lane);
                            }
                        }
                        let row = transform_six(simd, row);
                        for x in 0..WINDOW {
                            store::<S>(&mut half[y * WINDOW + x], lane, row[x]);
                        }
                    }
                }
                // Column by column, and all channels of one before the next: each element of the
                // result lies in a page of its own, and there are more than a core can keep track
                // of while it stores.
                for x in 0..WINDOW {
                    let mut targets: [&mut [f32]; WINDOW] = Default::default();
                    for (y, target) in targets.iter_mut().enumerate() {
                        let element = y * WINDOW + x;
                        let place = element * in_block * self.stride + start + stretch;
                        // SAFETY: each tile owns its places.
                        #[allow(unsafe_code)]
                        unsafe {
                            *target = self.transformed.part(place, length);
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

/// `B' d` of six values.
#[inline(always)]
fn transform_six<S: Simd>(simd: S, d: [S::f32s; WINDOW]) -> [S::f32s; WINDOW] {
    let add = |a, b| simd.add_f32s(a, b);
    let sub = |a, b| simd.sub_f32s(a, b);
    let two = simd.splat_f32s(2.0);
    let four = simd.splat_f32s(4.0);
    let minus_four = simd.splat_f32s(-4.0);
    let minus_five = simd.splat_f32s(-5.0);
    let fma = |a, b, c| simd.mul_add_e_f32s(a, b, c);
    let even = fma(minus_four, d[2], d[4]);
    let odd = fma(minus_four, d[1], d[3]);
    let near = sub(d[4], d[2]);
    let far = sub(d[3], d[1]);
    [
        fma(four, d[0], fma(minus_five, d[2], d[4])),
        add(even, odd),
        sub(even, odd),
        fma(two, far, near),
        sub(near, simd.mul_f32s(two, far)),
        fma(four, d[1], fma(minus_five, d[3], d[5])),
    ]
}

/// Transforms the products of the tiles `first .. first + tiles` back, and hands them on.
pub(super) struct TransformOutput<'a, T> {
    pub(super) sink: &'a T,
    pub(super) grid: &'a Grid,
    pub(super) first: usize,
    pub(super) tiles: usize,
    /// `[element][panel][tile of the block][width of a panel]`, of some panels.
    pub(super) products: &'a [f32],
    pub(super) panels: usize,
    pub(super) width: usize,
    /// Floats from the products of one element and panel to the next.
    pub(super) product: usize,
    /// The channels that the products hold, in words.
    pub(super) words: std::ops::Range<usize>,
    /// Tiles of the block, and the number of its first one.
    pub(super) block: (usize, usize),
}

impl<T: Sink> WithSimd for TransformOutput<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (_, block_first) = self.block;
        let per_element = self.panels * self.product;
        // Outside of the loops, since every value is written before it is read.
        let mut block: Block = [[0.0; WORD]; TILE * TILE];
        for tile in self.first..self.first + self.tiles {
            let (down, across) = (tile / self.grid.across, tile % self.grid.across);
            let start = (tile - block_first) * self.width;
            for (nth, word) in self.words.clone().enumerate() {
                for lane in (0..WORD).step_by(S::F32_LANES) {
                    let channel = nth * WORD + lane;
                    let place = channel / self.width * self.product + start + channel % self.width;
                    let last = place + (ELEMENTS - 1) * per_element + S::F32_LANES;
                    assert!(last <= self.products.len());
                    let mut half = [simd.splat_f32s(0.0); TILE * WINDOW];
                    for x in 0..WINDOW {
                        let mut column = [simd.splat_f32s(0.0); WINDOW];
                        for (y, value) in column.iter_mut().enumerate() {
                            let place = place + (y * WINDOW + x) * per_element;
                            // SAFETY: the last of these vectors is inside, as asserted.
                            #[allow(unsafe_code)]
                            unsafe {
                                let products = self.products.as_ptr().add(place);
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
                    .take(simd, down * TILE, across * TILE, word, &mut block);
            }
        }
    }
}

/// `A' m` of six values.
#[inline(always)]
fn transform_four<S: Simd>(simd: S, m: [S::f32s; WINDOW]) -> [S::f32s; TILE] {
    let add = |a, b| simd.add_f32s(a, b);
    let sub = |a, b| simd.sub_f32s(a, b);
    let fma = |a: f32, b, c| simd.mul_add_e_f32s(simd.splat_f32s(a), b, c);
    let (near, near_odd) = (add(m[1], m[2]), sub(m[1], m[2]));
    let (far, far_odd) = (add(m[3], m[4]), sub(m[3], m[4]));
    [
        add(m[0], add(near, far)),
        fma(2.0, far_odd, near_odd),
        fma(4.0, far, near),
        add(m[5], fma(8.0, far_odd, near_odd)),
    ]
}
