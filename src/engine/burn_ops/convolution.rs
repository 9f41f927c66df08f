//! A convolution and its input gradient by Burn's operations.

use std::sync::{Arc, OnceLock};

use burn::tensor::activation::relu;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor, TensorData};

use super::padding::{fold, pad};
use crate::engine::layout::channels_second;
use crate::engine::operation::{ConvolutionShape, LazyParameters};
use crate::engine::padding::Padding;

/// A convolution on this engine.
pub(in crate::engine) struct Convolution {
    shape: ConvolutionShape,
    weights: Arc<Weights>,
}

/// Weights on a device, uploaded at their first use. They do not depend on padding.
struct Weights {
    parameters: Arc<LazyParameters>,
    forward: OnceLock<(Tensor<4>, Tensor<1>)>,
    backward: OnceLock<Tensor<4>>,
}

impl Convolution {
    pub(in crate::engine) fn new(shape: ConvolutionShape, parameters: Arc<LazyParameters>) -> Self {
        let weights = Weights {
            parameters,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
        };
        Self {
            shape,
            weights: Arc::new(weights),
        }
    }

    /// A convolution with the same weights and another padding.
    pub(in crate::engine) fn with_padding(&self, mode: Padding) -> Self {
        Self {
            shape: ConvolutionShape { mode, ..self.shape },
            weights: Arc::clone(&self.weights),
        }
    }

    pub(super) fn shape(&self) -> &ConvolutionShape {
        &self.shape
    }

    /// The filters on a device, `[channels out, channels in, kernel, kernel]`. If `transposed`, the
    /// filters of the input gradient: `[channels in, channels out, kernel, kernel]`, rotated by 180
    /// degrees.
    ///
    /// In memory the second axis comes last. Kernels for NHWC inputs read this order, and would
    /// otherwise convert the filters at every call.
    fn weight(&self, device: &Device, transposed: bool) -> Tensor<4> {
        let parameters = self.weights.parameters.get();
        let ConvolutionShape {
            channels_in,
            channels_out,
            kernel,
            ..
        } = self.shape;
        let taps = kernel * kernel;
        let weight = |output: usize, input: usize, tap: usize| {
            parameters.weight[(output * channels_in + input) * taps + tap]
        };
        let mut values = Vec::with_capacity(parameters.weight.len());
        let (first, second) = match transposed {
            false => (channels_out, channels_in),
            true => (channels_in, channels_out),
        };
        for a in 0..first {
            for tap in 0..taps {
                values.extend((0..second).map(|b| match transposed {
                    false => weight(a, b, tap),
                    true => weight(b, a, taps - 1 - tap),
                }));
            }
        }
        let data = TensorData::new(values, [first, kernel, kernel, second]);
        channels_second(Tensor::from_data(data, device))
    }

    pub(super) fn forward(&self, input: Tensor<4>, device: &Device) -> Tensor<4> {
        let shape = &self.shape;
        let weights = &self.weights;
        let (weight, bias) = weights
            .forward
            .get_or_init(|| {
                let bias = weights.parameters.get().bias.clone();
                let bias = TensorData::new(bias, [shape.channels_out]);
                (self.weight(device, false), Tensor::from_data(bias, device))
            })
            .clone();
        let (input, amount) = match shape.mode {
            _ if shape.padding == 0 => (input, 0),
            Padding::Zero => (input, shape.padding),
            mode => (pad(input, mode, shape.padding), 0),
        };
        let options = ConvOptions::new([shape.stride; 2], [amount; 2], [1; 2], 1);
        let output = conv2d(input, weight, Some(bias), options);
        if shape.relu { relu(output) } else { output }
    }

    /// The input gradient, `[height, width]`, from the gradient before the ReLU.
    pub(super) fn input_gradient(
        &self,
        gradient: Tensor<4>,
        [height, width]: [usize; 2],
        device: &Device,
    ) -> Tensor<4> {
        let shape = &self.shape;
        let reach = shape.kernel - 1;
        // With zero padding the padded positions are not computed. Otherwise they are folded back
        // afterwards.
        let zero = shape.mode == Padding::Zero && shape.padding <= reach;
        let cropped = if zero { shape.padding } else { 0 };
        let padded = if shape.stride == 1 {
            let backward = &self.weights.backward;
            let weight = backward.get_or_init(|| self.weight(device, true));
            let options = ConvOptions::new([1; 2], [reach - cropped; 2], [1; 2], 1);
            conv2d(gradient, weight.clone(), None, options)
        } else {
            let backward = &self.weights.backward;
            let weight = backward.get_or_init(|| self.weight(device, false));
            let [_, _, rows, columns] = gradient.dims();
            let missing = |length: usize, outputs: usize| {
                let whole = length + 2 * shape.padding;
                whole - ((outputs - 1) * shape.stride + shape.kernel)
            };
            let options = ConvTransposeOptions::new(
                [shape.stride; 2],
                [cropped; 2],
                [missing(height, rows), missing(width, columns)],
                [1; 2],
                1,
            );
            conv_transpose2d(gradient, weight.clone(), None, options)
        };
        if zero || shape.padding == 0 {
            padded
        } else {
            let rows = fold(padded, 2, shape.mode, shape.padding, height);
            fold(rows, 3, shape.mode, shape.padding, width)
        }
    }
}

/// The gradient before a ReLU from the gradient after it and the features.
pub(in crate::engine) fn relu_backward(gradient: Tensor<4>, features: Tensor<4>) -> Tensor<4> {
    gradient.mask_fill(features.lower_equal_scalar(0.0), 0.0)
}
