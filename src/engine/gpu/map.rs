//! A feature map on a GPU.

use burn::tensor::{DType, Tensor};

use crate::engine::layout::{add_maps, channels_last};
use crate::engine::reductions::largest_absolute;

/// A feature map `[1, C, H, W]`, NHWC in memory, or the gradient with respect to one.
pub(in crate::engine) struct Map {
    pub(super) tensor: Tensor<4>,
    /// The factor `[1]` by which a gradient in half precision is multiplied (loss scaling).
    scale: Option<Tensor<1>>,
}

/// The largest absolute value of a scaled gradient. On its way to the image a gradient may shrink by a
/// factor of a few hundred, or grow. f16 holds 6e-5 to 65504.
const LARGEST: f64 = 64.0;

/// The smallest value in the denominator of the scale, so that a gradient of zeros has a finite scale.
const SMALLEST: f64 = 1e-30;

impl Map {
    pub(super) fn new(tensor: Tensor<4>) -> Self {
        Self {
            tensor,
            scale: None,
        }
    }

    /// Scales a gradient and casts it to f16, so that it neither overflows nor underflows.
    pub(super) fn scaled(gradient: Tensor<4>) -> Self {
        let largest = largest_absolute(channels_last(gradient.clone()));
        let scale = largest.clamp_min(SMALLEST).recip() * LARGEST;
        let tensor = gradient * scale.clone().reshape([1, 1, 1, 1]);
        Self {
            tensor: tensor.cast(DType::F16),
            scale: Some(scale),
        }
    }

    /// A map with the scale of this one.
    pub(super) fn with_same_scale(&self, tensor: Tensor<4>) -> Self {
        Self {
            tensor,
            scale: self.scale.clone(),
        }
    }

    /// The map in f32, divided by its scale.
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

    /// The sum of two gradients. In half precision the sum gets a scale of its own.
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
