//! Stands for the engine where no CubeCL backend is compiled in.

use burn::tensor::{Device, Tensor};

use crate::kernels::convolution::{ConvolutionShape, Parameters};
use crate::kernels::precision::Precision;

pub(in crate::kernels) fn serves(_: &Device) -> bool {
    false
}

/// There is none.
pub(crate) enum CubeConvolution {}

/// There is none.
#[allow(dead_code)]
pub(crate) struct Passed(());

impl Passed {
    pub(in crate::kernels) fn reads_pooled(&self) -> bool {
        false
    }
}

impl CubeConvolution {
    pub(in crate::kernels) fn new(_: ConvolutionShape, _: Precision) -> Option<Self> {
        None
    }

    pub(in crate::kernels) fn can_pool(&self, _: [usize; 2]) -> bool {
        match *self {}
    }

    pub(in crate::kernels) fn forward(
        &self,
        _: &Parameters,
        _: Tensor<4>,
        _: bool,
    ) -> (Tensor<4>, Passed) {
        match *self {}
    }

    pub(in crate::kernels) fn input_gradient(
        &self,
        _: &Parameters,
        _: Tensor<4>,
        _: &Passed,
        _: [usize; 2],
        _: bool,
    ) -> Tensor<4> {
        match *self {}
    }
}
