//! Total variation.

use burn::tensor::Tensor;

use super::{Gradient, Loss, Measured, Observation};
use crate::engine::sum_of_squares;
use crate::error::Result;

/// The sum of squared differences of neighbouring pixels, over all channels:
///
/// ```text
/// R = sum (x[i, j+1] - x[i, j])^2 + (x[i+1, j] - x[i, j])^2
/// ```
///
/// (He, Wang and Hopcroft, NIPS 2016, section 3.3.) The sum runs over pairs of pixels inside the
/// image. With a small weight it removes fine noise to which deep features hardly respond.
#[derive(Clone, Copy, Debug, Default)]
pub struct TotalVariation;

impl Loss for TotalVariation {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let map = observation.map();
        let (down, down_gradient) = along(&map, 2, weight);
        let (across, across_gradient) = along(&map, 3, weight);
        Ok(Measured {
            value: down + across,
            gradient: Gradient::map(down_gradient + across_gradient),
        })
    }
}

/// The value and the gradient of the differences along one axis, times `weight`.
fn along(map: &Tensor<4>, axis: usize, weight: f64) -> (Tensor<1>, Tensor<4>) {
    let length = map.dims()[axis];
    if length < 2 {
        return (map.clone().sum().mul_scalar(0.0), map.zeros_like());
    }
    let next = map.clone().narrow(axis, 1, length - 1);
    let difference = next - map.clone().narrow(axis, 0, length - 1);
    let edge = map.clone().narrow(axis, 0, 1).zeros_like();
    // d/dx of (x[i+1] - x[i])^2: plus the difference at i + 1, minus the difference at i.
    let later = Tensor::cat(vec![edge.clone(), difference.clone()], axis);
    let earlier = Tensor::cat(vec![difference.clone(), edge], axis);
    let gradient = (later - earlier).mul_scalar(2.0 * weight);
    (sum_of_squares(difference).mul_scalar(weight), gradient)
}
