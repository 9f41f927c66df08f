//! Convolutions by the GPU kernels, and their weights in the layouts that the kernels read.

use std::sync::{Arc, OnceLock};

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::backend::{Convolutions, Pass};
use super::tiling::Axis;
use super::{first_layer, winograd};
use crate::engine::burn_ops::{fold, pad};
use crate::engine::layout::{channels_last, channels_second};
use crate::engine::operation::{ConvolutionShape, LazyParameters};
use crate::engine::padding::Padding;
use crate::engine::precision::Precision;
use crate::engine::winograd::{ELEMENTS, FILTER, transform_filter};

/// The largest transformed map in bytes. Larger ones are computed in blocks of tile rows.
///
/// Graphics APIs limit the size of a buffer: every WebGPU device offers 128 MiB. A transformed map
/// takes 2.25 times the memory of its feature map.
const LARGEST_TRANSFORM: usize = 128 << 20;

/// The algorithm of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    /// The Winograd transform, for inputs with many channels.
    Winograd,
    /// Direct convolution, for images with few channels.
    FirstLayer,
}

impl Algorithm {
    /// The algorithm for a shape, if there are kernels for it.
    fn of(shape: ConvolutionShape) -> Option<Self> {
        let multiple = |channels: usize, lanes: usize| channels.is_multiple_of(lanes);
        let common = shape.kernel == 3 && shape.stride == 1 && shape.padding == 1 && shape.relu;
        let algorithm = match shape.channels_in {
            _ if !common => return None,
            few if few <= first_layer::MOST_CHANNELS => Self::FirstLayer,
            _ => Self::Winograd,
        };
        let fits = match algorithm {
            Self::FirstLayer => multiple(shape.channels_out, first_layer::LANES),
            Self::Winograd => {
                multiple(shape.channels_in, winograd::LANES)
                    && multiple(shape.channels_out, winograd::LANES)
            }
        };
        fits.then_some(algorithm)
    }
}

/// Whether there are GPU kernels for a convolution of this shape.
pub(in crate::engine) fn has_kernel(shape: ConvolutionShape) -> bool {
    Algorithm::of(shape).is_some()
}

/// A convolution by the GPU kernels.
pub(in crate::engine) struct KernelConvolution {
    shape: ConvolutionShape,
    algorithm: Algorithm,
    /// Whether feature maps are written in f16.
    half: bool,
    /// The largest transformed map in bytes.
    pub(super) largest: usize,
    weights: Arc<Weights>,
}

/// Filters and bias on a device, uploaded at their first use. They do not depend on padding.
struct Weights {
    parameters: Arc<LazyParameters>,
    forward: OnceLock<(Tensor<3>, Tensor<1>)>,
    backward: OnceLock<Tensor<3>>,
}

/// The ReLU mask that is saved for backward.
pub(in crate::engine) enum ReluMask {
    /// One bit for each feature.
    Bits(Tensor<2, Int>),
    /// The features themselves: the mask is 1 where they are positive.
    Features(Tensor<4>),
}

impl KernelConvolution {
    /// A convolution of this shape, if there are kernels for it in this precision.
    pub(super) fn new(
        shape: ConvolutionShape,
        parameters: &Arc<LazyParameters>,
        precision: Precision,
    ) -> Option<Self> {
        let algorithm = Algorithm::of(shape).filter(|_| precision != Precision::Plain)?;
        let weights = Weights {
            parameters: Arc::clone(parameters),
            forward: OnceLock::new(),
            backward: OnceLock::new(),
        };
        Some(Self {
            shape,
            algorithm,
            half: precision == Precision::Half,
            largest: LARGEST_TRANSFORM,
            weights: Arc::new(weights),
        })
    }

    /// A convolution with the same weights and another padding.
    pub(super) fn with_padding(&self, mode: Padding) -> Self {
        Self {
            shape: ConvolutionShape { mode, ..self.shape },
            weights: Arc::clone(&self.weights),
            ..*self
        }
    }

    /// Whether the kernels apply padding and its adjoint to maps of this height and width
    /// themselves. If not, the input is padded before the kernel and the gradient is folded after
    /// it.
    fn folds(&self, size: [usize; 2]) -> bool {
        let folds = |length| Axis::folds(length, self.shape.mode);
        self.algorithm == Algorithm::FirstLayer || size.into_iter().all(folds)
    }

    /// Whether 2x2 average pooling can be fused for inputs of this height and width.
    pub(super) fn can_pool(&self, size: [usize; 2]) -> bool {
        let aligned = |length| Axis::new(length, self.shape.mode).offset == 0;
        self.algorithm == Algorithm::Winograd && self.folds(size) && size.into_iter().all(aligned)
    }

    fn forward_weights(&self, device: &Device) -> (Tensor<3>, Tensor<1>) {
        let make = || {
            let bias = self.weights.parameters.get().bias.clone();
            let bias = TensorData::new(bias, [self.shape.channels_out]);
            let bias = Tensor::<1>::from_data(bias, device).cast(self.output_dtype());
            (self.filter(device, false), bias)
        };
        self.weights.forward.get_or_init(make).clone()
    }

    /// The filters of the input gradient, with transposed channels. A transposed view of the forward
    /// filters would save memory, but the kernels would take several times as long.
    fn backward_filter(&self, device: &Device) -> Tensor<3> {
        match self.algorithm {
            Algorithm::Winograd => {
                let make = || self.filter(device, true);
                self.weights.backward.get_or_init(make).clone()
            }
            Algorithm::FirstLayer => self.forward_weights(device).0,
        }
    }

    /// The filters `[36 elements or 9 taps, channels in, channels out]`, or
    /// `[36 elements or 9 taps, channels out, channels in]` if `transposed`.
    fn filter(&self, device: &Device, transposed: bool) -> Tensor<3> {
        let parameters = self.weights.parameters.get();
        let (inputs, outputs) = (self.shape.channels_in, self.shape.channels_out);
        let elements = match self.algorithm {
            Algorithm::Winograd => ELEMENTS,
            Algorithm::FirstLayer => 9,
        };
        let stride = inputs * outputs;
        let mut values = vec![0.0; elements * stride];
        for input in 0..inputs {
            for output in 0..outputs {
                let filter = parameters.filter(inputs, output, input);
                let index = match transposed {
                    false => input * outputs + output,
                    true => output * inputs + input,
                };
                let mut store = |elements: &[f32]| {
                    for (element, value) in elements.iter().enumerate() {
                        values[element * stride + index] = *value;
                    }
                };
                match self.algorithm {
                    Algorithm::Winograd => {
                        store(&transform_filter::<_, ELEMENTS>(&FILTER, &filter))
                    }
                    Algorithm::FirstLayer => store(&filter),
                }
            }
        }
        let (rows, columns) = if transposed {
            (outputs, inputs)
        } else {
            (inputs, outputs)
        };
        let data = TensorData::new(values, [elements, rows, columns]);
        Tensor::<3>::from_data(data, device)
    }

    /// The type of the feature maps that the kernels write.
    fn output_dtype(&self) -> DType {
        if self.half { DType::F16 } else { DType::F32 }
    }

    /// The features of an input `[1, C, H, W]` after the ReLU, average-pooled if `pooled`, and the
    /// ReLU mask.
    pub(super) fn forward(&self, input: Tensor<4>, pooled: bool) -> (Tensor<4>, ReluMask) {
        let [_, _, height, width] = input.dims();
        let size = [height, width];
        let (input, pass) = match self.folds(size) {
            true => (input, self.pass(size, pooled)),
            false => (
                pad(input, self.shape.mode, 1),
                self.pass(size, false).padded(),
            ),
        };
        let (filter, bias) = self.forward_weights(&input.device());
        // The input is not cast. An image stays in f32: the optimiser takes steps smaller than f16
        // resolves.
        let input = channels_last(input).into_dispatch();
        let (filter, bias) = (filter.into_dispatch(), bias.into_dispatch());
        match self.algorithm {
            Algorithm::Winograd => {
                let (output, mask) = Dispatch::winograd(input, filter, bias, pass);
                let output = channels_second(Tensor::from_dispatch(output));
                let output = match self.folds(size) {
                    true => output,
                    false => output.narrow(2, 1, height).narrow(3, 1, width),
                };
                (output, ReluMask::Bits(Tensor::from_dispatch(mask)))
            }
            Algorithm::FirstLayer => {
                let output = Dispatch::first_layer(input, filter, bias, pass);
                let output = channels_second(Tensor::from_dispatch(output));
                (output.clone(), ReluMask::Features(output))
            }
        }
    }

    /// The input gradient, for an input of this height and width. `gradient` is the gradient after the
    /// ReLU, or after the average pooling if `pooled`. The gradient at an image is in f32.
    pub(super) fn input_gradient(
        &self,
        gradient: Tensor<4>,
        mask: &ReluMask,
        size: [usize; 2],
        pooled: bool,
    ) -> Tensor<4> {
        let folds = self.folds(size);
        let (gradient, pass) = match folds {
            true => (gradient, self.pass(size, pooled)),
            false => (
                gradient.pad((1, 1, 1, 1), 0.0),
                self.pass(size, false).padded(),
            ),
        };
        let filter = self.backward_filter(&gradient.device()).into_dispatch();
        let gradient = channels_last(gradient)
            .cast(self.output_dtype())
            .into_dispatch();
        let input_gradient = match mask {
            ReluMask::Bits(bits) => {
                let bits = bits.clone().into_dispatch();
                Dispatch::winograd_gradient(gradient, bits, filter, pass)
            }
            ReluMask::Features(features) => {
                let features = channels_last(features.clone()).into_dispatch();
                Dispatch::first_layer_gradient(gradient, features, filter, pass)
            }
        };
        let input_gradient = channels_second(Tensor::from_dispatch(input_gradient));
        if folds {
            return input_gradient;
        }
        let rows = fold(input_gradient, 2, self.shape.mode, 1, size[0]);
        fold(rows, 3, self.shape.mode, 1, size[1])
    }

    fn pass(&self, size: [usize; 2], pooled: bool) -> Pass {
        Pass {
            size,
            padding: self.shape.mode,
            pooled,
            largest: self.largest,
        }
    }
}
