//! Preprocessing: from an image to the input of the first layer.

use burn::tensor::{Device, Tensor, TensorData};
use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, all_finite, positive};

/// The input of a network: `(x - mean) / scale`, channel by channel.
///
/// Images are sRGB values in 0..=1. Without a mean to subtract, all inputs would be positive, and
/// random filters would mostly respond to brightness. `mean` and `scale` have one value for each
/// channel of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct Preprocessing {
    /// Subtracted from each channel.
    #[setters(into)]
    pub mean: Vec<f32>,
    /// Divides the difference.
    #[setters(into)]
    pub scale: Vec<f32>,
    /// Whether the network reads the channels in reverse order: blue, green, red. `mean` and
    /// `scale` are in the order of the image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversed: bool,
}

impl Default for Preprocessing {
    /// The mean colour of ImageNet, with a scale of 1.
    fn default() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            scale: vec![1.0; 3],
            reversed: false,
        }
    }
}

impl Preprocessing {
    /// The preprocessing of torchvision's weights: mean and standard deviation of ImageNet.
    #[must_use]
    pub fn torchvision() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            scale: vec![0.229, 0.224, 0.225],
            reversed: false,
        }
    }

    /// The preprocessing of Caffe's weights and of Gatys' normalised weights: colours of 0..=255 in
    /// the order blue, green, red, minus the mean colour of ImageNet.
    #[must_use]
    pub fn caffe() -> Self {
        Self {
            mean: vec![123.68 / 255.0, 116.779 / 255.0, 103.939 / 255.0],
            scale: vec![1.0 / 255.0; 3],
            reversed: true,
        }
    }

    /// The preprocessing for pictures with `channels` channels, such as stacks of maps. It
    /// subtracts 0.5 from each channel. Three channels are treated as a colour image: the mean
    /// colour of ImageNet is subtracted.
    #[must_use]
    pub fn of_channels(channels: usize) -> Self {
        if channels == 3 {
            return Self::default();
        }
        // One more than is allowed is refused where it is used, and takes no memory.
        let channels = channels.min(MOST_CHANNELS + 1);
        Self {
            mean: vec![0.5; channels],
            scale: vec![1.0; channels],
            reversed: false,
        }
    }

    /// The number of channels.
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

    /// Reverses the channels if the network reads them in reverse order.
    fn ordered(&self, map: Tensor<4>) -> Tensor<4> {
        if self.reversed { map.flip([1]) } else { map }
    }
}

/// The most channels of an image. More are probably a mistake.
const MOST_CHANNELS: usize = 64;

/// One value for each channel, `[1, C, 1, 1]`.
fn row(values: &[f32], device: &Device) -> Tensor<4> {
    let data = TensorData::new(values.to_vec(), [1, values.len(), 1, 1]);
    Tensor::from_data(data, device)
}
