//! A network with weights, on a device, and others of the same weights.

use std::fmt;
use std::sync::Arc;

use burn::tensor::Device;

use super::stages::{Operation, Stage, stages};
use super::{Architecture, Layer, Preprocessing, RandomVgg};
use crate::device::{check_half, name_of};
use crate::error::{Error, Result};
use crate::kernels::{
    Convolution, ConvolutionShape, Engine, Padding, ParameterSource, Parameters, Pool, Pooling,
    Precision, has_half,
};

/// A VGG network, or AlexNet, on a device. Cloning shares it.
///
/// It comes from [`RandomVgg`] or from a [`WeightFile`](crate::WeightFile). Images are tensors
/// `[1, 3, H, W]` of sRGB values in 0..=1, or stacks of maps of as many channels as it was made for;
/// features are `[1, C, h, w]`, channels last in memory.
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
    pub(super) stages: Vec<(Layer, Weighted)>,
    pub(super) engine: Engine,
    recipe: Option<RandomVgg>,
}

/// What a network is apart from its weights.
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

pub(super) enum Weighted {
    Convolution(Box<Convolution>),
    Pool(Pool),
}

impl Weighted {
    /// Height and width of what it makes of a map of these.
    pub(super) fn output(&self, height: usize, width: usize) -> (usize, usize) {
        match self {
            Self::Convolution(convolution) => convolution.shape.output(height, width),
            Self::Pool(pool) => pool.output(height, width),
        }
    }
}

impl Vgg {
    /// A network whose convolutions get their parameters from `source`, when first used.
    ///
    /// `depth` limits the stages that have weights; deeper layers are refused.
    pub(super) fn new(
        plan: Plan,
        device: &Device,
        recipe: Option<RandomVgg>,
        depth: usize,
        mut source: impl FnMut(Layer, ConvolutionShape) -> ParameterSource,
    ) -> Self {
        let stages = plan
            .stages()
            .into_iter()
            .take(depth)
            .map(
                |Stage {
                     layer, operation, ..
                 }| {
                    let weighted = match operation {
                        Operation::Pool(pool) => Weighted::Pool(pool),
                        Operation::Convolution(shape) => {
                            let source = source(layer, shape);
                            Weighted::Convolution(Box::new(Convolution::new(
                                shape,
                                plan.precision,
                                source,
                            )))
                        }
                    };
                    (layer, weighted)
                },
            )
            .collect();
        let engine = Engine::new(device, plan.precision);
        Self {
            inner: Arc::new(Inner {
                plan,
                stages,
                engine,
                recipe,
            }),
        }
    }

    /// The same network computing in another [`Precision`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for [`Precision::Half`] on a device without it, and
    /// [`Error::DeviceUnavailable`] on one that does not compute right in it
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
        Ok(self.changed(|plan| plan.precision = precision, |recipe| recipe))
    }

    /// The same network with convolutions that continue their input in another way.
    ///
    /// An exemplar that does not tile, for instance, is read by a network that reflects, while its
    /// texture is made through one that wraps.
    #[must_use]
    pub fn with_padding(&self, padding: Padding) -> Self {
        let recipe = |recipe: RandomVgg| recipe.with_padding(padding);
        self.changed(|plan| plan.padding = padding, recipe)
    }

    /// The same network with pooling that summarises in another way.
    #[must_use]
    pub fn with_pooling(&self, pooling: Pooling) -> Self {
        let recipe = |recipe: RandomVgg| recipe.with_pooling(pooling);
        self.changed(|plan| plan.pooling = pooling, recipe)
    }

    /// The same weights in a plan, and of a recipe, that differ in something.
    fn changed(
        &self,
        plan: impl FnOnce(&mut Plan),
        recipe: impl FnOnce(RandomVgg) -> RandomVgg,
    ) -> Self {
        let mut changed = self.inner.plan.clone();
        plan(&mut changed);
        self.remade(changed, self.inner.recipe.clone().map(recipe))
    }

    /// The same weights in another plan of the same architecture.
    fn remade(&self, plan: Plan, recipe: Option<RandomVgg>) -> Self {
        let stages = self.inner.stages.iter().map(|(layer, weighted)| {
            let weighted = match weighted {
                Weighted::Convolution(convolution) => {
                    let shape = ConvolutionShape {
                        mode: plan.padding,
                        ..convolution.shape
                    };
                    Weighted::Convolution(Box::new(convolution.remade(shape, plan.precision)))
                }
                Weighted::Pool(pool) => Weighted::Pool(Pool {
                    pooling: plan.pooling,
                    ..*pool
                }),
            };
            (*layer, weighted)
        });
        let stages = stages.collect();
        let engine = Engine::new(self.device(), plan.precision);
        Self {
            inner: Arc::new(Inner {
                plan,
                stages,
                engine,
                recipe,
            }),
        }
    }

    /// The network's plan.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.inner.plan.architecture
    }

    /// How its convolutions continue their input.
    #[must_use]
    pub fn padding(&self) -> Padding {
        self.inner.plan.padding
    }

    /// How its pooling layers summarise.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.inner.plan.pooling
    }

    /// How its convolutions compute.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.inner.plan.precision
    }

    /// What is done to colours before the first layer.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.inner.plan.preprocessing
    }

    /// How many channels the images have that it reads: 3, of colours, unless it was
    /// [made for others](RandomVgg::with_channels).
    #[must_use]
    pub fn channels(&self) -> usize {
        self.inner.plan.preprocessing.channels()
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.inner.engine.device()
    }

    /// How it was drawn, if it was: the same recipe yields the same network anywhere.
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

    /// Frees the buffers that evaluations reuse.
    pub fn release_buffers(&self) {
        self.inner.engine.release();
    }

    /// The same plan, as deep, with parameters from elsewhere.
    pub(super) fn with_sources(
        &self,
        source: impl FnMut(Layer, ConvolutionShape) -> ParameterSource,
    ) -> Self {
        let depth = self.inner.stages.len();
        Self::new(self.inner.plan.clone(), self.device(), None, depth, source)
    }

    /// The parameters of a convolution that the network has.
    pub(super) fn parameters(&self, layer: Layer) -> Arc<Parameters> {
        let mut convolutions = self.convolutions();
        match convolutions.find(|(candidate, _)| *candidate == layer) {
            Some((_, convolution)) => Arc::clone(convolution.parameters()),
            None => unreachable!("{layer} is a convolution of the network"),
        }
    }

    /// The key of a layer's weights in torchvision's files.
    pub(super) fn key(&self, layer: Layer) -> String {
        let stages = self.inner.plan.stages();
        let stage = stages.into_iter().find(|stage| stage.layer == layer);
        stage.map_or_else(|| layer.to_string(), |stage| stage.key())
    }

    /// The convolutions, from the image up.
    pub(super) fn convolutions(&self) -> impl Iterator<Item = (Layer, &Convolution)> {
        self.inner
            .stages
            .iter()
            .filter_map(|(layer, weighted)| match weighted {
                Weighted::Convolution(convolution) => Some((*layer, &**convolution)),
                Weighted::Pool(_) => None,
            })
    }

    pub(super) fn place(&self, layer: Layer) -> Result<usize> {
        self.architecture().check(layer)?;
        let place = self
            .inner
            .stages
            .iter()
            .position(|(candidate, _)| *candidate == layer);
        place.ok_or_else(|| Error::missing_tensor(self.key(layer)))
    }

    /// How many of the network's values were drawn or read so far.
    #[must_use]
    pub fn parameters_in_memory(&self) -> usize {
        self.convolutions()
            .filter(|(_, convolution)| convolution.is_drawn())
            .map(|(_, convolution)| convolution.shape.weights() + convolution.shape.channels_out)
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
