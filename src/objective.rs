//! What a run minimises: losses at layers and at the image, their weights, their sum.
//!
//! The only file that knows both networks and losses.

use burn::tensor::Tensor;

use crate::error::{Error, Result, not_negative};
use crate::loss::Loss;
use crate::network::{Features, Layer, LayerNormalizer, Vgg};

/// A sum of weighted losses of one image.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::Tensor;
/// use ranvgg::{Gram, Objective, RandomVgg, device, loss::TotalVariation};
///
/// let vgg = RandomVgg::vgg19().init(&device::by_name("flex")?)?;
/// let layer = vgg.layer("conv2_1")?;
/// let exemplar = Tensor::full([1, 3, 32, 32], 0.5, vgg.device());
/// let target = Gram::of(vgg.features(exemplar.clone(), &[layer])?.get(layer).unwrap().clone());
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
}

struct Term {
    name: String,
    place: Place,
    weight: f64,
    loss: Box<dyn Loss>,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Layer(Layer),
    Image,
}

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
        self.with(name.into(), Place::Layer(layer), weight, Box::new(loss))
    }

    /// Adds `weight` times a loss of the image itself.
    #[must_use]
    pub fn at_image(self, name: impl Into<String>, weight: f64, loss: impl Loss + 'static) -> Self {
        self.with(name.into(), Place::Image, weight, Box::new(loss))
    }

    fn with(mut self, name: String, place: Place, weight: f64, loss: Box<dyn Loss>) -> Self {
        self.terms.push(Term {
            name,
            place,
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

    fn taps(&self) -> Vec<Layer> {
        let mut taps = Vec::new();
        for term in &self.terms {
            if let Place::Layer(layer) = term.place
                && !taps.contains(&layer)
            {
                taps.push(layer);
            }
        }
        taps
    }

    /// Multiplies each weight so that a term of weight 1 has a gradient of mean absolute value 1
    /// at `image`, which should be noise (see [`LayerNormalizer`]).
    ///
    /// # Errors
    ///
    /// Those of [`LayerNormalizer::measure`].
    pub fn normalize(&mut self, image: Tensor<4>) -> Result<()> {
        self.check()?;
        let at_layers: Vec<(Layer, &dyn Loss)> = self
            .terms
            .iter()
            .filter_map(|term| match term.place {
                Place::Layer(layer) => Some((layer, &*term.loss)),
                Place::Image => None,
            })
            .collect();
        let at_layers = LayerNormalizer::measure(&self.vgg, image.clone(), &at_layers)?;
        let mut means = Vec::new();
        for term in self.terms.iter().filter(|term| term.place == Place::Image) {
            means.push(term.loss.measure(image.clone())?.gradient.abs().mean());
        }
        let at_image = LayerNormalizer::from_means(means)?;
        let (mut layers, mut images) = (at_layers.weights().iter(), at_image.weights().iter());
        for term in &mut self.terms {
            let factor = match term.place {
                Place::Layer(_) => layers.next(),
                Place::Image => images.next(),
            };
            term.weight *= factor.copied().unwrap_or(1.0);
        }
        Ok(())
    }

    /// All terms at `image`, `[1, 3, H, W]`, and the gradient of their sum: one forward and one
    /// backward pass, up to the deepest layer that a term uses. Reads nothing from the device.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] without terms or for a weight below zero, and those of
    /// [`Vgg::forward`] and of the losses.
    pub fn evaluate(&self, image: Tensor<4>) -> Result<Evaluation> {
        self.check()?;
        let taps = self.taps();
        let passed = match taps.as_slice() {
            [] => None,
            taps => Some(self.vgg.forward(image.clone(), taps)?),
        };
        let mut values = Vec::with_capacity(self.terms.len());
        let mut at_features = Features::default();
        let mut at_image: Option<Tensor<4>> = None;
        for term in &self.terms {
            let map = match (term.place, &passed) {
                (Place::Layer(layer), Some((features, _))) => features.get(layer).cloned(),
                _ => None,
            };
            let measured = term.loss.measure(map.unwrap_or_else(|| image.clone()))?;
            values.push(measured.value.mul_scalar(term.weight));
            let gradient = measured.gradient.mul_scalar(term.weight);
            match term.place {
                Place::Layer(layer) => at_features.add(layer, gradient),
                Place::Image => {
                    at_image = Some(match at_image {
                        Some(sum) => sum + gradient,
                        None => gradient,
                    });
                }
            }
        }
        let through_network = match passed {
            Some((features, trace)) => {
                // The maps' memory is free for the way back.
                drop(features);
                Some(self.vgg.backward(at_features, &trace)?)
            }
            None => None,
        };
        let gradient = match (through_network, at_image) {
            (Some(a), Some(b)) => a + b,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => image.zeros_like(),
        };
        Ok(Evaluation {
            values: Tensor::cat(values, 0),
            gradient,
        })
    }
}
