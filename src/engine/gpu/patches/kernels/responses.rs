//! Responses of a picture to filters.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::{ABREAST, ACROSS, BLOCK, FILTERS, LANES, Sizes, UNITS};

/// The responses `[filters, rows, columns]` of an image `[height, width, channels]`:
///
/// ```text
/// R_f(y, x) = sum over c, v, u of w_f(c, v, u) I_c(y + v, x + u)
/// ```
///
/// Weights are `[filters / 16, channels, side, side, 16]`. Beyond its last row and column the image repeats.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn filter_responses<N: Size>(
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
