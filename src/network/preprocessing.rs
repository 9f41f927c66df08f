//! From colours to what the first layer reads.

use burn::tensor::{Device, Tensor, TensorData};
use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, all_finite, positive};

/// How an image becomes a network's input: `(x - mean) / scale`, channel by channel.
///
/// Colours are sRGB values in 0..=1. Without it all inputs would be positive, and the filters, which
/// are as often negative as positive, would mostly answer to brightness. It has as many channels as
/// the images that the network reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct Preprocessing {
    /// Subtracted from each channel.
    #[setters(into)]
    pub mean: Vec<f32>,
    /// Divides what is left.
    #[setters(into)]
    pub scale: Vec<f32>,
    /// Whether the network reads the channels in reverse: blue, green, red. The mean and the scale
    /// are in the image's own order all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversed: bool,
}

impl Default for Preprocessing {
    /// The mean colour of ImageNet, unscaled: what the method subtracts.
    fn default() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            scale: vec![1.0; 3],
            reversed: false,
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
            reversed: false,
        }
    }

    /// What Caffe's weights were trained with, and Gatys' made from them: colours of 0..=255, blue
    /// first, less the mean colour of ImageNet.
    #[must_use]
    pub fn caffe() -> Self {
        Self {
            mean: vec![123.68 / 255.0, 116.779 / 255.0, 103.939 / 255.0],
            scale: vec![1.0 / 255.0; 3],
            reversed: true,
        }
    }

    /// For stacks of maps with so many channels. The middle of the range, 0.5, is subtracted from
    /// each channel. Three channels are taken as colours: the mean colour is subtracted.
    #[must_use]
    pub fn of_channels(channels: usize) -> Self {
        if channels == 3 {
            return Self::default();
        }
        Self {
            mean: vec![0.5; channels],
            scale: vec![1.0; channels],
            reversed: false,
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
        let input = (image - row(&self.mean, device)) / row(&self.scale, device);
        self.ordered(input)
    }

    /// The gradient at the image from the gradient at the input.
    pub(super) fn gradient(&self, gradient: Tensor<4>, device: &Device) -> Tensor<4> {
        self.ordered(gradient) / row(&self.scale, device)
    }

    /// Channels of the image in the network's order, or those in the image's.
    fn ordered(&self, map: Tensor<4>) -> Tensor<4> {
        if self.reversed { map.flip([1]) } else { map }
    }
}

/// More channels than any stack of maps; beyond them a mistake is likelier.
const MOST_CHANNELS: usize = 64;

fn row(values: &[f32], device: &Device) -> Tensor<4> {
    let data = TensorData::new(values.to_vec(), [1, values.len(), 1, 1]);
    Tensor::from_data(data, device)
}
