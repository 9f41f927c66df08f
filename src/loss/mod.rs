//! Losses of feature maps and images, with their gradients. They do not depend on networks.

mod by_blocks;
mod content;
mod custom;
mod gradient;
mod gram;
mod moments;
mod observation;
mod positions;
mod quantiles;
mod region;
mod total_variation;
mod wasserstein;
mod wasserstein_by_blocks;
mod whitening;

use burn::tensor::Tensor;

use self::by_blocks::OfMoments;
pub use self::by_blocks::{Block, ByBlocks, Place};
pub use self::content::Content;
pub use self::custom::Custom;
pub use self::gradient::Gradient;
pub use self::gram::Gram;
pub use self::moments::{Covariance, Mean, moments_of_mixture};
pub use self::observation::Observation;
pub use self::region::{Region, Restricted};
pub use self::total_variation::TotalVariation;
pub use self::wasserstein::Wasserstein;
use crate::error::{Error, Result};

/// The value and the gradient of a loss, on the device of the observation.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The value, `[1]`.
    pub value: Tensor<1>,
    /// The gradient with respect to the observed map.
    pub gradient: Gradient,
}

/// A loss of a map `[1, C, H, W]`: a layer's features, or the image.
///
/// Value and gradient share their work, so one call computes both.
pub trait Loss: Send {
    /// The value and the gradient of the loss, both multiplied by `weight`.
    ///
    /// A loss applies the weight where it is cheap: to a small matrix instead of a gradient of the
    /// map's size.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the map does not fit the target.
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured>;

    /// The evaluation of this loss block by block, if it has one. By default it has none, and the map has
    /// to be in memory as a whole.
    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        None
    }
}

impl Loss for Box<dyn Loss> {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        (**self).measure(observation, weight)
    }

    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        (**self).by_blocks()
    }
}

/// Checks that a map has as many channels as the target.
fn check_channels(observation: &Observation, target: &str, expected: usize) -> Result<()> {
    observation.check()?;
    if observation.dims()[1] == expected {
        return Ok(());
    }
    Err(Error::Shape {
        what: format!("the map compared with {target}"),
        found: observation.dims().to_vec(),
        expected: format!("[1, {expected}, height, width]"),
    })
}

/// The error for a mixture of no maps.
fn no_maps() -> Error {
    Error::option("maps of a mixture", 0, "at least one")
}
