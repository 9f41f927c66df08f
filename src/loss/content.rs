//! The content loss: distance of features from given features.

use burn::tensor::Tensor;

use super::{Gradient, Loss, Measured, Observation};
use crate::error::{Error, Result};

/// Distance of a map from a target map, position by position.
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
    target: Tensor<4>,
}

impl Content {
    /// The distance from `target`, `[1, C, H, W]`.
    #[must_use]
    pub fn new(target: Tensor<4>) -> Self {
        Self { target }
    }
}

impl Loss for Content {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let map = observation.map();
        if map.dims() != self.target.dims() {
            return Err(Error::Shape {
                what: "the map compared with a content target".into(),
                found: map.dims().to_vec(),
                expected: format!("{:?}", self.target.dims()),
            });
        }
        let count = map.shape().num_elements() as f64;
        // In the order of memory, channels last: any other makes a copy.
        let last = |map: Tensor<4>| map.permute([0, 2, 3, 1]);
        let difference = last(map) - last(self.target.clone());
        let squares = difference.clone().square().sum();
        let gradient = difference.mul_scalar(weight / count);
        Ok(Measured {
            value: squares.mul_scalar(weight / (2.0 * count)),
            gradient: Gradient::map(gradient.permute([0, 3, 1, 2])),
        })
    }
}
