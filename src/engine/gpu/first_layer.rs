//! Direct 3x3 convolution for the first layer. An image has too few channels for a matrix product.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::relu::relu;
use super::tiling::{exists, sample};
use crate::engine::Padding;

/// Most channels that an image may have.
pub(super) const MOST_CHANNELS: usize = 4;

/// Features in a vector.
pub(super) const LANES: usize = 4;

/// Neighbouring pixels of a row that one unit computes.
pub(super) const PIXELS: usize = 4;

/// The features of an image `[height, width, channels]`: convolution, bias and ReLU. Weights are
/// `[9 taps, channels, features]`.
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
    let runs = width.div_ceil(PIXELS);
    let vector = ABSOLUTE_POS % vectors;
    let run = ABSOLUTE_POS / vectors;
    let row = run / runs;
    let first = (run % runs) * PIXELS;

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
            let index = (line + sample(across, columns, padding) as usize) * channels;
            #[unroll]
            for channel in 0..channels {
                let mut value = image[index + channel];
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
                let index = ((tap * 3 + x) * channels + channel) * vectors + vector;
                let filter = weight[index];
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
            let index = (row * width + first + pixel) * vectors + vector;
            output[index] = Vector::<F, N>::cast_from(relu::<N>(sums[pixel]));
        }
    }
}

/// Rows and columns of the block of pixels whose gradient a workgroup computes, a pixel for each unit.
pub(super) const BLOCK: [usize; 2] = [8, 16];

/// Units of a workgroup.
pub(super) const UNITS: usize = BLOCK[0] * BLOCK[1];

/// Rows and columns of features that reach into the block.
const REACH: [usize; 2] = [BLOCK[0] + 2, BLOCK[1] + 2];

/// Vectors of features that are in shared memory at once.
const AT_ONCE: usize = 2;

/// Features in shared memory, in vectors.
const SHARED: usize = AT_ONCE * REACH[0] * REACH[1];

/// The gradient before the ReLU, which passes gradients where features are positive.
#[cube]
fn before_relu<F: Float, N: Size>(
    gradient: &Tensor<Vector<F, N>>,
    features: &Tensor<Vector<F, N>>,
    index: usize,
) -> Vector<f32, N> {
    let zero = Vector::<f32, N>::new(0.0);
    let feature = Vector::<f32, N>::cast_from(features[index]);
    let value = Vector::<f32, N>::cast_from(gradient[index]);
    select_many(feature.greater_than(&zero), value, zero)
}

/// The image gradient from the gradient at the features.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn image_gradient<F: Float, N: Size>(
    gradient: &Tensor<Vector<F, N>>,
    features: &Tensor<Vector<F, N>>,
    weight: &Tensor<Vector<f32, N>>,
    output: &mut Tensor<f32>,
    height: u32,
    width: u32,
    vectors: usize,
    #[comptime] channels: usize,
    #[comptime] padding: Padding,
    #[define(F)] _dtype: ElemType,
) {
    let (rows, columns) = (height as i32, width as i32);
    let unit = UNIT_POS as usize;
    let top = CUBE_POS_Y as usize * comptime!(BLOCK[0]);
    let left = CUBE_POS_X as usize * comptime!(BLOCK[1]);
    let (down, across) = (unit / comptime!(BLOCK[1]), unit % comptime!(BLOCK[1]));
    let row = (top + down) as i32;
    let column = (left + across) as i32;
    let zero = Vector::<f32, N>::new(0.0);
    let mut sums = Array::<Vector<f32, N>>::new(channels);
    #[unroll]
    for channel in 0..channels {
        sums[channel] = zero;
    }

    let mut shared = Shared::<[Vector<f32, N>]>::new_slice(SHARED);
    let mut first = 0usize;
    while first < vectors {
        let mut slot = unit;
        while slot < SHARED {
            let position = slot / AT_ONCE;
            let vector = first + slot % AT_ONCE;
            let y = (top + position / comptime!(REACH[1])) as i32 - 1;
            let x = (left + position % comptime!(REACH[1])) as i32 - 1;
            let mut value = zero;
            if y >= 0 && y < rows && x >= 0 && x < columns && vector < vectors {
                let index = (y * columns + x) as usize * vectors + vector;
                value = before_relu::<F, N>(gradient, features, index);
            }
            shared[slot] = value;
            slot += UNITS;
        }
        sync_cube();
        #[unroll]
        for vector in 0..AT_ONCE {
            // Beyond the last vector values are zero, and any filter will do.
            let filters = min(first + vector, vectors - 1);
            #[unroll]
            for tap in 0..9usize {
                let position = (down + comptime!(2 - tap / 3)) * comptime!(REACH[1])
                    + across
                    + comptime!(2 - tap % 3);
                let value = shared[position * AT_ONCE + vector];
                #[unroll]
                for channel in 0..channels {
                    let filter = weight[comptime!(tap * channels + channel) * vectors + filters];
                    sums[channel] = fma(value, filter, sums[channel]);
                }
            }
        }
        sync_cube();
        first += AT_ONCE;
    }

    if row < rows && column < columns {
        // Padding copies a pixel to at most one position before and one after each axis. The gradients at these
        // copies are added to the gradient at the pixel.
        for vertical in 0..3i32 {
            let padded_row = position(row, vertical, rows);
            if is_copy(row, vertical, rows, padding) {
                for horizontal in 0..3i32 {
                    let padded_column = position(column, horizontal, columns);
                    let copied = vertical + horizontal > 0;
                    if copied && is_copy(column, horizontal, columns, padding) {
                        for tap in 0..9i32 {
                            let y = padded_row + 1 - tap / 3;
                            let x = padded_column + 1 - tap % 3;
                            if y >= 0 && y < rows && x >= 0 && x < columns {
                                let pixel = (y * columns + x) as usize * vectors;
                                let taps = tap as usize * channels * vectors;
                                for vector in 0..vectors {
                                    let value =
                                        before_relu::<F, N>(gradient, features, pixel + vector);
                                    #[unroll]
                                    for channel in 0..channels {
                                        let filter = weight[taps + channel * vectors + vector];
                                        sums[channel] = fma(value, filter, sums[channel]);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        let pixel = (row * columns + column) as usize * channels;
        #[unroll]
        for channel in 0..channels {
            let mut sum = 0.0f32;
            #[unroll]
            for lane in 0..N::value() {
                sum += sums[channel].extract(lane);
            }
            output[pixel + channel] = sum;
        }
    }
}

/// A padded position: the sample itself (0), the position before the axis (1), the one after it (2).
#[cube]
fn position(own: i32, choice: i32, length: i32) -> i32 {
    select(choice == 0, own, select(choice == 1, -1, length))
}

/// Whether the padded position of this choice holds the sample or a copy of it.
#[cube]
fn is_copy(own: i32, choice: i32, length: i32, #[comptime] padding: Padding) -> bool {
    let padded = position(own, choice, length);
    choice == 0 || (exists(padded, length, padding) && sample(padded, length, padding) == own)
}
