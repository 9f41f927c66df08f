//! Pooling and its gradient from Burn's own operations.

use burn::tensor::module::{
    avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_with_indices,
    max_pool2d_with_indices_backward,
};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Int, Tensor};

use crate::engine::layout::{channels_last, channels_second};
use crate::engine::pooling::{Pool, Pooling};

/// The gradient at a map of this height and width from that at the averages of 2x2 of its pixels.
pub(super) fn spread(gradient: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [batch, channels, rows, columns] = gradient.dims();
    let spread = channels_last(gradient * 0.25)
        .reshape([batch, rows, 1, columns, 1, channels])
        .expand([batch, rows, 2, columns, 2, channels])
        .reshape([batch, 2 * rows, 2 * columns, channels]);
    let spread = channels_second(spread);
    // Of an odd axis the last position was in no average.
    let missing = (0, width - 2 * columns, 0, height - 2 * rows);
    match missing {
        (_, 0, _, 0) => spread,
        _ => spread.pad(missing, 0.0),
    }
}

fn max_options(pool: &Pool) -> MaxPoolOptions<2> {
    let mut options = MaxPoolOptions::new([pool.kernel; 2]);
    options.stride = [pool.stride; 2];
    options
}

/// Pools, and for maxima that want a gradient also yields where they were.
pub(super) fn forward(
    pool: &Pool,
    input: Tensor<4>,
    saved: bool,
) -> (Tensor<4>, Option<Tensor<4, Int>>) {
    match pool.pooling {
        Pooling::Average => {
            let mut options = AvgPoolOptions::new([pool.kernel; 2]);
            options.stride = [pool.stride; 2];
            (avg_pool2d(input, options), None)
        }
        Pooling::Max if saved => {
            let (output, places) = max_pool2d_with_indices(input, max_options(pool));
            (output, Some(places))
        }
        Pooling::Max => (max_pool2d(input, max_options(pool)), None),
    }
}

/// The gradient at the input of a pooling step; `input` is read for its shape.
pub(super) fn gradient(
    pool: &Pool,
    input: Tensor<4>,
    gradient: Tensor<4>,
    places: Option<Tensor<4, Int>>,
) -> Tensor<4> {
    let (kernel, stride) = ([pool.kernel; 2], [pool.stride; 2]);
    match places {
        None => avg_pool2d_backward(input, gradient, kernel, stride, [0; 2], true, false),
        Some(places) => max_pool2d_with_indices_backward(
            input, kernel, stride, [0; 2], [1; 2], false, gradient, places,
        ),
    }
}
