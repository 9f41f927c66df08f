//! The gradient at a picture of its responses' distances.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::{
    ABREAST, ACROSS, AT_ONCE, BLOCK, CONTENT_DEVIATION, CONTENT_MEAN, CONTOUR, CONTOUR_FACTOR,
    CONTOUR_SHARE, FACTOR, FIRST_EDGE, LOW, OUTSIDE, SCALE, SHARE, SOFT, STYLE_DEVIATION,
    STYLE_MEAN, Sizes, TABLE, UNITS,
};
use crate::engine::gpu::reductions::kernels::{Fold, combined};
use crate::engine::tables::{BANK, BINS};

/// What responses are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine::gpu::patches) enum Compared {
    /// Where they are transported to.
    Transported,
    /// Where those of their class are transported to.
    TransportedByClass,
    /// The responses of a content picture at the same positions.
    WithContent,
}

/// The gradient at a response, and its distance.
#[derive(CubeType)]
struct Slope {
    slope: f32,
    distance: f32,
}

/// Of the difference `t` of a response from where its table transports it to: `t / (|t| + soft s)` and `|t|`, times their
/// factors.
#[cube]
fn from_transported(value: f32, tables: &Tensor<f32>, table: usize) -> Slope {
    let place = (value - tables[table + LOW]) * tables[table + SCALE];
    let place = clamp(place, 0.0f32, comptime!(BINS as f32));
    let bin = min(u32::cast_from(place), comptime!(BINS as u32 - 1));
    let edge = table + FIRST_EDGE + bin as usize;
    let inside = place - f32::cast_from(bin);
    let below = tables[edge];
    let difference = value - (below + inside * (tables[edge + 1] - below));
    let magnitude = difference.abs();
    Slope {
        slope: difference / (magnitude + tables[table + SOFT]) * tables[table + FACTOR],
        distance: magnitude * tables[table + SHARE],
    }
}

/// Of the standardised response `z` of the content and the response of the picture, standardised by the style's moments:
/// `w(z) d / (1 + |d|)` and `w(z) (|d| - ln(1 + |d|))` with the difference `d` and `w(z) = z^2 / (z^2 + 1)`, times their
/// factors. Outside of the content's mask both are 0.
#[cube]
fn from_content(value: f32, content: f32, tables: &Tensor<f32>, table: usize) -> Slope {
    let z = (content - tables[table + CONTENT_MEAN]) / tables[table + CONTENT_DEVIATION];
    let weight = z * z / (z * z + 1.0);
    let deviation = tables[table + STYLE_DEVIATION];
    let difference = (value - tables[table + STYLE_MEAN]) / deviation - z;
    let magnitude = difference.abs();
    let slope = weight * difference / ((magnitude + 1.0) * deviation);
    let distance = weight * (magnitude - (magnitude + 1.0).ln());
    let is_inside = content < OUTSIDE;
    Slope {
        slope: select(is_inside, slope * tables[table + CONTOUR_FACTOR], 0.0f32),
        distance: select(is_inside, distance * tables[table + CONTOUR_SHARE], 0.0f32),
    }
}

/// The gradient at an image, `[height, width, channels]`, of the distances of its responses. After it comes the sum of the
/// distances in each workgroup.
///
/// ```text
/// g_c(y, x) = sum over f, v, u of w_f(c, v, u) d_f(y - v, x - u)
/// ```
///
/// `d` is the gradient at a response. `others` are the classes of positions, `[banks, rows, columns]` from bank `first_bank`
/// on, or the responses of the content. They are not read where there are no classes. Weights are
/// `[filters, side, side, 4]`, with zeros beyond the last channel. With `wraps` positions repeat.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn response_gradient<N: Size>(
    responses: &Tensor<f32>,
    others: &Tensor<f32>,
    tables: &Tensor<f32>,
    weights: &Tensor<Vector<f32, N>>,
    output: &mut Tensor<f32>,
    sizes: &Sizes,
    filters: usize,
    first_bank: usize,
    #[comptime] compared: Compared,
    #[comptime] classes: usize,
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
                let position = (y * columns + x) as usize;
                let value = responses[filter * positions + position];
                let found = if comptime!(compared == Compared::WithContent) {
                    let content = others[filter * positions + position];
                    from_content(value, content, tables, filter * CONTOUR)
                } else if comptime!(compared == Compared::TransportedByClass) {
                    let class = others[(first_bank + filter / BANK) * positions + position];
                    let table = filter * classes + u32::cast_from(class) as usize;
                    from_transported(value, tables, table * TABLE)
                } else {
                    from_transported(value, tables, filter * TABLE)
                };
                slope = found.slope;
                if own {
                    distance += found.distance;
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
