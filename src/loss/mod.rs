//! Losses: a fixed target in, a value and its gradient out. They know no layers and no networks.

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
mod whitening;

use burn::tensor::Tensor;

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

/// A loss and its gradient, both on the device of what was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The value, one number.
    pub value: Tensor<1>,
    /// Its gradient with respect to what was measured.
    pub gradient: Gradient,
}

/// A loss of a map `[1, C, H, W]`: of a layer's features, or of the image itself.
///
/// Value and gradient come from one call, since they share their work.
pub trait Loss: Send {
    /// Measures a map; value and gradient are `weight` times those of the loss.
    ///
    /// The weight goes in, since losses apply it where it is cheap: to a small matrix instead of to
    /// a gradient as large as the map.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the map does not fit the target.
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured>;
}

impl Loss for Box<dyn Loss> {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        (**self).measure(observation, weight)
    }
}

/// Refuses a map that has not as many channels as the target it is compared with.
fn check_channels(observation: &Observation, target: &str, expected: usize) -> Result<()> {
    if observation.dims()[1] == expected {
        return Ok(());
    }
    Err(Error::Shape {
        what: format!("the map compared with {target}"),
        found: observation.dims().to_vec(),
        expected: format!("[1, {expected}, height, width]"),
    })
}

/// What a mixture of nothing is answered with.
fn no_maps() -> Error {
    Error::option("maps of a mixture", 0, "at least one")
}
