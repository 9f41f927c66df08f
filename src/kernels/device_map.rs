//! A map on a device whose memory is not the host's.

use burn::tensor::{DType, Tensor};

/// A map `[1, C, H, W]`, channels last in memory, or the gradient at one: whoever takes it through a
/// convolution gates it by the ReLU.
pub(crate) struct DeviceMap {
    pub(super) tensor: Tensor<4>,
    /// Whether it is the gradient at the output of an average pooling, to be read as that at its
    /// input.
    pub(super) pooled: bool,
    /// What a gradient was multiplied by, `[1]`, to be one in half precision.
    scale: Option<Tensor<1>>,
}

/// The largest value of a gradient in half precision. Smaller layers, below, divide it by a few
/// hundreds and may multiply it by some; f16 holds 6e-5 to 65504.
const LARGEST: f64 = 64.0;

/// Keeps a gradient of zeros from an infinite scale.
const SMALLEST: f64 = 1e-30;

impl DeviceMap {
    pub(super) fn new(tensor: Tensor<4>) -> Self {
        Self {
            tensor,
            pooled: false,
            scale: None,
        }
    }

    /// A gradient for layers in half precision, scaled so that it neither overflows nor vanishes.
    pub(super) fn scaled(gradient: Tensor<4>) -> Self {
        // In the order of memory, channels last: any other makes a copy.
        let values = gradient.shape().num_elements();
        let all = gradient.clone().permute([0, 2, 3, 1]).reshape([values]);
        let scale = all.abs().max().clamp_min(SMALLEST).recip() * LARGEST;
        let tensor = gradient * scale.clone().reshape([1, 1, 1, 1]);
        Self {
            tensor: tensor.cast(DType::F16),
            pooled: false,
            scale: Some(scale),
        }
    }

    /// Another map of the same scale.
    pub(super) fn with(&self, tensor: Tensor<4>) -> Self {
        Self {
            tensor,
            pooled: false,
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
            Some(added) => Self::new(self.tensor + added.tensor),
        }
    }
}
