//! A feature map on a GPU.

use burn::tensor::{DType, Tensor};

use crate::engine::layout::{add_maps, channels_last};

/// A feature map `[1, C, H, W]`, channels last in memory, or the gradient at one.
pub(in crate::engine) struct Map {
    pub(super) tensor: Tensor<4>,
    /// What a gradient in half precision was multiplied by, `[1]`.
    scale: Option<Tensor<1>>,
}

/// The largest value of a gradient in half precision. Smaller layers, below, divide it by a few
/// hundreds and may multiply it by some; f16 holds 6e-5 to 65504.
const LARGEST: f64 = 64.0;

/// Keeps a gradient of zeros from an infinite scale.
const SMALLEST: f64 = 1e-30;

impl Map {
    pub(super) fn new(tensor: Tensor<4>) -> Self {
        Self {
            tensor,
            scale: None,
        }
    }

    /// A gradient for layers in half precision, scaled so that it neither overflows nor vanishes.
    pub(super) fn scaled(gradient: Tensor<4>) -> Self {
        let values = gradient.shape().num_elements();
        let all = channels_last(gradient.clone()).reshape([values]);
        let scale = all.abs().max().clamp_min(SMALLEST).recip() * LARGEST;
        let tensor = gradient * scale.clone().reshape([1, 1, 1, 1]);
        Self {
            tensor: tensor.cast(DType::F16),
            scale: Some(scale),
        }
    }

    /// Another map of the same scale.
    pub(super) fn with(&self, tensor: Tensor<4>) -> Self {
        Self {
            tensor,
            scale: self.scale.clone(),
        }
    }

    /// The map in f32, unscaled.
    pub(super) fn into_tensor(self) -> Tensor<4> {
        let tensor = match self.tensor.dtype() {
            DType::F16 => self.tensor.cast(DType::F32),
            _ => self.tensor,
        };
        match self.scale {
            Some(scale) => tensor / scale.reshape([1, 1, 1, 1]),
            None => tensor,
        }
    }

    /// The sum with what else arrives at the map.
    pub(super) fn plus(self, added: Option<Self>) -> Self {
        match added {
            None => self,
            Some(added) if self.scale.is_some() => {
                Self::scaled(self.into_tensor() + added.into_tensor())
            }
            Some(added) => Self::new(add_maps(self.tensor, added.tensor)),
        }
    }
}
