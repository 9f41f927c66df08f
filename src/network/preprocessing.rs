//! From colours to what the first layer reads.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, all_finite, positive};

/// How an image becomes a network's input: `(x - mean) / scale`, channel by channel.
///
/// Colours are sRGB values in 0..=1. Without it all inputs were positive, and the filters, which
/// are as often negative as positive, would mostly answer to brightness. It has as many channels as
/// the images that the network reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Subtracted from each channel.
    pub mean: Vec<f32>,
    /// Divides what is left.
    pub scale: Vec<f32>,
}

impl Default for Preprocessing {
    /// The mean colour of ImageNet, unscaled: what the method subtracts.
    fn default() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            scale: vec![1.0; 3],
        }
    }
}

impl Preprocessing {
    /// Mean and standard deviation of ImageNet: what torchvision's weights were trained with.
    #[must_use]
    pub fn torchvision() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            scale: vec![0.229, 0.224, 0.225],
        }
    }

    /// For stacks of maps of so many channels: the middle of the range is subtracted from each, of
    /// three the mean colour.
    #[must_use]
    pub fn of_channels(channels: usize) -> Self {
        if channels == 3 {
            return Self::default();
        }
        Self {
            mean: vec![0.5; channels],
            scale: vec![1.0; channels],
        }
    }

    /// How many channels it takes.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    pub(super) fn check(&self) -> Result<()> {
        let channels = self.channels();
        if !(1..=MOST_CHANNELS).contains(&channels) || self.scale.len() != channels {
            return Err(Error::option(
                "channels of the preprocessing",
                format!("{channels} of mean, {} of scale", self.scale.len()),
                format!("1 to {MOST_CHANNELS}, as many of both"),
            ));
        }
        all_finite("the preprocessing mean", &self.mean)?;
        for value in &self.scale {
            positive("preprocessing scale", f64::from(*value))?;
        }
        Ok(())
    }

    pub(super) fn apply(&self, image: Tensor<4>, device: &Device) -> Tensor<4> {
        (image - row(&self.mean, device)) / row(&self.scale, device)
    }

    /// The gradient at the image from the gradient at the input.
    pub(super) fn gradient(&self, gradient: Tensor<4>, device: &Device) -> Tensor<4> {
        gradient / row(&self.scale, device)
    }
}

/// More channels than any stack of maps; beyond them a mistake is likelier.
const MOST_CHANNELS: usize = 64;

fn row(values: &[f32], device: &Device) -> Tensor<4> {
    let data = TensorData::new(values.to_vec(), [1, values.len(), 1, 1]);
    Tensor::from_data(data, device)
}
