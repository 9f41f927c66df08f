//! Channels of all positions together: their moments, and mixtures of them.

use burn::tensor::{DType, Tensor, TensorData};

use super::held::Held;
use super::host;
use crate::backend::is_in_host_memory;
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
pub(super) fn on_host(map: &Tensor<4>) -> bool {
    is_in_host_memory(&map.device()) && !map.is_autodiff() && map.dtype() == DType::F32
}

/// The map as a matrix `[H * W, C]`: free, where memory is channels last.
pub(super) fn positions_by_channels(map: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = map.dims();
    map.permute([0, 2, 3, 1])
        .reshape([height * width, channels])
}

/// The moments of a map `[1, N, H, W]`, and the map: where nobody else holds it, no copy is made.
pub(crate) fn moments(map: Tensor<4>) -> Result<(Tensor<4>, Moments)> {
    let [_, channels, height, width] = map.dims();
    if !on_host(&map) {
        let features = positions_by_channels(map.clone());
        let moments = Moments {
            mean: features.clone().mean_dim(0),
            second: products(features).div_scalar((height * width) as f64),
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

/// Sums over positions of the products of channels, `F' F`, `[N, N]`, for `F` of `[M, N]`.
///
/// Few results of very many terms each: as one product, most of a GPU would have nothing to do. It is
/// made of several, over a part of the positions each, whose results are added.
fn products(features: Tensor<2>) -> Tensor<2> {
    let [positions, channels] = features.dims();
    let parts = parts(positions, channels);
    if parts == 1 {
        return features.clone().transpose().matmul(features);
    }
    let features = features.reshape([parts, positions / parts, channels]);
    features
        .clone()
        .swap_dims(1, 2)
        .matmul(features)
        .sum_dim(0)
        .reshape([channels, channels])
}

/// Results that a GPU's workgroup computes along each side, and how many workgroups keep it busy.
const BLOCK: usize = 64;
const BLOCKS: usize = 256;

/// Fewer positions than these are not worth a product of their own.
const LEAST_POSITIONS: usize = 256;

/// Into how many equal parts positions are cut.
fn parts(positions: usize, channels: usize) -> usize {
    let wanted = BLOCKS / channels.div_ceil(BLOCK).pow(2);
    let most = wanted.min(positions / LEAST_POSITIONS);
    let divides = |parts: &usize| positions.is_multiple_of(*parts);
    (2..=most).rev().find(divides).unwrap_or(1)
}

/// A function of the channels `f` of a position, `f A + b + sum c (f - f0)`, of parts any of which
/// may be missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affine {
    /// `A`, `[N, N]`.
    pub(crate) matrix: Option<Tensor<2>>,
    /// `b`, `[1, N]`.
    pub(crate) offset: Option<Tensor<2>>,
    /// Maps `f0`, each with its factor `c`.
    pub(crate) pulls: Vec<(Held, f64)>,
}

/// The function at each position of a map; in the memory of `map` where nobody else holds it.
pub(crate) fn mix(map: Tensor<4>, affine: Affine) -> Result<Tensor<4>> {
    let on_device = |(held, _): &(Held, f64)| matches!(held, Held::Device(_));
    if !on_host(&map) || affine.pulls.iter().any(on_device) {
        return Ok(mix_tensors(map, affine));
    }
    let device = map.device();
    // In host memory, where nothing has to be waited for.
    let values = |tensor: Option<Tensor<2>>| -> Result<Option<Vec<f32>>> {
        let values = tensor.map(|tensor| tensor.try_into_vec_as().map_err(Error::device));
        values.transpose()
    };
    let (matrix, offset) = (values(affine.matrix)?, values(affine.offset)?);
    let pulls: Vec<(&host::Map, f32)> = affine
        .pulls
        .iter()
        .filter_map(|(held, factor)| match held {
            Held::Host(map) => Some((&**map, *factor as f32)),
            Held::Device(_) => None,
        })
        .collect();
    let mut map = host::Map::from_tensor(map)?;
    host::mix(&mut map, matrix.as_deref(), offset.as_deref(), &pulls);
    Ok(map.into_tensor(&device))
}

fn mix_tensors(map: Tensor<4>, affine: Affine) -> Tensor<4> {
    let [_, channels, height, width] = map.dims();
    // In the order of memory, channels last: any other makes copies.
    let last = |map: Tensor<4>| map.permute([0, 2, 3, 1]);
    let mut sum: Option<Tensor<4>> = None;
    let mut add = |part: Tensor<4>| {
        sum = Some(match sum.take() {
            Some(sum) => sum + part,
            None => part,
        });
    };
    if let Some(matrix) = affine.matrix {
        let mixed = positions_by_channels(map.clone()).matmul(matrix);
        add(mixed.reshape([1, height, width, channels]));
    }
    for (held, factor) in affine.pulls {
        add((last(map.clone()) - last(held.tensor(&map))).mul_scalar(factor));
    }
    if let Some(offset) = affine.offset {
        let offset = offset.reshape([1, 1, 1, channels]);
        add(offset.expand([1, height, width, channels]));
    }
    match sum {
        Some(sum) => sum.permute([0, 3, 1, 2]),
        None => map.zeros_like(),
    }
}
