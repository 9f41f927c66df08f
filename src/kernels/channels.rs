//! Channels of all positions together: their moments, and mixtures of them.

use burn::tensor::{DType, Tensor, TensorData};

use super::host;
use crate::device::is_in_host_memory;
use crate::error::{Error, Result};

/// Means over positions.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    /// Of each channel, `[1, N]`.
    pub(crate) mean: Tensor<2>,
    /// Of each product of two channels, `[N, N]`.
    pub(crate) second: Tensor<2>,
}

/// Whether the kernels on slices serve a map: f32 in host memory.
fn on_host(map: &Tensor<4>) -> bool {
    is_in_host_memory(&map.device()) && !map.is_autodiff() && map.dtype() == DType::F32
}

/// The map as a matrix `[H * W, C]`: free, where memory is channels last.
fn positions_by_channels(map: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = map.dims();
    map.permute([0, 2, 3, 1])
        .reshape([height * width, channels])
}

/// The moments of a map `[1, N, H, W]`, and the map: where nobody else holds it, no copy is made.
pub(crate) fn moments(map: Tensor<4>) -> Result<(Tensor<4>, Moments)> {
    let [_, channels, height, width] = map.dims();
    if !on_host(&map) {
        let features = positions_by_channels(map.clone());
        let second = features.clone().transpose().matmul(features.clone());
        let moments = Moments {
            mean: features.mean_dim(0),
            second: second.div_scalar((height * width) as f64),
        };
        return Ok((map, moments));
    }
    let device = map.device();
    let map = host::Map::from_tensor(map)?;
    let (mean, second) = host::moments(&map);
    let moments = Moments {
        mean: Tensor::from_data(TensorData::new(mean, [1, channels]), &device),
        second: Tensor::from_data(TensorData::new(second, [channels, channels]), &device),
    };
    Ok((map.into_tensor(&device), moments))
}

/// `f A + b` of the channels `f` of each position, in the memory of `map` where nobody else holds
/// it; a part that is missing is zero.
pub(crate) fn mix(
    map: Tensor<4>,
    matrix: Option<Tensor<2>>,
    offset: Option<Tensor<2>>,
) -> Result<Tensor<4>> {
    if !on_host(&map) {
        return Ok(mix_tensors(map, matrix, offset));
    }
    let device = map.device();
    let values = |tensor: Option<Tensor<2>>| -> Result<Option<Vec<f32>>> {
        let values = tensor.map(|tensor| tensor.try_into_vec_as().map_err(Error::device));
        values.transpose()
    };
    let mut map = host::Map::from_tensor(map)?;
    let (matrix, offset) = (values(matrix)?, values(offset)?);
    host::mix(&mut map, matrix.as_deref(), offset.as_deref());
    Ok(map.into_tensor(&device))
}

fn mix_tensors(map: Tensor<4>, matrix: Option<Tensor<2>>, offset: Option<Tensor<2>>) -> Tensor<4> {
    let shape = map.dims();
    let [_, channels, height, width] = shape;
    let Some(matrix) = matrix else {
        return match offset {
            Some(offset) => offset.reshape([1, channels, 1, 1]).expand(shape),
            None => map.zeros_like(),
        };
    };
    let mixed = positions_by_channels(map).matmul(matrix);
    let mixed = match offset {
        Some(offset) => mixed + offset,
        None => mixed,
    };
    mixed
        .reshape([1, height, width, channels])
        .permute([0, 3, 1, 2])
}
