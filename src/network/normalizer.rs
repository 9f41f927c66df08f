//! Layer weights from gradients, so that options mean the same at every depth and size.

use burn::tensor::Tensor;

use super::{Layer, Vgg};
use crate::backend::read;
use crate::error::Result;
use crate::loss::{Loss, Observation};

/// The weights that make losses at different layers pull equally hard on the image.
///
/// A loss at `conv5_1` and one at `conv1_1` differ by orders of magnitude in their gradient at the
/// image, and so do losses of different kinds. Each gets the weight
///
/// ```text
/// w = 1 / sum |dL/dx|                       over the pixels and channels of an image x
/// ```
///
/// measured once, at noise. Changing every colour by one millionth, each in the direction that
/// raises a loss, then raises every loss by a millionth, whatever the size of the image. (He, Wang
/// and Hopcroft, NIPS 2016, eq. 4, take the gradient where all features are zero; there the gradient
/// of a Gram loss is exactly zero, so it cannot be meant literally.) Values of options do not depend
/// on image size, depth or the scale of the weights then.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormalizer {
    weights: Vec<f64>,
}

impl LayerNormalizer {
    /// Measures each of `losses`, at features of its layer, at `image`, `[1, 3, H, W]`.
    ///
    /// The cost is a forward and a backward pass for each loss, and one read from the device. The features
    /// of one layer are in memory at a time. A loss whose gradient vanishes gets weight 1.
    ///
    /// # Errors
    ///
    /// Those of [`Vgg::forward`] and of the losses;
    /// [`Error::NotFinite`](crate::Error::NotFinite) for a loss whose gradient is NaN or infinite.
    pub fn measure(vgg: &Vgg, image: Tensor<4>, losses: &[(Layer, &dyn Loss)]) -> Result<Self> {
        let mut sums = Vec::new();
        for (layer, loss) in losses {
            let (features, trace) = vgg.forward_maps(image.clone(), &[(*layer, true)])?;
            for (_, map) in features {
                let mut observation = Observation::from(map);
                let gradient = loss.measure(&mut observation, 1.0)?.gradient;
                let mut gradient = Some(gradient.multiplied_out(observation)?);
                let gradient = vgg.backward_from(&trace, |_| Ok(gradient.take()))?;
                sums.push(gradient.abs().sum());
            }
        }
        Self::from_sums(sums)
    }

    /// Weights from sums of absolute gradients that lie on a device.
    pub(crate) fn from_sums(sums: Vec<Tensor<1>>) -> Result<Self> {
        if sums.is_empty() {
            return Ok(Self {
                weights: Vec::new(),
            });
        }
        let sums: Vec<f32> = read(Tensor::cat(sums, 0))?;
        crate::error::all_finite("the gradient of a loss at noise", &sums)?;
        let weights = sums
            .into_iter()
            .map(|sum| if sum > 0.0 { 1.0 / f64::from(sum) } else { 1.0 })
            .collect();
        Ok(Self { weights })
    }

    /// The weights, in the order of the losses.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}
