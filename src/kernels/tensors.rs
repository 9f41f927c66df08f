//! The same layers from Burn's own operations: every device, and differentiable by autodiff.

use std::sync::OnceLock;

use burn::tensor::activation::relu;
use burn::tensor::module::{
    avg_pool2d, avg_pool2d_backward, conv_transpose2d, conv2d, max_pool2d, max_pool2d_with_indices,
    max_pool2d_with_indices_backward,
};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::convolution::{ConvolutionShape, Parameters};
use super::padding::Padding;
use super::pooling::{Pool, Pooling};

/// A convolution's weights on a device.
pub(crate) struct TensorConvolution {
    shape: ConvolutionShape,
    forward: OnceLock<(Tensor<4>, Tensor<1>)>,
    backward: OnceLock<Tensor<4>>,
}

impl TensorConvolution {
    pub(super) fn new(shape: ConvolutionShape) -> Self {
        Self {
            shape,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
        }
    }

    /// The weight on a device, `[channels out, channels in, kernel, kernel]`, or for the backward pass its
    /// transpose in channels, turned around in space.
    ///
    /// In memory the second axis comes last: kernels that read maps channels last want it so, and
    /// would otherwise lay it out anew at every call.
    fn weight(&self, parameters: &Parameters, device: &Device, turned: bool) -> Tensor<4> {
        let ConvolutionShape {
            channels_in,
            channels_out,
            kernel,
            ..
        } = self.shape;
        let taps = kernel * kernel;
        let at = |output: usize, input: usize, tap: usize| {
            parameters.weight[(output * channels_in + input) * taps + tap]
        };
        let mut values = Vec::with_capacity(parameters.weight.len());
        let (first, second) = match turned {
            false => (channels_out, channels_in),
            true => (channels_in, channels_out),
        };
        for a in 0..first {
            for tap in 0..taps {
                values.extend((0..second).map(|b| match turned {
                    false => at(a, b, tap),
                    true => at(b, a, taps - 1 - tap),
                }));
            }
        }
        let data = TensorData::new(values, [first, kernel, kernel, second]);
        Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
    }

    pub(super) fn forward(
        &self,
        parameters: &Parameters,
        input: Tensor<4>,
        device: &Device,
    ) -> Tensor<4> {
        let shape = &self.shape;
        let (weight, bias) = self
            .forward
            .get_or_init(|| {
                let bias = TensorData::new(parameters.bias.clone(), [shape.channels_out]);
                (
                    self.weight(parameters, device, false),
                    Tensor::from_data(bias, device),
                )
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

    /// The gradient at the input, `[height, width]`, from that before the ReLU.
    pub(super) fn input_gradient(
        &self,
        parameters: &Parameters,
        gradient: Tensor<4>,
        [height, width]: [usize; 2],
        device: &Device,
    ) -> Tensor<4> {
        let shape = &self.shape;
        let reach = shape.kernel - 1;
        // For zeros the padded positions are left out at once, otherwise folded back afterwards.
        let zero = shape.mode == Padding::Zero && shape.padding <= reach;
        let cropped = if zero { shape.padding } else { 0 };
        let padded = if shape.stride == 1 {
            let weight = self
                .backward
                .get_or_init(|| self.weight(parameters, device, true));
            let options = ConvOptions::new([1; 2], [reach - cropped; 2], [1; 2], 1);
            conv2d(gradient, weight.clone(), None, options)
        } else {
            let weight = self
                .backward
                .get_or_init(|| self.weight(parameters, device, false));
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

/// A gradient at features where the ReLU that made them passed.
pub(super) fn gate(gradient: Tensor<4>, features: Tensor<4>) -> Tensor<4> {
    gradient.mask_fill(features.lower_equal_scalar(0.0), 0.0)
}

/// The gradient at a map of this height and width from that at the averages of 2x2 of its pixels.
pub(super) fn spread(gradient: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [batch, channels, rows, columns] = gradient.dims();
    let spread = (gradient * 0.25)
        .permute([0, 2, 3, 1])
        .reshape([batch, rows, 1, columns, 1, channels])
        .expand([batch, rows, 2, columns, 2, channels])
        .reshape([batch, 2 * rows, 2 * columns, channels])
        .permute([0, 3, 1, 2]);
    // Of an odd axis the last position was in no average.
    let missing = (0, width - 2 * columns, 0, height - 2 * rows);
    match missing {
        (_, 0, _, 0) => spread,
        _ => spread.pad(missing, 0.0),
    }
}

/// Pads height and width by `amount` on every side.
pub(super) fn pad(input: Tensor<4>, mode: Padding, amount: usize) -> Tensor<4> {
    let [_, _, height, width] = input.dims();
    let device = input.device();
    let index = |length: usize| {
        let sources = mode.sources(length, amount);
        let length = sources.len();
        Tensor::<1, Int>::from_data(TensorData::new(sources, [length]), &device.clone().inner())
    };
    let rows = index(height);
    let columns = index(width);
    input.select(2, rows).select(3, columns)
}

/// The adjoint of [`pad`] along one axis of `length` samples.
pub(super) fn fold(
    padded: Tensor<4>,
    axis: usize,
    mode: Padding,
    amount: usize,
    length: usize,
) -> Tensor<4> {
    let mut folded = padded.clone().narrow(axis, amount, length);
    for (position, source) in mode.sources(length, amount).into_iter().enumerate() {
        let inside = (amount..amount + length).contains(&position);
        if let (false, Ok(source)) = (inside, usize::try_from(source)) {
            let mut ranges = folded.dims().map(|n| 0..n);
            ranges[axis] = source..source + 1;
            let sum =
                folded.clone().slice(ranges.clone()) + padded.clone().narrow(axis, position, 1);
            folded = folded.slice_assign(ranges, sum);
        }
    }
    folded
}

fn max_options(pool: &Pool) -> MaxPoolOptions<2> {
    let mut options = MaxPoolOptions::new([pool.kernel; 2]);
    options.stride = [pool.stride; 2];
    options
}

/// Pools, and for maxima that want a gradient also yields where they were.
pub(super) fn pool(
    pool: &Pool,
    input: Tensor<4>,
    traced: bool,
) -> (Tensor<4>, Option<Tensor<4, Int>>) {
    match pool.pooling {
        Pooling::Average => {
            let mut options = AvgPoolOptions::new([pool.kernel; 2]);
            options.stride = [pool.stride; 2];
            (avg_pool2d(input, options), None)
        }
        Pooling::Max if traced => {
            let (output, places) = max_pool2d_with_indices(input, max_options(pool));
            (output, Some(places))
        }
        Pooling::Max => (max_pool2d(input, max_options(pool)), None),
    }
}

/// The gradient at the input of a pooling step; `input` is read for its shape.
pub(super) fn pool_gradient(
    pool: &Pool,
    input: Tensor<4>,
    gradient: Tensor<4>,
    places: Option<Tensor<4, Int>>,
) -> Tensor<4> {
    let (kernel, stride) = ([pool.kernel; 2], [pool.stride; 2]);
    match places {
        None => avg_pool2d_backward(input, gradient, kernel, stride, [0; 2], true, false),
        Some(places) => max_pool2d_with_indices_backward(
            input, kernel, stride, [0; 2], [1; 2], false, gradient, places,
        ),
    }
}
