//! Views of tensors `[1, C, H, W]` in memory order, which is NHWC.
//!
//! Burn's operations on a permuted tensor make copies, so operations on whole feature maps use
//! these views.

use burn::tensor::{Device, Tensor, TensorData};

/// From `[1, C, H, W]` to `[1, H, W, C]`, a view.
pub(crate) fn channels_last(map: Tensor<4>) -> Tensor<4> {
    map.permute([0, 2, 3, 1])
}

/// From `[1, H, W, C]` to `[1, C, H, W]`, a view.
pub(crate) fn channels_second(map: Tensor<4>) -> Tensor<4> {
    map.permute([0, 3, 1, 2])
}

/// A feature map as a matrix `[H * W, C]`, without a copy if its memory is NHWC.
pub(crate) fn positions_by_channels(map: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = map.dims();
    channels_last(map).reshape([height * width, channels])
}

/// A feature map `[1, C, H, W]` from `[H, W, C]` values.
pub(crate) fn map_from_values(
    values: Vec<f32>,
    [height, width, channels]: [usize; 3],
    device: &Device,
) -> Tensor<4> {
    let data = TensorData::new(values, [1, height, width, channels]);
    channels_second(Tensor::from_data(data, device))
}

/// The sum of two maps.
pub(crate) fn add_maps(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    channels_second(channels_last(a) + channels_last(b))
}

/// The difference of two maps.
pub(crate) fn subtract_maps(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    channels_second(channels_last(a) - channels_last(b))
}
