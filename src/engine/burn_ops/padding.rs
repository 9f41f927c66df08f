//! Padding by index, and its adjoint (overlap-add).

use burn::tensor::{Int, Tensor, TensorData};

use crate::engine::padding::Padding;

/// Pads height and width by `amount` on every side.
pub(in crate::engine) fn pad(input: Tensor<4>, mode: Padding, amount: usize) -> Tensor<4> {
    let [_, _, height, width] = input.dims();
    let device = input.device();
    let index = |length: usize| {
        let sources = mode.sources(length, amount);
        let length = sources.len();
        Tensor::<1, Int>::from_data(TensorData::new(sources, [length]), &device.clone().inner())
    };
    let rows = index(height);
    let columns = index(width);
    input.select(2, rows).select(3, columns)
}

/// The adjoint of [`pad`] along one axis of `length` samples: adds padded positions to their samples.
pub(in crate::engine) fn fold(
    padded: Tensor<4>,
    axis: usize,
    mode: Padding,
    amount: usize,
    length: usize,
) -> Tensor<4> {
    let mut folded = padded.clone().narrow(axis, amount, length);
    for (position, source) in mode.sources(length, amount).into_iter().enumerate() {
        let inside = (amount..amount + length).contains(&position);
        if let (false, Ok(source)) = (inside, usize::try_from(source)) {
            let mut ranges = folded.dims().map(|n| 0..n);
            ranges[axis] = source..source + 1;
            let sum =
                folded.clone().slice(ranges.clone()) + padded.clone().narrow(axis, position, 1);
            folded = folded.slice_assign(ranges, sum);
        }
    }
    folded
}
