//! Layer weights from gradients, so that options do not depend on depth and image size.

use burn::tensor::Tensor;

use super::{Layer, LayerTap, Vgg};
use crate::backend::read;
use crate::error::Result;
use crate::loss::{Loss, Observation};

/// Weights with which losses at different layers have image gradients of equal size.
///
/// The image gradients of losses at `conv5_1` and at `conv1_1` differ by orders of magnitude, and
/// so do those of different losses. The weight of a loss `L` is
///
/// ```text
/// w = 1 / sum |dL/dx|                       over the pixels and channels of an image x
/// ```
///
/// measured once, at noise. A change of each value by one millionth, in the direction that raises
/// the loss, then raises each weighted loss by one millionth. (He, Wang and Hopcroft, NIPS 2016,
/// eq. 4, take the gradient where all features are zero. The gradient of a Gram loss is exactly
/// zero there, so this cannot be meant literally.) With these weights, options do not depend on
/// image size, depth or the scale of the network's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormalizer {
    weights: Vec<f64>,
}

impl LayerNormalizer {
    /// Measures the gradients of `losses`, each at its layer, at `image`, `[1, 3, H, W]`.
    ///
    /// The cost is a forward and a backward pass for each loss, and one read from the device. The features
    /// of one layer are in memory at a time. A loss with a zero gradient gets weight 1.
    ///
    /// # Errors
    ///
    /// Those of [`Vgg::forward`] and of the losses;
    /// [`Error::NotFinite`](crate::Error::NotFinite) for a loss whose gradient is NaN or infinite.
    pub fn measure(vgg: &Vgg, image: Tensor<4>, losses: &[(Layer, &dyn Loss)]) -> Result<Self> {
        let mut sums = Vec::new();
        for (layer, loss) in losses {
            let (features, trace) =
                vgg.forward_maps(image.clone(), &[LayerTap::returned(*layer)])?;
            for (_, map) in features {
                let mut observation = Observation::from(map);
                let gradient = loss.measure(&mut observation, 1.0)?.gradient;
                let mut gradient = Some(gradient.evaluate(observation)?);
                let gradient = vgg.backward_from(&trace, |_| Ok(gradient.take()))?;
                sums.push(gradient.abs().sum());
            }
        }
        Self::from_sums(sums)
    }

    /// The weights for these sums of absolute gradients, which are on a device.
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
