//! Steps of Adam as operations of Burn's CubeCL backend, with and without Burn's fusion.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;

use super::kernels::{SUMMARY, UNITS};

/// Variables that are worth a unit of their own, and the most workgroups.
const VARIABLES: usize = 4;
const MOST_PARTS: usize = 512;

/// The variables, and which lists of their gradients there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variables {
    pub(super) count: usize,
    /// Variables of a pixel.
    pub(super) channels: usize,
    /// Whether the gradient is the sum of both lists.
    pub(super) both: bool,
    /// Whether some pixels are held.
    pub(super) held: bool,
}

impl Variables {
    pub(super) fn parts(&self) -> usize {
        self.count.div_ceil(VARIABLES * UNITS).clamp(1, MOST_PARTS)
    }

    pub(super) fn summary(&self) -> Shape {
        Shape::from([self.parts(), SUMMARY])
    }
}

/// The numbers of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepRates {
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    /// With the corrections of both biases.
    pub(crate) rate: f32,
    pub(crate) epsilon: f32,
    pub(crate) low: f32,
    pub(crate) high: f32,
}

/// Steps of Adam, whose state is the point, the mean gradient and the mean square, one after the other.
#[backend_extension(Cube: cfg(feature = "cube"), Fusion: cfg(feature = "fusion"))]
pub(crate) trait AdamSteps: Backend {
    /// Of each part of the gradients with distances after them, the number of values that are not finite, and the sums of
    /// the distances.
    #[fusion(dtype = DType::F32, shape = variables.summary())]
    fn summarise(
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        variables: Variables,
    ) -> FloatTensor<Self>;

    /// The state after a step, or as it was if a summary has values that are not finite.
    #[fusion(dtype = DType::F32, shape = state)]
    fn adam_step(
        state: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        free: FloatTensor<Self>,
        summary: FloatTensor<Self>,
        variables: Variables,
        rates: StepRates,
    ) -> FloatTensor<Self>;
}
