//! 3x3 convolutions of images, whose few channels a matrix product would not fill: sums of
//! products.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::relu::relu;
use super::tiling::{exists, sample};
use crate::engine::Padding;

/// Most channels that an image may have.
pub(super) const MOST_CHANNELS: usize = 4;

/// Features that one unit of work computes, and gradients that it reads, at once.
pub(super) const LANES: usize = 4;

/// Neighbouring pixels of a row that one unit of work computes.
pub(super) const PIXELS: usize = 4;

/// Features, with bias and ReLU, of an image `[height, width, channels]`. Weights are `[9 taps,
/// channels, features]`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn features<F: Float, N: Size>(
    image: &Tensor<f32>,
    weight: &Tensor<Vector<f32, N>>,
    bias: &Tensor<Vector<F, N>>,
    output: &mut Tensor<Vector<F, N>>,
    height: u32,
    width: u32,
    units: usize,
    #[comptime] channels: usize,
    #[comptime] padding: Padding,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let (rows, columns) = (height as i32, width as i32);
    let width = width as usize;
    let vectors = bias.len();
    let stretches = width.div_ceil(PIXELS);
    let vector = ABSOLUTE_POS % vectors;
    let stretch = ABSOLUTE_POS / vectors;
    let row = stretch / stretches;
    let first = (stretch % stretches) * PIXELS;

    let start = Vector::<f32, N>::cast_from(bias[vector]);
    let mut sums = Array::<Vector<f32, N>>::new(PIXELS);
    #[unroll]
    for pixel in 0..PIXELS {
        sums[pixel] = start;
    }
    for tap in 0..3usize {
        let down = row as i32 + tap as i32 - 1;
        let line = sample(down, rows, padding) as usize * width;
        let mut values = Sequence::<f32>::new();
        #[unroll]
        for x in 0..comptime!(PIXELS + 2) {
            let across = first as i32 + comptime!(x as i32 - 1);
            let at = (line + sample(across, columns, padding) as usize) * channels;
            #[unroll]
            for channel in 0..channels {
                let mut value = image[at + channel];
                if comptime!(padding == Padding::Zero) {
                    let inside = exists(down, rows, padding) && exists(across, columns, padding);
                    value = select(inside, value, 0.0);
                }
                values.push(value);
            }
        }
        #[unroll]
        for x in 0..3usize {
            #[unroll]
            for channel in 0..channels {
                let at = ((tap * 3 + x) * channels + channel) * vectors + vector;
                let filter = weight[at];
                #[unroll]
                for pixel in 0..PIXELS {
                    let value = values[comptime!((pixel + x) * channels + channel)];
                    sums[pixel] = fma(Vector::<f32, N>::new(value), filter, sums[pixel]);
                }
            }
        }
    }
    #[unroll]
    for pixel in 0..PIXELS {
        if first + pixel < width {
            let at = (row * width + first + pixel) * vectors + vector;
            output[at] = Vector::<F, N>::cast_from(relu::<N>(sums[pixel]));
        }
    }
}

/// The gradient at an image from that at its features, of which those count that are not zero.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn image_gradient<F: Float, N: Size>(
    gradient: &Tensor<Vector<F, N>>,
    features: &Tensor<Vector<F, N>>,
    weight: &Tensor<Vector<f32, N>>,
    output: &mut Tensor<f32>,
    height: u32,
    width: u32,
    vectors: usize,
    units: usize,
    #[comptime] channels: usize,
    #[comptime] padding: Padding,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let (rows, columns) = (height as i32, width as i32);
    let row = ABSOLUTE_POS as i32 / columns;
    let column = ABSOLUTE_POS as i32 % columns;
    let zero = Vector::<f32, N>::new(0.0);
    let mut sums = Array::<Vector<f32, N>>::new(channels);
    #[unroll]
    for channel in 0..channels {
        sums[channel] = zero;
    }

    // The pixel itself and the padded positions before and after the axes that show it.
    for vertical in 0..3i32 {
        let seen_row = position(row, vertical, rows);
        if shows(row, vertical, rows, padding) {
            for horizontal in 0..3i32 {
                let seen_column = position(column, horizontal, columns);
                if shows(column, horizontal, columns, padding) {
                    for tap in 0..9i32 {
                        let y = seen_row + 1 - tap / 3;
                        let x = seen_column + 1 - tap % 3;
                        if y >= 0 && y < rows && x >= 0 && x < columns {
                            let pixel = (y * columns + x) as usize * vectors;
                            let taps = tap as usize * channels * vectors;
                            for vector in 0..vectors {
                                let feature = Vector::<f32, N>::cast_from(features[pixel + vector]);
                                let value = Vector::<f32, N>::cast_from(gradient[pixel + vector]);
                                let value = select_many(feature.greater_than(&zero), value, zero);
                                #[unroll]
                                for channel in 0..channels {
                                    let at = taps + channel * vectors + vector;
                                    let filter = weight[at];
                                    sums[channel] = fma(value, filter, sums[channel]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    #[unroll]
    for channel in 0..channels {
        let mut sum = 0.0f32;
        #[unroll]
        for lane in 0..N::value() {
            sum += sums[channel].extract(lane);
        }
        output[ABSOLUTE_POS * channels + channel] = sum;
    }
}

/// The position of an axis that a choice stands for: its own, that before, that after the axis.
#[cube]
fn position(own: i32, choice: i32, length: i32) -> i32 {
    select(choice == 0, own, select(choice == 1, -1, length))
}

/// Whether a sample is seen at the position that a choice stands for.
#[cube]
fn shows(own: i32, choice: i32, length: i32, #[comptime] padding: Padding) -> bool {
    let seen = position(own, choice, length);
    choice == 0 || (exists(seen, length, padding) && sample(seen, length, padding) == own)
}
