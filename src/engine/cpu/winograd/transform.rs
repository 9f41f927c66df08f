//! The transforms of input tiles and of products.

use pulp::{Simd, WithSimd};

use super::Grid;
use crate::engine::cpu::epilogue::WORD;
use crate::engine::cpu::shared::Shared;
use crate::engine::cpu::sink::{Block, Sink};
use crate::engine::cpu::source::{Source, View, vector};
use crate::engine::winograd::{ELEMENTS, TILE, WINDOW};

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

/// `B' d` of six values: the rows of [`INPUT`](crate::engine::winograd::INPUT).
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

/// `A' m` of six values: the rows of [`OUTPUT`](crate::engine::winograd::OUTPUT).
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
    fn transforms_are_those_of_the_matrices() {
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
