//! A loss given as a closure, which Burn's autodiff differentiates.

use burn::tensor::Tensor;

use super::{Gradient, Loss, Measured, Observation};
use crate::error::{Error, Result};

/// A loss given as a function from a feature map, `[1, C, H, W]`, to one number.
///
/// Autodiff differentiates only the closure, not the network below it.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use ranvgg::loss::{Custom, Loss};
///
/// let brightest = Custom::new(|map: Tensor<4>| -map.mean());
/// let map = Tensor::<4>::ones([1, 3, 2, 2], &Device::flex());
/// let measured = brightest.measure(&mut map.into(), 1.0)?;
/// assert_eq!(measured.value.into_scalar::<f32>(), -1.0);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
pub struct Custom<F> {
    function: F,
}

impl<F: Fn(Tensor<4>) -> Tensor<1> + Send> Custom<F> {
    /// The loss `function(map)`. The closure captures its target, if it has one.
    pub fn new(function: F) -> Self {
        Self { function }
    }
}

impl<F: Fn(Tensor<4>) -> Tensor<1> + Send> Loss for Custom<F> {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let map = observation.map();
        let shape = map.dims();
        let tracked = map.autodiff().require_grad();
        let value = (self.function)(tracked.clone()).mul_scalar(weight);
        if value.dims() != [1] {
            return Err(Error::Shape {
                what: "the value of a custom loss".into(),
                found: value.dims().to_vec(),
                expected: "[1]".into(),
            });
        }
        let gradient = if value.is_tracked() {
            tracked.grad(&value.backward())
        } else {
            None
        };
        // The gradient of a closure that ignores its argument is zero.
        let gradient = gradient
            .unwrap_or_else(|| tracked.clone().inner().zeros_like())
            .reshape(shape);
        Ok(Measured {
            value: value.inner(),
            gradient: Gradient::map(gradient),
        })
    }
}
