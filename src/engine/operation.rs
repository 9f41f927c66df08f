//! The operations of a network's layers: convolutions with their weights, and poolings.

use std::sync::{Arc, OnceLock};

use super::padding::Padding;
use super::pooling::Pool;

/// The operation of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Convolution(ConvolutionShape),
    Pool(Pool),
}

impl Operation {
    /// Height and width of the output for an input of this height and width.
    pub(crate) fn output(&self, height: usize, width: usize) -> (usize, usize) {
        match self {
            Self::Convolution(shape) => shape.output(height, width),
            Self::Pool(pool) => pool.output(height, width),
        }
    }
}

/// The operation of a layer, with its weights if it has any.
#[derive(Clone)]
pub(crate) enum Weighted {
    Convolution(ConvolutionShape, Arc<LazyParameters>),
    Pool(Pool),
}

impl Weighted {
    /// Height and width of the output for an input of this height and width.
    pub(crate) fn output(&self, height: usize, width: usize) -> (usize, usize) {
        match self {
            Self::Convolution(shape, _) => shape.output(height, width),
            Self::Pool(pool) => pool.output(height, width),
        }
    }
}

/// The geometry of a convolution, and whether a ReLU follows.
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
    /// Height and width of the output for an input of this height and width, or 0 if the kernel
    /// does not fit.
    pub(crate) fn output(&self, height: usize, width: usize) -> (usize, usize) {
        let axis = |length: usize| match length
            .saturating_add(2 * self.padding)
            .checked_sub(self.kernel)
        {
            Some(rest) => rest / self.stride + 1,
            None => 0,
        };
        (axis(height), axis(width))
    }

    /// The number of weights, without biases.
    pub(crate) fn weights(&self) -> usize {
        self.channels_out * self.channels_in * self.kernel * self.kernel
    }

    /// The number of inputs of one output value.
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
    /// A 3x3 filter, row by row.
    pub(super) fn filter(&self, channels_in: usize, output: usize, input: usize) -> [f32; 9] {
        std::array::from_fn(|i| self.weight[(output * channels_in + input) * 9 + i])
    }
}

/// Parameters that are drawn or read at their first use. The fully connected layers hold 120 of
/// VGG-19's 140 million values, and few runs use them.
pub(crate) struct LazyParameters {
    source: Box<dyn Fn() -> Arc<Parameters> + Send + Sync>,
    values: OnceLock<Arc<Parameters>>,
}

impl LazyParameters {
    pub(crate) fn new(source: impl Fn() -> Arc<Parameters> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            source: Box::new(source),
            values: OnceLock::new(),
        })
    }

    /// The parameters, drawn or read at the first call.
    pub(crate) fn get(&self) -> &Arc<Parameters> {
        self.values.get_or_init(|| (self.source)())
    }

    /// Whether the parameters are in memory.
    pub(crate) fn is_made(&self) -> bool {
        self.values.get().is_some()
    }
}
