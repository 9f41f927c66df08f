//! Rescaling of weights to a mean activation of 1 in every channel.

use std::collections::HashMap;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Layer, Vgg};
use crate::backend::read;
use crate::engine::{ConvolutionShape, LazyParameters, Parameters};
use crate::error::{Error, Result, all_finite};

impl Vgg {
    /// The network with the weights of all layers up to `deepest` rescaled so that the mean
    /// activation of each channel over all positions of `images`, `[1, 3, H, W]` each, is 1.
    ///
    /// ```text
    /// w'[o, i] = w[o, i] m[i] / m[o],   b'[o] = b[o] / m[o]
    /// ```
    ///
    /// with the means `m` of the layer's outputs and inputs. ReLU and pooling commute with positive
    /// factors, so the features of each channel are divided by its mean and otherwise unchanged.
    /// Channels that are zero in all images keep their scale. The first layer after `deepest`
    /// undoes the scaling, so deeper features are unchanged. (Gatys, Ecker and Bethge, "Image Style
    /// Transfer Using Convolutional Neural Networks", CVPR 2016, section 2.)
    ///
    /// The result has no recipe: its weights depend on the images.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] without images or for fc8, which has no ReLU; those of
    /// [`features`](Self::features), and [`Error::NotFinite`] for features that are NaN or infinite.
    pub fn rescaled(&self, images: &[Tensor<4>], deepest: Layer) -> Result<Self> {
        let mut means = self.means(images, deepest)?;
        let mut below = None;
        Ok(self.with_parameters(|layer, shape, own| {
            let outputs = means.remove(&layer).map(Arc::new);
            let inputs = std::mem::replace(&mut below, outputs.clone());
            if inputs.is_none() && outputs.is_none() {
                return Arc::clone(own);
            }
            let own = Arc::clone(own);
            LazyParameters::new(move || Arc::new(rescaled(own.get(), shape, &inputs, &outputs)))
        }))
    }

    /// The mean of each channel over all positions of all images, for each convolution up to
    /// `deepest`. A mean of zero is replaced by 1.
    fn means(&self, images: &[Tensor<4>], deepest: Layer) -> Result<HashMap<Layer, Vec<f32>>> {
        let within = self.architecture().up_to(deepest)?;
        if images.is_empty() {
            return Err(Error::option("images", "empty", "at least one"));
        }
        let mut taps = Vec::new();
        let convolutions = self.convolutions();
        for (layer, shape, _) in convolutions.filter(|(layer, ..)| within.contains(layer)) {
            if !shape.relu {
                let allowed = "layers with a ReLU";
                return Err(Error::option(
                    "the deepest layer to rescale",
                    layer,
                    allowed,
                ));
            }
            taps.push(layer);
        }
        let mut sums: HashMap<Layer, Vec<f64>> = HashMap::new();
        let mut positions: HashMap<Layer, usize> = HashMap::new();
        for (number, image) in images.iter().enumerate() {
            for (layer, map) in self.features(image.clone(), &taps)?.iter() {
                let [_, channels, height, width] = map.dims();
                let sum = map.clone().sum_dim(3).sum_dim(2).reshape([channels]);
                let sum: Vec<f32> = read(sum)?;
                all_finite(format!("{layer} of image {}", number + 1), &sum)?;
                let total = sums.entry(layer).or_insert_with(|| vec![0.0; channels]);
                for (total, sum) in total.iter_mut().zip(sum) {
                    *total += f64::from(sum);
                }
                *positions.entry(layer).or_default() += height * width;
            }
        }
        let means = sums.into_iter().map(|(layer, sums)| {
            let count = positions[&layer] as f64;
            let mean = |sum: f64| if sum > 0.0 { (sum / count) as f32 } else { 1.0 };
            (layer, sums.into_iter().map(mean).collect())
        });
        Ok(means.collect())
    }
}

/// The parameters for inputs that are divided by the means `inputs` and outputs that are divided by
/// the means `outputs`.
fn rescaled(
    own: &Parameters,
    shape: ConvolutionShape,
    inputs: &Option<Arc<Vec<f32>>>,
    outputs: &Option<Arc<Vec<f32>>>,
) -> Parameters {
    let factor = |means: &Option<Arc<Vec<f32>>>, channel: usize| match means {
        Some(means) => means[channel],
        None => 1.0,
    };
    let taps = shape.kernel * shape.kernel;
    let (mut weight, mut bias) = (own.weight.clone(), own.bias.clone());
    for (number, values) in weight.chunks_mut(taps).enumerate() {
        let (output, input) = (number / shape.channels_in, number % shape.channels_in);
        let scale = factor(inputs, input) / factor(outputs, output);
        for value in values {
            *value *= scale;
        }
    }
    for (output, value) in bias.iter_mut().enumerate() {
        *value /= factor(outputs, output);
    }
    Parameters { weight, bias }
}
