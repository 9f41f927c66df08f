//! A network with weights: forward to taps, back from taps to the image.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::stages::{Operation, Stage, stages};
use super::{Architecture, Features, Layer, Preprocessing, RandomVgg, Trace};
use crate::device::{check_half, name_of};
use crate::error::{Error, Result};
use crate::kernels::{
    Convolution, ConvolutionShape, Engine, Padding, ParameterSource, Parameters, Pool, Pooling,
    Precision, has_half,
};

/// A VGG network, or AlexNet, on a device. Cloning shares it.
///
/// It comes from [`RandomVgg`] or from a [`WeightFile`](super::WeightFile). Images are tensors
/// `[1, 3, H, W]` of sRGB values in 0..=1, or stacks of maps of as many channels as it was made for;
/// features are `[1, C, h, w]`, channels last in memory.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::Tensor;
/// use ranvgg::{Architecture, Features, RandomVgg, device};
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
    /// [`Error::WrongResults`] on one that does not compute right in it
    /// ([checked](crate::device::check) once).
    pub fn with_precision(&self, precision: Precision) -> Result<Self> {
        if precision == Precision::Half && !has_half(self.device()) {
            let allowed = format!(
                "single or plain on {}: half is for GPUs that have f16",
                name_of(self.device())
            );
            return Err(Error::option("precision", "half", allowed));
        }
        if precision == Precision::Half {
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
        place.ok_or_else(|| Error::MissingTensor {
            name: self.key(layer),
        })
    }

    /// The features of `image`, `[1, 3, H, W]`, at each of `taps`.
    ///
    /// Layers above the deepest tap are neither computed nor drawn. On an image that Burn's
    /// autodiff watches, features are part of its graph.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], [`Error::DeviceMismatch`], [`Error::UnknownLayer`],
    /// [`Error::ImageTooSmall`], [`Error::ImageTooLarge`], [`Error::ImageSize`], and
    /// [`Error::InvalidOption`] without taps, or for [`Precision::Half`] at a layer without kernels
    /// for it.
    pub fn features(&self, image: Tensor<4>, taps: &[Layer]) -> Result<Features> {
        self.walk(image, taps, false).map(|(features, _)| features)
    }

    /// The features of `image` at one layer.
    ///
    /// # Errors
    ///
    /// Those of [`features`](Self::features).
    pub(crate) fn map(&self, image: Tensor<4>, layer: Layer) -> Result<Tensor<4>> {
        match self.features(image, &[layer])?.take(layer) {
            Some(map) => Ok(map),
            None => unreachable!("every tap has features"),
        }
    }

    /// As [`features`](Self::features), with what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    ///
    /// Those of [`features`](Self::features).
    pub fn forward(&self, image: Tensor<4>, taps: &[Layer]) -> Result<(Features, Trace)> {
        self.walk(image, taps, true)
    }

    fn walk(&self, image: Tensor<4>, taps: &[Layer], traced: bool) -> Result<(Features, Trace)> {
        let deepest = self.check_taps(&image, taps)?;
        let engine = &self.inner.engine;
        let input = self.inner.plan.preprocessing.apply(image, engine.device());
        let mut map = engine.enter(input)?;
        let mut features = Features::default();
        let mut trace = Trace::of(&self.inner, engine.is_watched(&map));
        let mut place = 0;
        while place <= deepest {
            let stages = &self.inner.stages[place..=deepest];
            let input = map.shape();
            let (next, pooled) = match stages {
                [
                    (layer, Weighted::Convolution(convolution)),
                    (_, Weighted::Pool(pool)),
                    ..,
                ] if !taps.contains(layer) && engine.can_pool(convolution, pool, &map) => {
                    let (next, step) = engine.convolve(convolution, &map, true, traced);
                    trace.steps.extend(step);
                    let [_, _, height, width] = input;
                    let (height, width) = convolution.shape.output(height, width);
                    trace
                        .shapes
                        .push([1, convolution.shape.channels_out, height, width]);
                    trace
                        .steps
                        .extend(traced.then(|| engine.pooled(&next, (height, width))));
                    (next, true)
                }
                [(_, Weighted::Convolution(convolution)), ..] => {
                    let (next, step) = engine.convolve(convolution, &map, false, traced);
                    trace.steps.extend(step);
                    (next, false)
                }
                [(_, Weighted::Pool(pool)), ..] => {
                    let (next, step) = engine.pool(pool, &map, traced);
                    trace.steps.extend(step);
                    (next, false)
                }
                [] => unreachable!("a stage is left"),
            };
            trace.shapes.push(next.shape());
            // The map below is free as soon as this one exists, unless it is asked for.
            let below = std::mem::replace(&mut map, next);
            match place.checked_sub(1).map(|below| self.inner.stages[below].0) {
                Some(layer) if taps.contains(&layer) => features.add(layer, engine.leave(below)),
                _ => engine.recycle(below),
            }
            place += if pooled { 2 } else { 1 };
        }
        features.add(self.inner.stages[deepest].0, engine.leave(map));
        features.arrange(taps);
        Ok((features, trace))
    }

    /// The gradient at the image, `[1, 3, H, W]`, from gradients at features.
    ///
    /// Any layer up to the deepest of the forward pass may carry a gradient, tapped or not.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if a gradient has not the shape of its layer's features, for a layer above
    /// the forward pass, or if there is no gradient; [`Error::DeviceMismatch`];
    /// [`Error::UnknownLayer`] and [`Error::MissingTensor`] for a layer that the network has not;
    /// [`Error::InvalidOption`] for a trace of another network, or of an image that Burn's autodiff
    /// watches: its graph has the gradient.
    pub fn backward(&self, gradients: Features, trace: &Trace) -> Result<Tensor<4>> {
        let mut gradients = gradients;
        for (layer, gradient) in gradients.iter() {
            trace.check(layer, self.place(layer)?, gradient)?;
        }
        self.backward_from(trace, |layer| Ok(gradients.take(layer)))
    }

    /// As [`backward`](Self::backward), with each gradient asked for when the way down gets there,
    /// so that those of several layers need not exist at once.
    ///
    /// # Errors
    ///
    /// Those of [`backward`](Self::backward), and of `arriving`.
    pub(crate) fn backward_from(
        &self,
        trace: &Trace,
        mut arriving: impl FnMut(Layer) -> Result<Option<Tensor<4>>>,
    ) -> Result<Tensor<4>> {
        trace.check_network(&self.inner)?;
        let engine = &self.inner.engine;
        let mut arriving = |place: usize| {
            let layer = self.inner.stages[place].0;
            let Some(gradient) = arriving(layer)? else {
                return Ok(None);
            };
            trace.check(layer, place, &gradient)?;
            self.check_device(&format!("the gradient at {layer}"), &gradient)?;
            engine.enter(gradient.inner()).map(Some)
        };
        let mut top = None;
        for place in (0..trace.steps.len()).rev() {
            if let Some(gradient) = arriving(place)? {
                top = Some((place, gradient));
                break;
            }
        }
        let Some((deepest, top)) = top else {
            return Err(Error::Shape {
                what: "the list of gradients".into(),
                found: vec![0],
                expected: "at least one".into(),
            });
        };
        let mut gradient = engine.start(top, &trace.steps[deepest]);
        for place in (0..=deepest).rev() {
            let step = &trace.steps[place];
            let (below, added) = match place.checked_sub(1) {
                Some(below) => (Some(&trace.steps[below]), arriving(below)?),
                None => (None, None),
            };
            gradient = match &self.inner.stages[place].1 {
                Weighted::Convolution(convolution) => {
                    engine.convolve_gradient(convolution, gradient, step, added, below)
                }
                Weighted::Pool(pool) => engine.pool_gradient(pool, gradient, step, added, below),
            };
        }
        let gradient = engine.leave(gradient);
        Ok(self
            .inner
            .plan
            .preprocessing
            .gradient(gradient, engine.device()))
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
