//! The objective that a run minimises: a weighted sum of losses at layers and at the image.

mod blocks;
mod by_blocks;

use std::sync::{Mutex, PoisonError};

use burn::tensor::Tensor;

use self::by_blocks::OctaveByBlocks;
use crate::backend::is_in_host_memory;
use crate::engine::{FeatureMap, Padding};
use crate::error::{Error, Result, not_negative};
use crate::imaging::{Halving, Size, halving_of};
use crate::loss::{Gradient, Loss, Observation};
use crate::network::{Layer, LayerNormalizer, LayerTap, Vgg};

/// A weighted sum of losses of an image.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::Tensor;
/// use ranvgg::loss::TotalVariation;
/// use ranvgg::objective::Objective;
/// use ranvgg::{Gram, RandomVgg, device};
///
/// let vgg = RandomVgg::vgg19().init(&device::by_name("flex")?)?;
/// let layer = vgg.layer("conv2_1")?;
/// let exemplar = Tensor::full([1, 3, 32, 32], 0.5, vgg.device());
/// let target = Gram::of(vgg.features(exemplar.clone(), &[layer])?.get(layer).unwrap().clone())?;
///
/// let objective = Objective::new(&vgg)
///     .at_layer("style conv2_1", layer, 1.0, target)
///     .at_image("total variation", 0.1, TotalVariation);
/// let evaluation = objective.evaluate(exemplar)?;
/// assert_eq!(evaluation.values.dims(), [2]);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
pub struct Objective {
    vgg: Vgg,
    terms: Vec<Term>,
    /// The halvings for all sizes so far.
    halvings: Mutex<Vec<Halving>>,
    /// The longest side of an image that is evaluated as a whole.
    block_side: Option<usize>,
}

struct Term {
    name: String,
    subject: Subject,
    weight: f64,
    loss: Box<dyn Loss>,
}

/// What a term measures. The image of octave `k` is the image halved `k` times.
#[derive(Clone, Copy, PartialEq)]
enum Subject {
    /// A layer's features of the image of an octave.
    Layer { octave: usize, layer: Layer },
    /// The image of an octave.
    Image { octave: usize },
}

impl Subject {
    fn octave(self) -> usize {
        match self {
            Self::Layer { octave, .. } | Self::Image { octave } => octave,
        }
    }
}

/// The weight of an octave's terms, relative to the octave of twice the size: a quarter of the
/// pixels, times 1/4 for each pixel. Of the factors 4, 1 and 1/4 for each pixel, 1/4 gave the
/// closest patch statistics on pebbles and scales (`docs/QUALITY.md`).
const OCTAVE_SHARE: f64 = 0.0625;

/// The fewest pixels of an image for which the first layer's features are recomputed in the
/// backward pass instead of kept, on devices with tensors in host memory. At this size 64 channels
/// of f32 take 128 MiB. On GPUs the backward pass of that layer needs the features anyway.
const RECOMPUTED_FROM: usize = 512 * 1024;

/// The values of an objective's terms at an image, and the gradient of their sum.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The weighted values of the terms, `[k]`. Their sum is the objective.
    pub values: Tensor<1>,
    /// The gradient of the sum with respect to the image, `[1, 3, H, W]`.
    pub gradient: Tensor<4>,
}

impl std::fmt::Debug for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let terms = self.terms.iter().map(|term| (&term.name, term.weight));
        f.debug_map().entries(terms).finish()
    }
}

impl Objective {
    /// An objective without terms.
    #[must_use]
    pub fn new(vgg: &Vgg) -> Self {
        Self {
            vgg: vgg.clone(),
            terms: Vec::new(),
            halvings: Mutex::default(),
            block_side: None,
        }
    }

    /// Evaluates the features of images with a longer side than `side` pixels in blocks of no more than
    /// `side` x `side` pixels, for bounded memory. Value and gradient are the same up to rounding.
    ///
    /// A block includes a margin that its features depend on, so large blocks cost less. Each image is
    /// passed through the network twice forward and once backward, and again for the directions of distributions
    /// whose projections do not fit beside a block. An octave with a loss that needs its
    /// whole map ([`Loss::by_blocks`]) is evaluated as a whole, and so is an axis of an image that wraps
    /// and has not a multiple of the strides of the layers. Default: images of any size as a whole.
    #[must_use]
    pub fn with_block_side(mut self, side: usize) -> Self {
        self.block_side = Some(side);
        self
    }

    /// Adds the term `weight` times `loss` of the features at `layer`.
    #[must_use]
    pub fn at_layer(
        self,
        name: impl Into<String>,
        layer: Layer,
        weight: f64,
        loss: impl Loss + 'static,
    ) -> Self {
        self.at_octave(0, name, layer, weight, loss)
    }

    /// As [`at_layer`](Self::at_layer), for the image halved `octave` times by
    /// [`halve`](crate::imaging::halve).
    #[must_use]
    pub fn at_octave(
        self,
        octave: usize,
        name: impl Into<String>,
        layer: Layer,
        weight: f64,
        loss: impl Loss + 'static,
    ) -> Self {
        let subject = Subject::Layer { octave, layer };
        self.with(name.into(), subject, weight, Box::new(loss))
    }

    /// Adds the term `weight` times `loss` of the image.
    #[must_use]
    pub fn at_image(self, name: impl Into<String>, weight: f64, loss: impl Loss + 'static) -> Self {
        self.at_halved_image(0, name, weight, loss)
    }

    /// As [`at_image`](Self::at_image), for the image halved `octave` times.
    #[must_use]
    pub fn at_halved_image(
        self,
        octave: usize,
        name: impl Into<String>,
        weight: f64,
        loss: impl Loss + 'static,
    ) -> Self {
        let subject = Subject::Image { octave };
        self.with(name.into(), subject, weight, Box::new(loss))
    }

    fn with(mut self, name: String, subject: Subject, weight: f64, loss: Box<dyn Loss>) -> Self {
        self.terms.push(Term {
            name,
            subject,
            weight,
            loss,
        });
        self
    }

    /// The names of the terms, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.name.as_str())
    }

    /// The weights of the terms, in order.
    pub fn weights(&self) -> impl Iterator<Item = f64> {
        self.terms.iter().map(|term| term.weight)
    }

    fn check(&self) -> Result<()> {
        if self.terms.is_empty() {
            return Err(Error::option("objective", "empty", "at least one term"));
        }
        self.terms
            .iter()
            .try_for_each(|term| not_negative(&format!("the weight of {}", term.name), term.weight))
    }

    /// The number of times that the image is halved.
    fn halving_count(&self) -> usize {
        let octaves = self.terms.iter().map(|term| term.subject.octave());
        octaves.max().unwrap_or(0)
    }

    /// The terms of features at one octave: index, layer and term.
    fn feature_terms(&self, octave: usize) -> impl Iterator<Item = (usize, Layer, &Term)> {
        self.terms
            .iter()
            .enumerate()
            .filter_map(move |(index, term)| match term.subject {
                Subject::Layer { octave: own, layer } if own == octave => {
                    Some((index, layer, term))
                }
                Subject::Layer { .. } | Subject::Image { .. } => None,
            })
    }

    /// The terms of the image at one octave: index and term.
    fn image_terms(&self, octave: usize) -> impl Iterator<Item = (usize, &Term)> {
        let subject = Subject::Image { octave };
        self.terms
            .iter()
            .enumerate()
            .filter(move |(_, term)| term.subject == subject)
    }

    /// The halving for images of the size of `image`.
    fn halving(&self, image: &Tensor<4>) -> Result<Halving> {
        let [.., height, width] = image.dims();
        let size = [height, width];
        let mut halvings = self.halvings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(halving) = halvings.iter().find(|halving| halving.input() == size) {
            return Ok(halving.clone());
        }
        let wraps = self.vgg.padding() == Padding::Circular;
        // Not on the device of this image, which autodiff may watch.
        let halving = halving_of(image, wraps, self.vgg.device())?;
        halvings.push(halving.clone());
        Ok(halving)
    }

    /// The image pyramid: the image of each octave.
    fn pyramid(&self, image: Tensor<4>) -> Result<Vec<Tensor<4>>> {
        let mut images = vec![image];
        for octave in 0..self.halving_count() {
            let half = self.halving(&images[octave])?.apply(images[octave].clone());
            images.push(half);
        }
        Ok(images)
    }

    /// Scales the weights of all terms by their gradients at `image`, which should be noise (see
    /// [`LayerNormalizer`]). Afterwards the absolute gradient of a term of weight 1 sums to 1 over
    /// the pixels, or to `16^-k` over the pixels of octave `k`.
    ///
    /// # Errors
    ///
    /// Those of [`LayerNormalizer::measure`] and of [`evaluate`](Self::evaluate).
    pub fn normalize(&mut self, image: Tensor<4>) -> Result<()> {
        self.check()?;
        self.vgg.check_input(&image)?;
        let mut factors = vec![1.0; self.terms.len()];
        for (octave, image) in self.pyramid(image)?.into_iter().enumerate() {
            let normalizer = self.measure_octave(octave, &image)?;
            for ((index, ..), weight) in self.feature_terms(octave).zip(normalizer.weights()) {
                factors[index] = *weight;
            }
            let mut sums = Vec::new();
            for (_, term) in self.image_terms(octave) {
                let mut observation = Observation::from(image.clone());
                let gradient = term.loss.measure(&mut observation, 1.0)?.gradient;
                sums.push(gradient.at(observation)?.abs().sum());
            }
            let normalizer = LayerNormalizer::from_sums(sums)?;
            for ((index, _), weight) in self.image_terms(octave).zip(normalizer.weights()) {
                factors[index] = *weight;
            }
        }
        // A small octave has few positions, and its statistics cannot be matched without a copy of
        // the exemplar. With equal weights its residual would dominate the objective.
        for (term, factor) in self.terms.iter().zip(&mut factors) {
            *factor *= OCTAVE_SHARE.powi(term.subject.octave() as i32);
        }
        for (term, factor) in self.terms.iter_mut().zip(factors) {
            term.weight *= factor;
        }
        Ok(())
    }

    /// The weights of the terms of features at one octave.
    fn measure_octave(&self, octave: usize, image: &Tensor<4>) -> Result<LayerNormalizer> {
        let mut sums = Vec::new();
        for (index, layer, term) in self.feature_terms(octave) {
            let Some(blocks) = self.by_blocks(image, &[(index, layer, term, 1.0)])? else {
                let losses: Vec<(Layer, &dyn Loss)> = self
                    .feature_terms(octave)
                    .map(|(_, layer, term)| (layer, &*term.loss))
                    .collect();
                return LayerNormalizer::measure(&self.vgg, image.clone(), &losses);
            };
            let gradient = blocks.evaluate(image, &mut vec![None; self.terms.len()])?;
            sums.push(gradient.abs().sum());
        }
        LayerNormalizer::from_sums(sums)
    }

    /// The evaluation of terms block by block, if there is one for this image.
    fn by_blocks<'a>(
        &'a self,
        image: &Tensor<4>,
        terms: &[(usize, Layer, &'a Term, f64)],
    ) -> Result<Option<OctaveByBlocks<'a>>> {
        let Some(side) = self.block_side else {
            return Ok(None);
        };
        let [_, _, height, width] = image.dims();
        OctaveByBlocks::new(&self.vgg, terms, Size::new(width, height), side)
    }

    /// The features of an image at a layer, block by block if images of that size are evaluated so.
    pub(crate) fn features_at(&self, image: Tensor<4>, layer: Layer) -> Result<Tensor<4>> {
        match self.block_side {
            Some(side) => by_blocks::features_at(&self.vgg, image, layer, side),
            None => self.vgg.features_at(image, layer),
        }
    }

    /// The values of all terms at `image`, `[1, 3, H, W]`, and the gradient of their sum. This
    /// takes one forward and one backward pass for each octave, up to the deepest layer with a
    /// term.
    ///
    /// Nothing of the image's size is read from a GPU, unless a loss documents it: see
    /// [`Wasserstein`](crate::loss::Wasserstein) for the cases that it sorts on the host.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] without terms, for a weight below zero, or for blocks that are smaller than
    /// the margins that a layer needs, and those of [`Vgg::forward`] and of the losses.
    pub fn evaluate(&self, image: Tensor<4>) -> Result<Evaluation> {
        self.check()?;
        self.vgg.check_input(&image)?;
        let images = self.pyramid(image.clone())?;
        let mut values = vec![None; self.terms.len()];
        let mut gradient: Option<Tensor<4>> = None;
        for (octave, smaller) in images.iter().enumerate().rev() {
            // The gradient at the next smaller octave, propagated through the halving.
            gradient = match gradient {
                Some(gradient) => Some(self.halving(smaller)?.gradient(gradient)),
                None => None,
            };
            let octave_gradient = self.evaluate_octave(octave, smaller, &mut values)?;
            gradient = sum(gradient, octave_gradient);
            for (index, term) in self.image_terms(octave) {
                let mut observation = Observation::from(smaller.clone());
                let measured = term.loss.measure(&mut observation, term.weight)?;
                values[index] = Some(one_value(measured.value)?);
                gradient = sum(gradient, Some(measured.gradient.at(observation)?));
            }
        }
        Ok(Evaluation {
            values: Tensor::cat(values.into_iter().flatten().collect(), 0),
            gradient: gradient.unwrap_or_else(|| image.zeros_like()),
        })
    }

    /// The layer whose features are recomputed in the backward pass instead of kept: the first
    /// layer, for large images in host memory. Its feature map is the largest and the cheapest to
    /// compute.
    fn recomputed(&self, taps: &[Layer], image: &Tensor<4>) -> Option<Layer> {
        let [.., height, width] = image.dims();
        let first = self.vgg.architecture().layers().into_iter().next()?;
        let large = height * width >= RECOMPUTED_FROM && is_in_host_memory(&image.device());
        (large && taps.len() > 1 && taps.contains(&first)).then_some(first)
    }

    /// Writes the feature terms of one octave to `values`, and returns their gradient at the image
    /// of the octave.
    fn evaluate_octave(
        &self,
        octave: usize,
        image: &Tensor<4>,
        values: &mut [Option<Tensor<1>>],
    ) -> Result<Option<Tensor<4>>> {
        let mut taps = Vec::new();
        for (_, layer, _) in self.feature_terms(octave) {
            if !taps.contains(&layer) {
                taps.push(layer);
            }
        }
        if taps.is_empty() {
            return Ok(None);
        }
        let terms = self.feature_terms(octave);
        let terms: Vec<(usize, Layer, &Term, f64)> = terms
            .map(|(index, layer, term)| (index, layer, term, term.weight))
            .collect();
        if let Some(blocks) = self.by_blocks(image, &terms)? {
            return blocks.evaluate(image, values).map(Some);
        }
        let recomputed = self.recomputed(&taps, image);
        let taps: Vec<LayerTap> = taps
            .into_iter()
            .map(|layer| LayerTap {
                layer,
                returned: Some(layer) != recomputed,
            })
            .collect();
        let (mut features, trace) = self.vgg.forward_maps(image.clone(), &taps)?;
        // The losses of a layer are evaluated when the backward pass reaches it, and its features
        // are freed then. The gradient at a shallow layer is as large as all deep feature maps
        // together.
        let loss_gradient = |layer: Layer| -> Result<Option<FeatureMap>> {
            let map = if Some(layer) == recomputed {
                self.vgg.feature_map(image.clone(), layer)?
            } else {
                match features.pop_if(|(at, _)| *at == layer) {
                    Some((_, map)) => map,
                    None => return Ok(None),
                }
            };
            let mut observation = Observation::from(map);
            let mut gradient = Gradient::default();
            for (index, at, term) in self.feature_terms(octave) {
                if at == layer {
                    let measured = term.loss.measure(&mut observation, term.weight)?;
                    values[index] = Some(one_value(measured.value)?);
                    gradient = gradient.plus(measured.gradient);
                }
            }
            gradient.evaluate(observation).map(Some)
        };
        self.vgg.backward_from(&trace, loss_gradient).map(Some)
    }
}

/// Refuses the value of a loss that is not one number.
fn one_value(value: Tensor<1>) -> Result<Tensor<1>> {
    if value.dims() == [1] {
        return Ok(value);
    }
    Err(Error::Shape {
        what: "the value of a loss".into(),
        found: value.dims().to_vec(),
        expected: "[1]".into(),
    })
}

fn sum(a: Option<Tensor<4>>, b: Option<Tensor<4>>) -> Option<Tensor<4>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (one, other) => one.or(other),
    }
}
