//! A network drawn at random: architecture, seed and law of its weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::stages::stages;
use super::vgg::Plan;
use super::{Architecture, Layer, Preprocessing, Vgg};
use crate::engine::{
    ConvolutionShape, LazyParameters, Operation, Padding, Parameters, Pooling, Precision,
};
use crate::error::{Error, Result, not_negative, positive};
use crate::random::{self, Purpose};

/// The description of a VGG network with random weights: a few bytes from which the same network
/// comes anywhere.
///
/// Weights are independent draws from `N(0, sigma)`. A network of ReLUs without biases only
/// scales with sigma, layer by layer, so what is computed is the same network at the scale that
/// keeps activations alive, standard deviation `sqrt(2 / fan in)` (He et al., ICCV 2015, eq. 10);
/// [`gain`](Self::gain) tells the factor between the two. At the published sigma of 0.015
/// activations would be 10^-5 of the image's at conv5_1 and losses 10^-21. No result depends on
/// sigma.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use ranvgg::{Padding, RandomVgg, device};
///
/// let vgg = RandomVgg::vgg19()
///     .with_seed(42)
///     .with_padding(Padding::Circular)
///     .init(&device::by_name("flex")?)?;
/// assert_eq!(vgg.recipe().unwrap().seed(), 42);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomVgg {
    pub(super) architecture: Architecture,
    pub(super) seed: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) layer_seeds: BTreeMap<Layer, u64>,
    pub(super) sigma: f64,
    pub(super) bias_sigma: f64,
    pub(super) pooling: Pooling,
    pub(super) padding: Padding,
    pub(super) preprocessing: Preprocessing,
}

impl RandomVgg {
    /// The standard deviation the method was published with.
    pub const PUBLISHED_SIGMA: f64 = 0.015;

    /// A network of this architecture, with seed 0 and all options at their defaults.
    #[must_use]
    pub fn new(architecture: Architecture) -> Self {
        Self {
            architecture,
            seed: 0,
            layer_seeds: BTreeMap::new(),
            sigma: Self::PUBLISHED_SIGMA,
            bias_sigma: 0.0,
            pooling: Pooling::default(),
            padding: Padding::default(),
            preprocessing: Preprocessing::default(),
        }
    }

    /// VGG-19, the network of the method.
    #[must_use]
    pub fn vgg19() -> Self {
        Self::new(Architecture::Vgg19)
    }

    /// VGG-16.
    #[must_use]
    pub fn vgg16() -> Self {
        Self::new(Architecture::Vgg16)
    }

    /// Seeds every layer. Default: 0.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Seeds one layer differently from the others.
    #[must_use]
    pub fn with_layer_seed(mut self, layer: Layer, seed: u64) -> Self {
        self.layer_seeds.insert(layer, seed);
        self
    }

    /// Standard deviation of the weights; changes [`gain`](Self::gain) and nothing else.
    /// Default: 0.015.
    #[must_use]
    pub fn with_sigma(mut self, sigma: f64) -> Self {
        self.sigma = sigma;
        self
    }

    /// Draws biases from `N(0, sigma)` too, in units of the activations that they are added to;
    /// 0 for none. About 1 brings more of a picture back from deep layers (`docs/EVIDENCE.md`); far
    /// larger values make features respond less to the image. Default: 0.
    #[must_use]
    pub fn with_bias_sigma(mut self, sigma: f64) -> Self {
        self.bias_sigma = sigma;
        self
    }

    /// With the biases that bring most of a picture back from `layer`: of deviation 1 from a stride of
    /// eight pixels on (`pool3`), where they are worth 1 to 5 dB, and none before, where they cost 2
    /// (`docs/QUALITY.md`, "Inversion").
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`](crate::Error::UnknownLayer) for a layer that the network does not have.
    pub fn with_biases_for(self, layer: Layer) -> Result<Self> {
        let stride = self.architecture.extent(layer, self.padding)?.stride;
        Ok(self.with_bias_sigma(if stride >= 8 { 1.0 } else { 0.0 }))
    }

    /// How pooling layers summarise. Default: average.
    #[must_use]
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// How convolutions continue their input. Default: reflect.
    #[must_use]
    pub fn with_padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// What is done to colours before the first layer. Default: ImageNet's mean is subtracted.
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Self {
        self.preprocessing = preprocessing;
        self
    }

    /// Reads images of so many channels: stacks of maps
    /// ([`Picture::maps`](crate::Picture::maps)), greys, anything. Of three it is the network of
    /// colours. Sets the preprocessing to [`Preprocessing::of_channels`].
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        self.with_preprocessing(Preprocessing::of_channels(channels))
    }

    /// AlexNet, which the method was compared with.
    #[must_use]
    pub fn alexnet() -> Self {
        Self::new(Architecture::AlexNet)
    }

    /// The seed of the layers that have none of their own.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The standard deviation of its biases.
    #[must_use]
    pub fn bias_sigma(&self) -> f64 {
        self.bias_sigma
    }

    /// The network's plan.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The network on a device. Weights are drawn layer by layer, when first used.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for a sigma that is not a positive number, [`Error::UnknownLayer`]
    /// for a seeded layer that the architecture has not.
    pub fn init(&self, device: &Device) -> Result<Vgg> {
        positive("sigma", self.sigma)?;
        not_negative("bias sigma", self.bias_sigma)?;
        self.preprocessing.check()?;
        for &layer in self.layer_seeds.keys() {
            self.architecture.check(layer)?;
            if !layer.has_weights() {
                return Err(Error::option(
                    "seeded layer",
                    layer,
                    "convolutions and fully connected layers",
                ));
            }
        }
        let plan = Plan {
            architecture: self.architecture,
            pooling: self.pooling,
            padding: self.padding,
            preprocessing: self.preprocessing.clone(),
            precision: Precision::default(),
        };
        let mut index = 0;
        let bias_sigma = self.bias_sigma as f32;
        Ok(Vgg::new(
            plan,
            device,
            Some(self.clone()),
            usize::MAX,
            |layer, shape| {
                let seed = self.layer_seeds.get(&layer).copied().unwrap_or(self.seed);
                let stream = index;
                index += 1;
                LazyParameters::new(move || Arc::new(draw(shape, seed, stream, bias_sigma)))
            },
        ))
    }

    /// The factor from the activations computed here to those of weights drawn from `N(0, sigma)`:
    /// the product over layers up to `layer` of `sigma / sqrt(2 / fan in)`.
    ///
    /// A content loss in published units is this squared times ours, a Gram loss its fourth power.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] if the architecture has no such layer.
    pub fn gain(&self, layer: Layer) -> Result<f64> {
        self.architecture.check(layer)?;
        let mut gain = 1.0;
        let channels = self.preprocessing.channels();
        for stage in stages(self.architecture, channels, self.pooling, self.padding) {
            if let Operation::Convolution(shape) = stage.operation {
                gain *= self.sigma / he_sigma(shape);
            }
            if stage.layer == layer {
                break;
            }
        }
        Ok(gain)
    }
}

fn he_sigma(shape: ConvolutionShape) -> f64 {
    (2.0 / shape.fan_in() as f64).sqrt()
}

fn draw(shape: ConvolutionShape, seed: u64, stream: u32, bias_sigma: f32) -> Parameters {
    let sigma = he_sigma(shape) as f32;
    let mut weight = random::normal(seed, Purpose::Weight, stream, shape.weights());
    for value in &mut weight {
        *value *= sigma;
    }
    let bias = if bias_sigma > 0.0 {
        let mut bias = random::normal(seed, Purpose::Bias, stream, shape.channels_out);
        for value in &mut bias {
            *value *= bias_sigma;
        }
        bias
    } else {
        vec![0.0; shape.channels_out]
    };
    Parameters { weight, bias }
}
