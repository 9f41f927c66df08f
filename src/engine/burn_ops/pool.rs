//! Pooling and its gradient by Burn's operations.

use burn::tensor::module::{
    avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_with_indices,
    max_pool2d_with_indices_backward,
};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Int, Tensor};

use crate::engine::layout::{channels_last, channels_second};
use crate::engine::pooling::{Pool, Pooling};

/// The gradient at the input, `[height, width]`, of 2x2 average pooling.
pub(super) fn average_2x2_gradient(gradient: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [batch, channels, rows, columns] = gradient.dims();
    let spread = channels_last(gradient * 0.25)
        .reshape([batch, rows, 1, columns, 1, channels])
        .expand([batch, rows, 2, columns, 2, channels])
        .reshape([batch, 2 * rows, 2 * columns, channels]);
    let spread = channels_second(spread);
    // The last position of an odd axis belongs to no window.
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

/// The output, and the argmax of each window for max pooling if `record`.
pub(super) fn forward(
    pool: &Pool,
    input: Tensor<4>,
    record: bool,
) -> (Tensor<4>, Option<Tensor<4, Int>>) {
    match pool.pooling {
        Pooling::Average => {
            let mut options = AvgPoolOptions::new([pool.kernel; 2]);
            options.stride = [pool.stride; 2];
            (avg_pool2d(input, options), None)
        }
        Pooling::Max if record => {
            let (output, indices) = max_pool2d_with_indices(input, max_options(pool));
            (output, Some(indices))
        }
        Pooling::Max => (max_pool2d(input, max_options(pool)), None),
    }
}

/// The input gradient of a pooling layer. Only the shape of `input` is used.
pub(super) fn gradient(
    pool: &Pool,
    input: Tensor<4>,
    gradient: Tensor<4>,
    indices: Option<Tensor<4, Int>>,
) -> Tensor<4> {
    let (kernel, stride) = ([pool.kernel; 2], [pool.stride; 2]);
    match indices {
        None => avg_pool2d_backward(input, gradient, kernel, stride, [0; 2], true, false),
        Some(indices) => max_pool2d_with_indices_backward(
            input, kernel, stride, [0; 2], [1; 2], false, gradient, indices,
        ),
    }
}
