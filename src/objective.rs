//! The objective that a run minimises: a weighted sum of losses at layers and at the image.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Tensor;

use crate::backend::is_in_host_memory;
use crate::engine::{FeatureMap, Padding};
use crate::error::{Error, Result, not_negative};
use crate::imaging::{Halving, halving_of};
use crate::loss::{Gradient, Loss, Observation};
use crate::network::{Layer, LayerNormalizer, Vgg};

/// A sum of weighted losses of one image.
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
    /// One for each size that was halved.
    halvings: Mutex<Vec<Halving>>,
}

struct Term {
    name: String,
    measures: Measures,
    weight: f64,
    loss: Box<dyn Loss>,
}

/// What a term measures.
#[derive(Clone, Copy, PartialEq)]
enum Measures {
    /// A layer's features of the image halved this many times.
    Layer { octave: usize, layer: Layer },
    /// The image itself, halved this many times.
    Image { octave: usize },
}

impl Measures {
    fn octave(self) -> usize {
        match self {
            Self::Layer { octave, .. } | Self::Image { octave } => octave,
        }
    }
}

/// Weight of an octave's terms compared with those of the octave twice its size: a quarter at each
/// pixel, of which it has a quarter. Of 4, 1 and 1/4 at each pixel the last gave the closest patch
/// statistics on pebbles and scales (`docs/QUALITY.md`).
const OCTAVE_SHARE: f64 = 0.0625;

/// Pixels of an image in host memory from which the first layer's features are computed twice instead
/// of being kept: at 64 channels of f32 they take 128 MiB from here on. On GPUs the backward pass of that
/// layer needs them anyway.
const RECOMPUTED_FROM: usize = 512 * 1024;

/// The terms of an objective at one image, and their gradient.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The weighted terms, `[k]`; their sum is the objective.
    pub values: Tensor<1>,
    /// The gradient of the sum with respect to the image, `[1, 3, H, W]`.
    pub gradient: Tensor<4>,
}

impl Objective {
    /// An objective without terms.
    #[must_use]
    pub fn new(vgg: &Vgg) -> Self {
        Self {
            vgg: vgg.clone(),
            terms: Vec::new(),
            halvings: Mutex::default(),
        }
    }

    /// Adds `weight` times a loss of the features at `layer`.
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

    /// The same of the image halved `octave` times: see [`halve`](crate::imaging::halve).
    #[must_use]
    pub fn at_octave(
        self,
        octave: usize,
        name: impl Into<String>,
        layer: Layer,
        weight: f64,
        loss: impl Loss + 'static,
    ) -> Self {
        let measures = Measures::Layer { octave, layer };
        self.with(name.into(), measures, weight, Box::new(loss))
    }

    /// Adds `weight` times a loss of the image itself.
    #[must_use]
    pub fn at_image(self, name: impl Into<String>, weight: f64, loss: impl Loss + 'static) -> Self {
        self.at_halved_image(0, name, weight, loss)
    }

    /// The same of the image halved `octave` times.
    #[must_use]
    pub fn at_halved_image(
        self,
        octave: usize,
        name: impl Into<String>,
        weight: f64,
        loss: impl Loss + 'static,
    ) -> Self {
        self.with(
            name.into(),
            Measures::Image { octave },
            weight,
            Box::new(loss),
        )
    }

    fn with(mut self, name: String, measures: Measures, weight: f64, loss: Box<dyn Loss>) -> Self {
        self.terms.push(Term {
            name,
            measures,
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

    /// How often the image is halved.
    fn octaves(&self) -> usize {
        let octaves = self.terms.iter().map(|term| term.measures.octave());
        octaves.max().unwrap_or(0)
    }

    /// The terms at the features of one octave: their positions, layers and losses.
    fn at(&self, octave: usize) -> impl Iterator<Item = (usize, Layer, &Term)> {
        self.terms
            .iter()
            .enumerate()
            .filter_map(move |(index, term)| match term.measures {
                Measures::Layer { octave: at, layer } if at == octave => Some((index, layer, term)),
                _ => None,
            })
    }

    /// The terms at the image of one octave, with their positions.
    fn at_image_of(&self, octave: usize) -> impl Iterator<Item = (usize, &Term)> {
        let here = Measures::Image { octave };
        self.terms
            .iter()
            .enumerate()
            .filter(move |(_, term)| term.measures == here)
    }

    /// What halves images of the size of `image`.
    fn halving(&self, image: &Tensor<4>) -> Result<Halving> {
        let [.., height, width] = image.dims();
        let size = [height, width];
        let mut halvings = self.halvings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(halving) = halvings.iter().find(|halving| halving.input() == size) {
            return Ok(halving.clone());
        }
        let wraps = self.vgg.padding() == Padding::Circular;
        let halving = halving_of(image, wraps)?;
        halvings.push(halving.clone());
        Ok(halving)
    }

    /// The image and its halvings.
    fn pyramid(&self, image: Tensor<4>) -> Result<Vec<Tensor<4>>> {
        let mut images = vec![image];
        for octave in 0..self.octaves() {
            let half = self.halving(&images[octave])?.apply(images[octave].clone());
            images.push(half);
        }
        Ok(images)
    }

    /// Multiplies each weight so that a term of weight 1 has a gradient at `image`, which should be
    /// noise, whose absolute values add up to 1 (see [`LayerNormalizer`]); of octave `k`, to `16^-k`
    /// at the pixels of that octave.
    ///
    /// # Errors
    ///
    /// Those of [`LayerNormalizer::measure`].
    pub fn normalize(&mut self, image: Tensor<4>) -> Result<()> {
        self.check()?;
        let mut factors = vec![1.0; self.terms.len()];
        for (octave, image) in self.pyramid(image)?.into_iter().enumerate() {
            let losses: Vec<(Layer, &dyn Loss)> = self
                .at(octave)
                .map(|(_, layer, term)| (layer, &*term.loss))
                .collect();
            let normalizer = LayerNormalizer::measure(&self.vgg, image.clone(), &losses)?;
            for ((index, ..), weight) in self.at(octave).zip(normalizer.weights()) {
                factors[index] = *weight;
            }
            let mut sums = Vec::new();
            for (_, term) in self.at_image_of(octave) {
                let mut observation = Observation::from(image.clone());
                let gradient = term.loss.measure(&mut observation, 1.0)?.gradient;
                sums.push(gradient.at(observation)?.abs().sum());
            }
            let normalizer = LayerNormalizer::from_sums(sums)?;
            for ((index, _), weight) in self.at_image_of(octave).zip(normalizer.weights()) {
                factors[index] = *weight;
            }
        }
        // Smaller octaves have fewer positions, whose statistics cannot be matched without copying
        // the exemplar: with equal weights what is left of them drowns the rest.
        for (term, factor) in self.terms.iter().zip(&mut factors) {
            *factor *= OCTAVE_SHARE.powi(term.measures.octave() as i32);
        }
        for (term, factor) in self.terms.iter_mut().zip(factors) {
            term.weight *= factor;
        }
        Ok(())
    }

    /// All terms at `image`, `[1, 3, H, W]`, and the gradient of their sum: for each octave one
    /// forward and one backward pass, up to the deepest layer that a term uses.
    ///
    /// Nothing is read from the device, but by losses that say so: [`Wasserstein`](crate::loss::Wasserstein)
    /// sorts on the host.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] without terms or for a weight below zero, and those of
    /// [`Vgg::forward`] and of the losses.
    pub fn evaluate(&self, image: Tensor<4>) -> Result<Evaluation> {
        self.check()?;
        let images = self.pyramid(image.clone())?;
        let mut values = vec![None; self.terms.len()];
        let mut gradient: Option<Tensor<4>> = None;
        for (octave, smaller) in images.iter().enumerate().rev() {
            // What arrived from the smaller octave, spread over this one's pixels.
            gradient = match gradient {
                Some(gradient) => Some(self.halving(smaller)?.gradient(gradient)),
                None => None,
            };
            let arriving = self.evaluate_octave(octave, smaller, &mut values)?;
            gradient = sum(gradient, arriving);
            for (index, term) in self.at_image_of(octave) {
                let mut observation = Observation::from(smaller.clone());
                let measured = term.loss.measure(&mut observation, term.weight)?;
                values[index] = Some(measured.value);
                gradient = sum(gradient, Some(measured.gradient.at(observation)?));
            }
        }
        Ok(Evaluation {
            values: Tensor::cat(values.into_iter().flatten().collect(), 0),
            gradient: gradient.unwrap_or_else(|| image.zeros_like()),
        })
    }

    /// The layer whose features are not kept between the forward and the backward pass, but computed
    /// again: the first, of a large image in host memory. Its map is the largest of all, and the cheapest.
    fn recomputed(&self, taps: &[Layer], image: &Tensor<4>) -> Option<Layer> {
        let [.., height, width] = image.dims();
        let first = self.vgg.architecture().layers().into_iter().next()?;
        let large = height * width >= RECOMPUTED_FROM && is_in_host_memory(&image.device());
        (large && taps.len() > 1 && taps.contains(&first)).then_some(first)
    }

    /// The terms at one octave, into their places in `values`, and the gradient at its image.
    fn evaluate_octave(
        &self,
        octave: usize,
        image: &Tensor<4>,
        values: &mut [Option<Tensor<1>>],
    ) -> Result<Option<Tensor<4>>> {
        let mut taps = Vec::new();
        for (_, layer, _) in self.at(octave) {
            if !taps.contains(&layer) {
                taps.push(layer);
            }
        }
        if taps.is_empty() {
            return Ok(None);
        }
        let recomputed = self.recomputed(&taps, image);
        let taps: Vec<(Layer, bool)> = taps
            .into_iter()
            .map(|layer| (layer, Some(layer) != recomputed))
            .collect();
        let (mut features, trace) = self.vgg.forward_maps(image.clone(), &taps)?;
        // Each layer's losses are measured when the backward pass gets there, and its features freed:
        // at the shallow layers each gradient is as large as all the deep layers together.
        let measure = |layer: Layer| -> Result<Option<FeatureMap>> {
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
            for (index, at, term) in self.at(octave) {
                if at == layer {
                    let measured = term.loss.measure(&mut observation, term.weight)?;
                    values[index] = Some(measured.value);
                    gradient = gradient.plus(measured.gradient);
                }
            }
            gradient.multiplied_out(observation).map(Some)
        };
        self.vgg.backward_from(&trace, measure).map(Some)
    }
}

fn sum(a: Option<Tensor<4>>, b: Option<Tensor<4>>) -> Option<Tensor<4>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (one, other) => one.or(other),
    }
}
