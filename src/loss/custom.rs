//! A user's own loss: a closure, differentiated by Burn's autodiff.

use burn::tensor::Tensor;

use super::{Gradient, Loss, Measured, Observation};
use crate::error::{Error, Result};

/// A loss given as a function of a map, `[1, C, H, W]`, to one number.
///
/// Only the closure itself goes through autodiff, not the network below it, so it costs what its
/// own operations cost.
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
    /// A loss whose value at a map is `function(map)`. Its target, if any, is captured by it.
    pub fn new(function: F) -> Self {
        Self { function }
    }
}

impl<F: Fn(Tensor<4>) -> Tensor<1> + Send> Loss for Custom<F> {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let map = observation.map();
        let shape = map.dims();
        let watched = map.autodiff().require_grad();
        let value = (self.function)(watched.clone()).mul_scalar(weight);
        if value.dims() != [1] {
            return Err(Error::Shape {
                what: "the value of a custom loss".into(),
                found: value.dims().to_vec(),
                expected: "[1]".into(),
            });
        }
        let gradient = if value.is_tracked() {
            watched.grad(&value.backward())
        } else {
            None
        };
        // A closure may ignore its argument; its gradient is zero then.
        let gradient = gradient
            .unwrap_or_else(|| watched.clone().inner().zeros_like())
            .reshape(shape);
        Ok(Measured {
            value: value.inner(),
            gradient: Gradient::map(gradient),
        })
    }
}
