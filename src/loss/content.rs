//! The content loss: the squared distance of feature maps.

use std::sync::Arc;

use super::{Gradient, Loss, Measured, Observation};
use crate::engine::FeatureMap;
use crate::error::{Error, Result};

/// The squared distance of a feature map from a target map, position by position.
///
/// With `N` channels and `M` positions
///
/// ```text
/// L = 1 / (2 N M) * sum (F - F0)^2          dL/dF = (F - F0) / (N M)
/// ```
///
/// (He, Wang and Hopcroft, NIPS 2016, eq. 1, without the layer weight.)
#[derive(Clone, Debug)]
pub struct Content {
    target: Arc<FeatureMap>,
}

impl Content {
    /// The loss with the target map `map`, `[1, N, H, W]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the map cannot be read.
    pub fn of(map: impl Into<Observation>) -> Result<Self> {
        let target = map.into().into_feature_map().into_native()?;
        Ok(Self {
            target: Arc::new(target),
        })
    }
}

impl Loss for Content {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let shape = observation.dims();
        if shape != self.target.dims() {
            return Err(Error::Shape {
                what: "the map compared with a content target".into(),
                found: shape.to_vec(),
                expected: format!("{:?}", self.target.dims()),
            });
        }
        let count = shape.iter().product::<usize>() as f64;
        let squares = observation.feature_map().squared_distance(&self.target)?;
        Ok(Measured {
            value: squares.mul_scalar(weight / (2.0 * count)),
            gradient: Gradient::difference(Arc::clone(&self.target), weight / count),
        })
    }
}
