//! Responses of a picture to filters, their histograms, and the gradient of their distances from a target.
//!
//! A workgroup computes a block of positions or pixels, and each unit four neighbours of a row.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

pub(super) use crate::engine::gpu::reductions::kernels::UNITS;
use crate::engine::gpu::reductions::kernels::{Fold, combined};
use crate::engine::tables::{BINS, ENTRIES, FILL, FIRST_EDGE, TABLE};

/// Rows and columns of a block.
pub(super) const BLOCK: [usize; 2] = [16, 32];

/// Neighbours in a row that one unit computes.
const ACROSS: usize = BLOCK[0] * BLOCK[1] / UNITS;

/// Units side by side.
const ABREAST: usize = BLOCK[1] / ACROSS;

/// Values in a vector.
pub(super) const LANES: usize = 4;

/// Filters whose responses one unit computes.
pub(super) const FILTERS: usize = 16;

/// Filters whose gradients are in shared memory at once.
pub(super) const AT_ONCE: usize = 4;

/// The longest side of a filter.
pub(super) const LONGEST_SIDE: usize = 7;

/// Most bytes of shared memory: gradients at responses around a block, and a sum for each unit.
pub(super) const SHARED_BYTES: usize =
    4 * (AT_ONCE * (BLOCK[0] + LONGEST_SIDE - 1) * (BLOCK[1] + LONGEST_SIDE - 1) + UNITS);

/// The sizes of a picture: its pixels, and the positions of filters in it.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) rows: u32,
    pub(super) columns: u32,
}

/// The responses `[filters, rows, columns]` of an image `[height, width, channels]`:
///
/// ```text
/// R_f(y, x) = sum over c, v, u of w_f(c, v, u) I_c(y + v, x + u)
/// ```
///
/// Weights are `[filters / 16, channels, side, side, 16]`. Beyond its last row and column the image repeats.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn responses<N: Size>(
    image: &Tensor<f32>,
    weights: &Tensor<Vector<f32, N>>,
    output: &mut Tensor<f32>,
    sizes: &Sizes,
    #[comptime] channels: usize,
    #[comptime] side: usize,
) {
    let (height, width) = (sizes.height as usize, sizes.width as usize);
    let (rows, columns) = (sizes.rows as usize, sizes.columns as usize);
    let unit = UNIT_POS as usize;
    let down = unit / ABREAST;
    let across = (unit % ABREAST) * ACROSS;
    let top = CUBE_POS_Y as usize * comptime!(BLOCK[0]);
    let left = CUBE_POS_X as usize * comptime!(BLOCK[1]);
    let group = CUBE_POS_Z as usize;

    let window_rows = comptime!(BLOCK[0] + side - 1);
    let window_columns = comptime!(BLOCK[1] + side - 1);
    let window = comptime!(window_rows * window_columns);
    let mut pixels = Shared::<[f32]>::new_slice(comptime!(channels * window));
    let mut slot = unit;
    while slot < comptime!(channels * window) {
        let position = slot / channels;
        let row = (top + position / window_columns) % height;
        let column = (left + position % window_columns) % width;
        let pixel = image[(row * width + column) * channels + slot % channels];
        pixels[(slot % channels) * window + position] = pixel;
        slot += UNITS;
    }
    sync_cube();

    let vectors = comptime!(FILTERS / LANES);
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(vectors * ACROSS));
    #[unroll]
    for sum in 0..comptime!(vectors * ACROSS) {
        sums[sum] = Vector::<f32, N>::new(0.0);
    }
    for channel in 0..channels {
        for v in 0..side {
            let line = channel * window + (down + v) * window_columns + across;
            let mut values = Sequence::<f32>::new();
            #[unroll]
            for x in 0..comptime!(side + ACROSS - 1) {
                values.push(pixels[line + x]);
            }
            let taps = ((group * channels + channel) * side + v) * side;
            #[unroll]
            for u in 0..side {
                #[unroll]
                for vector in 0..vectors {
                    let weight = weights[(taps + u) * vectors + vector];
                    #[unroll]
                    for x in 0..ACROSS {
                        let value = Vector::<f32, N>::new(values[comptime!(u + x)]);
                        let sum = comptime!(vector * ACROSS + x);
                        sums[sum] = fma(value, weight, sums[sum]);
                    }
                }
            }
        }
    }

    let row = top + down;
    #[unroll]
    for x in 0..ACROSS {
        let column = left + across + x;
        if row < rows && column < columns {
            #[unroll]
            for vector in 0..vectors {
                let sum = sums[comptime!(vector * ACROSS + x)];
                #[unroll]
                for lane in 0..LANES {
                    let filter = group * FILTERS + comptime!(vector * LANES + lane);
                    output[(filter * rows + row) * columns + column] = sum.extract(lane);
                }
            }
        }
    }
}

/// The smallest and the largest response to each filter, of the part of the positions that a workgroup has:
/// `[filters, parts, 2]`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn ranges(responses: &Tensor<f32>, output: &mut Tensor<f32>, positions: usize) {
    let unit = UNIT_POS as usize;
    let filter = CUBE_POS_Y as usize;
    let step = CUBE_COUNT_X as usize * UNITS;
    let mut position = CUBE_POS_X as usize * UNITS + unit;
    // A unit without a position of its own looks at the last one.
    let first = responses[filter * positions + min(position, positions - 1)];
    let mut own_low = first;
    let mut own_high = first;
    while position < positions {
        let value = responses[filter * positions + position];
        own_low = min(own_low, value);
        own_high = max(own_high, value);
        position += step;
    }
    let low = -combined(-own_low, 1usize, Fold::Largest);
    let high = combined(own_high, 1usize, Fold::Largest);
    if unit == 0 {
        let part = 2 * (filter * CUBE_COUNT_X as usize + CUBE_POS_X as usize);
        output[part] = low;
        output[part + 1] = high;
    }
}

/// Adds the histograms of responses to `counts`, whose rows are those of filters from row `first_row` on. The bits of
/// the smallest and the largest response follow the counts of a row.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn histograms(
    responses: &Tensor<f32>,
    ranges: &Tensor<f32>,
    counts: &mut Tensor<Atomic<u32>>,
    positions: usize,
    first_row: usize,
) {
    let unit = UNIT_POS as usize;
    let filter = CUBE_POS_Y as usize;
    let parts = CUBE_COUNT_X as usize;
    let mut low = ranges[2 * filter * parts];
    let mut high = ranges[2 * filter * parts + 1];
    for part in 1..parts {
        low = min(low, ranges[2 * (filter * parts + part)]);
        high = max(high, ranges[2 * (filter * parts + part) + 1]);
    }
    let scale = FILL / max(high - low, 1e-9f32);

    let bins = Shared::<[Atomic<u32>]>::new_slice(BINS);
    let mut bin = unit;
    while bin < BINS {
        bins[bin].store(0u32);
        bin += UNITS;
    }
    sync_cube();
    let step = parts * UNITS;
    let mut position = CUBE_POS_X as usize * UNITS + unit;
    while position < positions {
        let value = responses[filter * positions + position];
        let place = i32::cast_from((value - low) * scale);
        bins[clamp(place, 0, comptime!(BINS as i32 - 1)) as usize].fetch_add(1u32);
        position += step;
    }
    sync_cube();
    let row = (first_row + filter) * ENTRIES;
    let mut bin = unit;
    while bin < BINS {
        let count = bins[bin].load();
        if count > 0 {
            counts[row + bin].fetch_add(count);
        }
        bin += UNITS;
    }
    if unit == 0 && CUBE_POS_X == 0 {
        counts[row + BINS].store(u32::reinterpret(low));
        counts[row + BINS + 1].store(u32::reinterpret(high));
    }
}

/// The gradient at an image, `[height, width, channels]`, of the distances of its responses from transported ones.
/// After it comes the sum of the distances in each workgroup.
///
/// ```text
/// g_c(y, x) = sum over f, v, u of w_f(c, v, u) d_f(y - v, x - u)
/// ```
///
/// `d` is the gradient at a response: `t / ((|t| + soft s) s)` for a difference `t` from the transported response.
/// Weights are `[filters, side, side, 4]`, with zeros beyond the last channel. With `wraps` positions repeat.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn gradient<N: Size>(
    responses: &Tensor<f32>,
    tables: &Tensor<f32>,
    weights: &Tensor<Vector<f32, N>>,
    output: &mut Tensor<f32>,
    sizes: &Sizes,
    filters: usize,
    soft: f32,
    #[comptime] channels: usize,
    #[comptime] side: usize,
    #[comptime] wraps: bool,
) {
    let (height, width) = (sizes.height as usize, sizes.width as usize);
    let (rows, columns) = (sizes.rows as i32, sizes.columns as i32);
    let positions = (sizes.rows * sizes.columns) as usize;
    let unit = UNIT_POS as usize;
    let down = unit / ABREAST;
    let across = (unit % ABREAST) * ACROSS;
    let top = CUBE_POS_Y as usize * comptime!(BLOCK[0]);
    let left = CUBE_POS_X as usize * comptime!(BLOCK[1]);

    let reach = comptime!(side - 1);
    let window_columns = comptime!(BLOCK[1] + side - 1);
    let window = comptime!((BLOCK[0] + side - 1) * window_columns);
    let mut slopes = Shared::<[f32]>::new_slice(comptime!(AT_ONCE * window));
    let mut sums = Array::<Vector<f32, N>>::new(ACROSS);
    #[unroll]
    for x in 0..ACROSS {
        sums[x] = Vector::<f32, N>::new(0.0);
    }
    let mut distance = 0.0f32;

    let mut first = 0usize;
    while first < filters {
        let mut slot = unit;
        while slot < comptime!(AT_ONCE * window) {
            let filter = first + slot / window;
            let window_row = (slot % window) / window_columns;
            let window_column = slot % window_columns;
            let mut y = (top + window_row) as i32 - comptime!(reach as i32);
            let mut x = (left + window_column) as i32 - comptime!(reach as i32);
            let own = window_row >= reach && window_column >= reach && y < rows && x < columns;
            if comptime!(wraps) {
                y = (y % rows + rows) % rows;
                x = (x % columns + columns) % columns;
            }
            let mut slope = 0.0f32;
            if y >= 0 && y < rows && x >= 0 && x < columns {
                let value = responses[filter * positions + (y * columns + x) as usize];
                let table = filter * TABLE;
                let place = (value - tables[table]) * tables[table + 1];
                let place = clamp(place, 0.0f32, comptime!(BINS as f32));
                let bin = min(u32::cast_from(place), comptime!(BINS as u32 - 1));
                let edge = table + FIRST_EDGE + bin as usize;
                let inside = place - f32::cast_from(bin);
                let below = tables[edge];
                let difference = value - (below + inside * (tables[edge + 1] - below));
                let s = tables[table + 2];
                slope = difference / ((difference.abs() + soft * s) * s);
                if own {
                    distance += difference.abs() / s;
                }
            }
            slopes[slot] = slope;
            slot += UNITS;
        }
        sync_cube();
        for filter in 0..AT_ONCE {
            for v in 0..side {
                let line = filter * window + (down + reach - v) * window_columns + across;
                let mut values = Sequence::<f32>::new();
                #[unroll]
                for x in 0..comptime!(side + ACROSS - 1) {
                    values.push(slopes[line + x]);
                }
                let taps = ((first + filter) * side + v) * side;
                #[unroll]
                for u in 0..side {
                    let weight = weights[taps + u];
                    #[unroll]
                    for x in 0..ACROSS {
                        let value = Vector::<f32, N>::new(values[comptime!(x + side - 1 - u)]);
                        sums[x] = fma(value, weight, sums[x]);
                    }
                }
            }
        }
        sync_cube();
        first += AT_ONCE;
    }

    let row = top + down;
    #[unroll]
    for x in 0..ACROSS {
        let column = left + across + x;
        if row < height && column < width {
            #[unroll]
            for channel in 0..channels {
                output[(row * width + column) * channels + channel] = sums[x].extract(channel);
            }
        }
    }
    let distance = combined(distance, 1usize, Fold::Sum);
    if unit == 0 {
        let cube = CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize;
        output[height * width * channels + cube] = distance;
    }
}
