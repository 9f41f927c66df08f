//! Convolution 3x3 with stride 1 by Winograd's minimal filtering F(4x4, 3x3).
//!
//! An output tile of 4x4 pixels needs an input tile of 6x6. With the matrices `A`, `B`, `G` of
//! Lavin and Gray ("Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4.3)
//!
//! ```text
//! Y = A' [ (G g G') . (B' d B) ] A          g filter 3x3, d input tile 6x6, Y output tile 4x4
//! ```
//!
//! where `.` multiplies element by element. Over all channels each of the 36 elements is a matrix
//! product `[tiles, channels in] * [channels in, channels out]`, so the work is 36 products for
//! 144 multiplications of the direct form: four times less.
//!
//! The gradient with respect to the input is the same kernel with each filter turned by 180
//! degrees and its channels exchanged.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::buffers::Buffers;
use super::epilogue::{Epilogue, WORD};
use super::product::{Matrix, multiply};
use super::shared::Shared;
use super::view::View;
use crate::kernels::padding::ZERO;

/// Elements of an input tile.
const ELEMENTS: usize = 36;
/// Side of an output tile.
const TILE: usize = 4;
/// Side of an input tile.
const WINDOW: usize = 6;

/// Transformed tiles and products of one block, in floats, that stay in a core's own cache
/// (half of 2 MiB: the weights stream through the rest).
const BLOCK_BUDGET: usize = 384 * 1024;
/// Fewest tiles for which a product still amortises the reading of its weights.
const FEWEST_TILES: usize = 16;
/// Most tiles of a block: beyond it a product gains nothing.
const MOST_TILES: usize = 128;

/// A set of 3x3 filters in transformed form.
pub(super) struct Winograd {
    channels_in: usize,
    channels_out: usize,
    /// `[element][channel in][channel out]`.
    weights: Vec<f32>,
}

impl Winograd {
    /// Whether channels fill whole vectors on every instruction set.
    pub(super) fn suits(channels_in: usize, channels_out: usize) -> bool {
        channels_in.is_multiple_of(WORD) && channels_out.is_multiple_of(WORD)
    }

    /// Transforms filters; `filter(input, output)` yields the nine values of one, in rows.
    pub(super) fn new(
        channels_in: usize,
        channels_out: usize,
        filter: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Self {
        let mut weights = vec![0.0; ELEMENTS * channels_in * channels_out];
        let shared = Shared::new(&mut weights);
        (0..channels_in).into_par_iter().for_each(|input| {
            for output in 0..channels_out {
                let transformed = transform_filter(&filter(input, output));
                for (element, value) in transformed.into_iter().enumerate() {
                    let place = (element * channels_in + input) * channels_out + output;
                    // SAFETY: each (element, input, output) is written once.
                    #[allow(unsafe_code)]
                    unsafe {
                        shared.part(place, 1)[0] = value;
                    }
                }
            }
        });
        Self {
            channels_in,
            channels_out,
            weights,
        }
    }

    /// Filters `view` into `output`, `[height, width, channels out]`.
    pub(super) fn correlate(
        &self,
        view: &View<'_>,
        (height, width): (usize, usize),
        epilogue: &Epilogue<'_>,
        output: &mut [f32],
        buffers: &Buffers,
    ) {
        assert_eq!(view.channels, self.channels_in);
        assert_eq!(output.len(), height * width * self.channels_out);
        let grid = Grid {
            across: width.div_ceil(TILE),
            tiles: height.div_ceil(TILE) * width.div_ceil(TILE),
            height,
            width,
        };
        let output = Shared::new(output);
        let per_tile = ELEMENTS * (self.channels_in + self.channels_out);
        let threads = rayon::current_num_threads();
        let most = (BLOCK_BUDGET / per_tile).clamp(FEWEST_TILES, MOST_TILES);
        if grid.tiles >= threads * FEWEST_TILES {
            // Each thread takes its own blocks of tiles; all of them about equally large.
            let blocks = grid.tiles.div_ceil(most).next_multiple_of(threads);
            let block = grid.tiles.div_ceil(blocks);
            (0..grid.tiles.div_ceil(block))
                .into_par_iter()
                .for_each(|number| {
                    let first = number * block;
                    let tiles = block.min(grid.tiles - first);
                    let mut scratch = buffers.take(tiles * per_tile);
                    let (transformed, products) =
                        scratch.split_at_mut(ELEMENTS * tiles * self.channels_in);
                    self.transform(view, &grid, first, tiles, transformed);
                    for element in 0..ELEMENTS {
                        self.multiply(element, tiles, transformed, products);
                    }
                    self.finish(&grid, first, tiles, products, epilogue, &output);
                    buffers.give(scratch);
                });
        } else {
            // Too few tiles to share out: the threads share the 36 products instead.
            let mut scratch = buffers.take(grid.tiles * per_tile);
            let (transformed, products) =
                scratch.split_at_mut(ELEMENTS * grid.tiles * self.channels_in);
            self.transform(view, &grid, 0, grid.tiles, transformed);
            let transformed = &*transformed;
            products
                .par_chunks_mut(grid.tiles * self.channels_out)
                .take(ELEMENTS)
                .enumerate()
                .for_each(|(element, product)| {
                    self.multiply_one(element, grid.tiles, transformed, product);
                });
            self.finish(&grid, 0, grid.tiles, products, epilogue, &output);
            buffers.give(scratch);
        }
    }

    fn multiply(&self, element: usize, tiles: usize, transformed: &[f32], products: &mut [f32]) {
        let length = tiles * self.channels_out;
        self.multiply_one(
            element,
            tiles,
            transformed,
            &mut products[element * length..][..length],
        );
    }

    fn multiply_one(&self, element: usize, tiles: usize, transformed: &[f32], product: &mut [f32]) {
        let length = tiles * self.channels_in;
        let weights = self.channels_in * self.channels_out;
        multiply(
            (tiles, self.channels_in, self.channels_out),
            Matrix::rows(&transformed[element * length..][..length], self.channels_in),
            Matrix::rows(
                &self.weights[element * weights..][..weights],
                self.channels_out,
            ),
            product,
        );
    }

    fn transform(
        &self,
        view: &View<'_>,
        grid: &Grid,
        first: usize,
        tiles: usize,
        transformed: &mut [f32],
    ) {
        Arch::new().dispatch(TransformInput {
            view,
            grid,
            first,
            tiles,
            transformed,
        });
    }

    fn finish(
        &self,
        grid: &Grid,
        first: usize,
        tiles: usize,
        products: &[f32],
        epilogue: &Epilogue<'_>,
        output: &Shared<'_, f32>,
    ) {
        Arch::new().dispatch(TransformOutput {
            grid,
            first,
            tiles,
            channels: self.channels_out,
            products,
            epilogue,
            output,
        });
    }
}

/// The output cut into tiles, counted in rows; those at the right and bottom edge may stick out.
struct Grid {
    across: usize,
    tiles: usize,
    height: usize,
    width: usize,
}

/// `G g G'` of a filter in rows.
fn transform_filter(filter: &[f32; 9]) -> [f32; ELEMENTS] {
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

struct TransformInput<'a> {
    view: &'a View<'a>,
    grid: &'a Grid,
    first: usize,
    tiles: usize,
    transformed: &'a mut [f32],
}

impl WithSimd for TransformInput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            view,
            grid,
            first,
            tiles,
            transformed,
        } = self;
        let channels = view.channels;
        let zero = simd.splat_f32s(0.0);
        let source = |sources: &[i32], position: usize| {
            // Tiles that stick out of the output read beyond the padded input.
            sources.get(position).copied().unwrap_or(ZERO)
        };
        for tile in 0..tiles {
            let (down, across) = ((first + tile) / grid.across, (first + tile) % grid.across);
            let rows: [i32; WINDOW] = std::array::from_fn(|i| source(view.rows, down * TILE + i));
            let columns: [i32; WINDOW] =
                std::array::from_fn(|i| source(view.columns, across * TILE + i));
            let mut offsets = [usize::MAX; ELEMENTS];
            for (y, &row) in rows.iter().enumerate() {
                for (x, &column) in columns.iter().enumerate() {
                    if row != ZERO && column != ZERO {
                        offsets[y * WINDOW + x] =
                            (row as usize * view.width + column as usize) * channels;
                    }
                }
            }
            for channel in (0..channels).step_by(S::F32_LANES) {
                let mut d = [zero; ELEMENTS];
                for (value, &offset) in d.iter_mut().zip(&offsets) {
                    if offset != usize::MAX {
                        *value = load::<S>(&view.data[offset + channel..]);
                    }
                }
                for y in 0..WINDOW {
                    let row = std::array::from_fn(|x| d[y * WINDOW + x]);
                    let row = transform_six(simd, row);
                    d[y * WINDOW..][..WINDOW].copy_from_slice(&row);
                }
                for x in 0..WINDOW {
                    let column = std::array::from_fn(|y| d[y * WINDOW + x]);
                    let column = transform_six(simd, column);
                    for (y, value) in column.into_iter().enumerate() {
                        let element = y * WINDOW + x;
                        let place = (element * tiles + tile) * channels + channel;
                        store::<S>(&mut transformed[place..], value);
                    }
                }
            }
        }
    }
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

struct TransformOutput<'a> {
    grid: &'a Grid,
    first: usize,
    tiles: usize,
    channels: usize,
    products: &'a [f32],
    epilogue: &'a Epilogue<'a>,
    output: &'a Shared<'a, f32>,
}

impl WithSimd for TransformOutput<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            grid,
            first,
            tiles,
            channels,
            products,
            epilogue,
            output,
        } = self;
        for tile in 0..tiles {
            let (down, across) = ((first + tile) / grid.across, (first + tile) % grid.across);
            let height = TILE.min(grid.height - down * TILE);
            let width = TILE.min(grid.width - across * TILE);
            let pixel = |y: usize, x: usize| (down * TILE + y) * grid.width + across * TILE + x;
            for channel in (0..channels).step_by(S::F32_LANES) {
                let m: [S::f32s; ELEMENTS] = std::array::from_fn(|element| {
                    load::<S>(&products[(element * tiles + tile) * channels + channel..])
                });
                let mut half = [m[0]; TILE * WINDOW];
                for x in 0..WINDOW {
                    let column = transform_four(simd, std::array::from_fn(|y| m[y * WINDOW + x]));
                    for y in 0..TILE {
                        half[y * WINDOW + x] = column[y];
                    }
                }
                for y in 0..height {
                    let row = transform_four(simd, std::array::from_fn(|x| half[y * WINDOW + x]));
                    // SAFETY: the pixels of a tile belong to it alone.
                    #[allow(unsafe_code)]
                    let target = unsafe { output.part(pixel(y, 0) * channels, width * channels) };
                    for x in 0..width {
                        store::<S>(&mut target[x * channels + channel..], row[x]);
                    }
                }
            }
            for y in 0..height {
                for x in 0..width {
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    let values = unsafe { output.part(pixel(y, x) * channels, channels) };
                    epilogue.apply(pixel(y, x), values);
                }
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

#[inline(always)]
fn load<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}

#[inline(always)]
fn store<S: Simd>(values: &mut [f32], value: S::f32s) {
    S::as_mut_simd_f32s(&mut values[..S::F32_LANES]).0[0] = value;
}
