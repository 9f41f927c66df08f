//! Networks with random weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;

use super::stages::stages;
use super::{Layer, NetworkConfig, Vgg};
use crate::backend::threads;
use crate::engine::{ConvolutionShape, LazyParameters, Operation, Parameters, Weighted};
use crate::error::{Error, Result, not_negative, positive};
use crate::random::{self, Purpose};

/// The description of a network with random weights. It takes a few bytes and gives the same network
/// everywhere.
///
/// Weights are independent samples of `N(0, sigma)`. In a ReLU network without biases, sigma only
/// scales the features. The network is therefore computed with the standard deviation `sqrt(2 / fan
/// in)` (He et al., ICCV 2015, eq. 10), which keeps features at the scale of the image.
/// [`gain`](NetworkConfig::gain) is the factor between the two. At the published sigma of 0.015,
/// features of conv5_1 would be 10^-5 of the image and losses 10^-21. No result depends on sigma.
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
pub type RandomVgg = NetworkConfig<RandomWeights>;

/// The seeds and the distributions of random weights and biases.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomWeights {
    pub(super) seed: u64,
    pub(super) layer_seeds: BTreeMap<Layer, u64>,
    pub(super) sigma: f64,
    pub(super) bias_sigma: f64,
}

impl Default for RandomWeights {
    /// Seed 0 for every layer, the published sigma, no biases.
    fn default() -> Self {
        Self {
            seed: 0,
            layer_seeds: BTreeMap::new(),
            sigma: RandomVgg::PUBLISHED_SIGMA,
            bias_sigma: 0.0,
        }
    }
}

impl RandomVgg {
    /// The standard deviation of He, Wang and Hopcroft (NIPS 2016).
    pub const PUBLISHED_SIGMA: f64 = 0.015;

    /// The seed of all layers. Default: 0.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.weights.seed = seed;
        self
    }

    /// The seed of one layer, instead of the seed of all layers.
    #[must_use]
    pub fn with_layer_seed(mut self, layer: Layer, seed: u64) -> Self {
        self.weights.layer_seeds.insert(layer, seed);
        self
    }

    /// The standard deviation of the weights. It changes only [`gain`](Self::gain). Default: 0.015.
    #[must_use]
    pub fn with_sigma(mut self, sigma: f64) -> Self {
        self.weights.sigma = sigma;
        self
    }

    /// The standard deviation of the biases, in units of the activations that they are added to. 0
    /// gives no biases. With about 1, inversions of deep layers recover more of a picture
    /// (`docs/EVIDENCE.md`). With far larger values, features respond less to the image. Default:
    /// 0.
    #[must_use]
    pub fn with_bias_sigma(mut self, sigma: f64) -> Self {
        self.weights.bias_sigma = sigma;
        self
    }

    /// Sets the standard deviation of the biases that is best for inversions of `layer`. It is 1
    /// for layers with a stride of at least eight pixels (`pool3` and deeper), which gains 1 to 5
    /// dB. It is 0 for shallower layers, where biases would cost 2 dB (`docs/QUALITY.md`,
    /// "Inversion").
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`](crate::Error::UnknownLayer) for a layer that the network does not have.
    pub fn with_biases_for(self, layer: Layer) -> Result<Self> {
        let stride = self.architecture.geometry(layer, self.padding)?.stride;
        Ok(self.with_bias_sigma(if stride >= 8 { 1.0 } else { 0.0 }))
    }

    /// The seed of all layers without a seed of their own.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.weights.seed
    }

    /// The standard deviation of the biases.
    #[must_use]
    pub fn bias_sigma(&self) -> f64 {
        self.weights.bias_sigma
    }

    /// Refuses a description of no network, as [`init`](Self::init) does: recipes hold any numbers.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for a sigma that is not a positive number, [`Error::UnknownLayer`]
    /// for a seeded layer that the architecture does not have.
    pub fn check(&self) -> Result<()> {
        positive("sigma", self.weights.sigma)?;
        not_negative("bias sigma", self.weights.bias_sigma)?;
        self.preprocessing.check()?;
        for &layer in self.weights.layer_seeds.keys() {
            self.architecture.check(layer)?;
            if !layer.has_weights() {
                return Err(Error::option(
                    "seeded layer",
                    layer,
                    "convolutions and fully connected layers",
                ));
            }
        }
        Ok(())
    }

    /// The network on a device. The weights of a layer are drawn at their first use.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check), and [`Error::Threads`].
    pub fn init(&self, device: &Device) -> Result<Vgg> {
        self.check()?;
        threads()?;
        let plan = self.plan();
        let bias_sigma = self.weights.bias_sigma as f32;
        let mut next_stream = 0;
        let mut random = |layer: Layer, shape: ConvolutionShape| {
            let seeds = &self.weights.layer_seeds;
            let seed = seeds.get(&layer).copied().unwrap_or(self.weights.seed);
            let stream = next_stream;
            next_stream += 1;
            LazyParameters::new(move || Arc::new(draw(shape, seed, stream, bias_sigma)))
        };
        let layers = plan.stages().into_iter().map(|stage| {
            let weighted = match stage.operation {
                Operation::Pool(pool) => Weighted::Pool(pool),
                Operation::Convolution(shape) => {
                    Weighted::Convolution(shape, random(stage.layer, shape))
                }
            };
            (stage.layer, weighted)
        });
        let layers = layers.collect();
        Ok(Vgg::new(plan, device, Some(self.clone()), layers))
    }

    /// The factor between the activations of weights from `N(0, sigma)` and the activations
    /// computed here: the product of `sigma / sqrt(2 / fan in)` over all layers up to `layer`.
    ///
    /// A content loss in the units of the paper is the loss here times the square of the gain. A Gram
    /// loss is the loss here times its fourth power.
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
                gain *= self.weights.sigma / he_sigma(shape);
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
