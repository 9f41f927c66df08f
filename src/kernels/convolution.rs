//! A convolution: its shape, its parameters, and the forms in which devices want them.

use std::sync::{Arc, OnceLock};

use super::cube::CubeConvolution;
use super::host::HostConvolution;
use super::padding::Padding;
use super::precision::Precision;
use super::tensors::TensorConvolution;

/// The geometry of a convolution and whether a ReLU follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConvolutionShape {
    pub(crate) channels_in: usize,
    pub(crate) channels_out: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) mode: Padding,
    pub(crate) relu: bool,
}

impl ConvolutionShape {
    pub(crate) fn output(&self, height: usize, width: usize) -> (usize, usize) {
        let axis = |length: usize| match (length + 2 * self.padding).checked_sub(self.kernel) {
            Some(rest) => rest / self.stride + 1,
            None => 0,
        };
        (axis(height), axis(width))
    }

    /// Number of values of the weight.
    pub(crate) fn weights(&self) -> usize {
        self.channels_out * self.channels_in * self.kernel * self.kernel
    }

    /// Inputs of one output value.
    pub(crate) fn fan_in(&self) -> usize {
        self.channels_in * self.kernel * self.kernel
    }
}

/// Weight `[channels out, channels in, kernel, kernel]` and bias `[channels out]` in host memory.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Parameters {
    /// One 3x3 filter, in rows.
    pub(super) fn filter(&self, channels_in: usize, output: usize, input: usize) -> [f32; 9] {
        std::array::from_fn(|i| self.weight[(output * channels_in + input) * 9 + i])
    }
}

/// Where a convolution's parameters come from.
pub(crate) type ParameterSource = Arc<dyn Fn() -> Arc<Parameters> + Send + Sync>;

/// A convolution whose parameters are made when first needed.
///
/// The source may be a generator, so that a network costs nothing until a layer is used: the fully
/// connected layers hold 120 of VGG-19's 140 million values.
pub(crate) struct Convolution {
    pub(crate) shape: ConvolutionShape,
    source: ParameterSource,
    parameters: OnceLock<Arc<Parameters>>,
    pub(super) host: HostConvolution,
    pub(super) tensors: TensorConvolution,
    /// Where this shape has kernels of its own on GPUs.
    pub(super) cube: Option<CubeConvolution>,
}

impl Convolution {
    pub(crate) fn new(
        shape: ConvolutionShape,
        precision: Precision,
        source: ParameterSource,
    ) -> Self {
        Self {
            shape,
            source,
            parameters: OnceLock::new(),
            host: HostConvolution::new(shape, precision == Precision::Plain),
            tensors: TensorConvolution::new(shape),
            cube: CubeConvolution::new(shape, precision),
        }
    }

    /// The same parameters in a convolution of another shape or precision.
    pub(crate) fn remade(&self, shape: ConvolutionShape, precision: Precision) -> Self {
        Self {
            parameters: self.parameters.clone(),
            ..Self::new(shape, precision, Arc::clone(&self.source))
        }
    }

    pub(crate) fn parameters(&self) -> &Arc<Parameters> {
        self.parameters.get_or_init(|| (self.source)())
    }

    /// Whether it can compute in half precision.
    pub(crate) fn has_half(&self) -> bool {
        self.cube.is_some()
    }

    /// Whether the parameters were made.
    pub(crate) fn is_drawn(&self) -> bool {
        self.parameters.get().is_some()
    }
}
