//! A network on a device, and its variants with other padding, pooling or precision.

use std::fmt;
use std::sync::{Arc, OnceLock};

use burn::tensor::Device;

use super::stages::{Stage, stages};
use super::{Architecture, Layer, Preprocessing, RandomVgg};
use crate::device::{check_half, name_of};
use crate::engine::{
    ConvolutionShape, LazyParameters, Padding, Pool, Pooling, Precision, Trunk, Weighted, compile,
    compile_differentiable, has_half,
};
use crate::error::{Error, Result};

/// A VGG network, or AlexNet, on a device. Clones share the network.
///
/// [`RandomVgg`] and [`WeightFile`](crate::WeightFile) create it. Images are tensors `[1, 3, H, W]`
/// of sRGB values in 0..=1, or stacks of maps with the number of channels that the network was
/// created for. Features are `[1, C, h, w]`, NHWC in memory.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::Tensor;
/// use ranvgg::network::Features;
/// use ranvgg::{Architecture, RandomVgg, device};
///
/// let device = device::by_name("flex")?;
/// let vgg = RandomVgg::vgg19().with_seed(7).init(&device)?;
/// let layer = Architecture::Vgg19.layer("conv2_1")?;
/// let image = Tensor::full([1, 3, 32, 32], 0.5, &device);
///
/// let (features, trace) = vgg.forward(image, &[layer])?;
/// let map = features.get(layer).unwrap().clone();
/// assert_eq!(map.dims(), [1, 128, 16, 16]);
///
/// // The gradient of half the sum of squares of that map, with respect to the image.
/// let gradient = vgg.backward(Features::from_iter([(layer, map)]), &trace)?;
/// assert_eq!(gradient.dims(), [1, 3, 32, 32]);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone)]
pub struct Vgg {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) plan: Plan,
    pub(super) layers: Vec<(Layer, Weighted)>,
    pub(super) trunk: Arc<dyn Trunk>,
    /// The layers for images that autodiff tracks, compiled at their first use.
    differentiable: OnceLock<Arc<dyn Trunk>>,
    device: Device,
    recipe: Option<RandomVgg>,
}

impl Inner {
    fn weighted(&self) -> Vec<Weighted> {
        weighted(&self.layers)
    }

    pub(super) fn differentiable(&self) -> &Arc<dyn Trunk> {
        let make = || compile_differentiable(&self.device, &self.weighted());
        self.differentiable.get_or_init(make)
    }
}

fn weighted(layers: &[(Layer, Weighted)]) -> Vec<Weighted> {
    layers
        .iter()
        .map(|(_, weighted)| weighted.clone())
        .collect()
}

/// The options of a network, without its weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) architecture: Architecture,
    pub(super) pooling: Pooling,
    pub(super) padding: Padding,
    pub(super) preprocessing: Preprocessing,
    pub(super) precision: Precision,
}

impl Plan {
    pub(super) fn stages(&self) -> Vec<Stage> {
        let channels = self.preprocessing.channels();
        stages(self.architecture, channels, self.pooling, self.padding)
    }
}

impl Vgg {
    /// A network of these layers, from the first one on. Deeper layers of the architecture are
    /// unavailable.
    pub(super) fn new(
        plan: Plan,
        device: &Device,
        recipe: Option<RandomVgg>,
        layers: Vec<(Layer, Weighted)>,
    ) -> Self {
        let trunk = compile(device, plan.precision, &weighted(&layers));
        Self::from_parts(plan, layers, trunk, device.clone().inner(), recipe)
    }

    fn from_parts(
        plan: Plan,
        layers: Vec<(Layer, Weighted)>,
        trunk: Arc<dyn Trunk>,
        device: Device,
        recipe: Option<RandomVgg>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                plan,
                layers,
                trunk,
                differentiable: OnceLock::new(),
                device,
                recipe,
            }),
        }
    }

    /// The network with another [`Precision`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for [`Precision::Half`] on a device without it, and
    /// [`Error::DeviceUnavailable`] on a device whose results in it are wrong
    /// ([checked](crate::device::check) once).
    pub fn with_precision(&self, precision: Precision) -> Result<Self> {
        if precision == Precision::Half {
            if !has_half(self.device()) {
                let allowed = format!(
                    "single or plain on {}: half is for GPUs that have f16",
                    name_of(self.device())
                );
                return Err(Error::option("precision", "half", allowed));
            }
            check_half(self.device())?;
        }
        let inner = &self.inner;
        let plan = Plan {
            precision,
            ..inner.plan.clone()
        };
        let trunk = compile(&inner.device, precision, &inner.weighted());
        let (layers, device) = (inner.layers.clone(), inner.device.clone());
        Ok(Self::from_parts(
            plan,
            layers,
            trunk,
            device,
            inner.recipe.clone(),
        ))
    }

    /// The network with another padding of its convolutions.
    ///
    /// For example, the statistics of an exemplar that does not tile are measured with reflection,
    /// and a texture that tiles is optimised with circular padding.
    #[must_use]
    pub fn with_padding(&self, padding: Padding) -> Self {
        let recipe = self.inner.recipe.clone();
        let recipe = recipe.map(|recipe| recipe.with_padding(padding));
        self.with_geometry(padding, self.pooling(), recipe)
    }

    /// The network with another pooling.
    #[must_use]
    pub fn with_pooling(&self, pooling: Pooling) -> Self {
        let recipe = self.inner.recipe.clone();
        let recipe = recipe.map(|recipe| recipe.with_pooling(pooling));
        self.with_geometry(self.padding(), pooling, recipe)
    }

    /// The network with the same packed weights and another padding and pooling.
    fn with_geometry(&self, padding: Padding, pooling: Pooling, recipe: Option<RandomVgg>) -> Self {
        let inner = &self.inner;
        let plan = Plan {
            padding,
            pooling,
            ..inner.plan.clone()
        };
        let layers = inner.layers.iter().map(|(layer, weighted)| {
            let weighted = match weighted {
                Weighted::Convolution(shape, parameters) => {
                    let shape = ConvolutionShape {
                        mode: padding,
                        ..*shape
                    };
                    Weighted::Convolution(shape, Arc::clone(parameters))
                }
                Weighted::Pool(pool) => Weighted::Pool(Pool { pooling, ..*pool }),
            };
            (*layer, weighted)
        });
        let trunk = inner.trunk.with(padding, pooling);
        Self::from_parts(plan, layers.collect(), trunk, inner.device.clone(), recipe)
    }

    /// The architecture.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.inner.plan.architecture
    }

    /// The padding of its convolutions.
    #[must_use]
    pub fn padding(&self) -> Padding {
        self.inner.plan.padding
    }

    /// The operation of its pooling layers.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.inner.plan.pooling
    }

    /// The precision of its convolutions.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.inner.plan.precision
    }

    /// The preprocessing of its images.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.inner.plan.preprocessing
    }

    /// The number of channels of its images: 3, unless it was created
    /// [for another number](RandomVgg::with_channels).
    #[must_use]
    pub fn channels(&self) -> usize {
        self.inner.plan.preprocessing.channels()
    }

    /// The device that it runs on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// The recipe of a random network. The same recipe gives the same network everywhere.
    #[must_use]
    pub fn recipe(&self) -> Option<&RandomVgg> {
        self.inner.recipe.as_ref()
    }

    /// The layer of this name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] with the names nearest to it.
    pub fn layer(&self, name: &str) -> Result<Layer> {
        self.architecture().layer(name)
    }

    /// Frees the buffers that are kept for the next evaluation.
    pub fn release_buffers(&self) {
        self.inner.trunk.release();
    }

    /// The network with other parameters. `make` returns them from the present ones.
    pub(super) fn with_parameters(
        &self,
        mut make: impl FnMut(Layer, ConvolutionShape, &Arc<LazyParameters>) -> Arc<LazyParameters>,
    ) -> Self {
        let inner = &self.inner;
        let layers = inner.layers.iter().map(|(layer, weighted)| {
            let weighted = match weighted {
                Weighted::Convolution(shape, own) => {
                    Weighted::Convolution(*shape, make(*layer, *shape, own))
                }
                Weighted::Pool(pool) => Weighted::Pool(*pool),
            };
            (*layer, weighted)
        });
        let layers: Vec<_> = layers.collect();
        let trunk = compile(&inner.device, inner.plan.precision, &weighted(&layers));
        let (plan, device) = (inner.plan.clone(), inner.device.clone());
        Self::from_parts(plan, layers, trunk, device, None)
    }

    /// The key of a layer's weights in torchvision's files.
    pub(super) fn key(&self, layer: Layer) -> String {
        let stages = self.inner.plan.stages();
        let stage = stages.into_iter().find(|stage| stage.layer == layer);
        stage.map_or_else(|| layer.to_string(), |stage| stage.key())
    }

    /// The convolutions, from the image up.
    pub(super) fn convolutions(
        &self,
    ) -> impl Iterator<Item = (Layer, &ConvolutionShape, &Arc<LazyParameters>)> {
        self.inner
            .layers
            .iter()
            .filter_map(|(layer, weighted)| match weighted {
                Weighted::Convolution(shape, parameters) => Some((*layer, shape, parameters)),
                Weighted::Pool(_) => None,
            })
    }

    /// The index of a layer.
    pub(super) fn index_of(&self, layer: Layer) -> Result<usize> {
        self.architecture().check(layer)?;
        let index = self
            .inner
            .layers
            .iter()
            .position(|(candidate, _)| *candidate == layer);
        index.ok_or_else(|| Error::missing_tensor(self.key(layer)))
    }

    /// The number of weights and biases that have been drawn or read so far.
    #[must_use]
    pub fn parameters_in_memory(&self) -> usize {
        self.convolutions()
            .filter(|(.., parameters)| parameters.is_made())
            .map(|(_, shape, _)| shape.weights() + shape.channels_out)
            .sum()
    }
}

impl fmt::Debug for Vgg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vgg")
            .field("plan", &self.inner.plan)
            .field("device", &name_of(self.device()))
            .field("recipe", &self.inner.recipe)
            .finish()
    }
}
