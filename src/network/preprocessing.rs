//! From colours to what the first layer reads.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Result, all_finite, positive};

/// How an RGB image becomes a network's input: `(x - mean) / scale`, channel by channel.
///
/// Colours are sRGB values in 0..=1. Without it all inputs were positive, and the filters, which
/// are as often negative as positive, would mostly answer to brightness.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Subtracted from red, green and blue.
    pub mean: [f32; 3],
    /// Divides what is left.
    pub scale: [f32; 3],
}

impl Default for Preprocessing {
    /// The mean colour of ImageNet, unscaled: what the method subtracts.
    fn default() -> Self {
        Self {
            mean: [0.485, 0.456, 0.406],
            scale: [1.0; 3],
        }
    }
}

impl Preprocessing {
    /// Mean and standard deviation of ImageNet: what torchvision's weights were trained with.
    #[must_use]
    pub fn torchvision() -> Self {
        Self {
            mean: [0.485, 0.456, 0.406],
            scale: [0.229, 0.224, 0.225],
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        all_finite("the preprocessing mean", &self.mean)?;
        for value in self.scale {
            positive("preprocessing scale", f64::from(value))?;
        }
        Ok(())
    }

    pub(super) fn apply(&self, image: Tensor<4>, device: &Device) -> Tensor<4> {
        (image - channels(self.mean, device)) / channels(self.scale, device)
    }

    /// The gradient at the image from the gradient at the input.
    pub(super) fn gradient(&self, gradient: Tensor<4>, device: &Device) -> Tensor<4> {
        gradient / channels(self.scale, device)
    }
}

fn channels(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), device)
}
