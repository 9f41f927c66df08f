//! Tensors `[1, C, H, W]` in the order of their memory, which is channels last (NHWC).
//!
//! Burn's operations on the other order make copies, so everything that touches all values of a
//! feature map goes through here.

use burn::tensor::{Device, Tensor, TensorData};

/// `[1, H, W, C]`, a view.
pub(crate) fn channels_last(map: Tensor<4>) -> Tensor<4> {
    map.permute([0, 2, 3, 1])
}

/// `[1, C, H, W]` of `[1, H, W, C]`, a view.
pub(crate) fn channels_second(map: Tensor<4>) -> Tensor<4> {
    map.permute([0, 3, 1, 2])
}

/// A map as a matrix `[H * W, C]`. No copy where memory is channels last.
pub(crate) fn positions_by_channels(map: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = map.dims();
    channels_last(map).reshape([height * width, channels])
}

/// A map of `[H, W, C]` values.
pub(crate) fn map_of(
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
