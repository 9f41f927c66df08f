//! Convolutions that have kernels on GPUs, and the forms of their weights.

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
use crate::engine::winograd::{ELEMENTS, transform_filter};

/// Most bytes of a transformed map.
///
/// Graphics interfaces limit a buffer (128 MiB is what every WebGPU device offers), and a transformed
/// map takes 2.25 times the memory of its map.
const LARGEST_TRANSFORM: usize = 128 << 20;

/// Which kernels compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    /// The Winograd transform, for layers with many channels.
    Winograd,
    /// Sums of products, for images with few.
    FirstLayer,
}

impl Algorithm {
    /// That of a shape, unless its convolution is left to Burn.
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

/// Whether a convolution has kernels here.
pub(in crate::engine) fn has_kernel(shape: ConvolutionShape) -> bool {
    Algorithm::of(shape).is_some()
}

/// A convolution that has kernels on GPUs.
pub(in crate::engine) struct KernelConvolution {
    shape: ConvolutionShape,
    algorithm: Algorithm,
    half: bool,
    /// Most bytes of a transformed map.
    pub(super) largest: usize,
    weights: Arc<Weights>,
}

/// Filters and bias on a device, each made when first used. They do not depend on padding.
struct Weights {
    parameters: Arc<LazyParameters>,
    forward: OnceLock<(Tensor<3>, Tensor<1>)>,
    backward: OnceLock<Tensor<3>>,
}

/// What the backward pass needs to know of the ReLU.
pub(in crate::engine) enum Passed {
    /// A bit for each feature.
    Bits(Tensor<2, Int>),
    /// The features.
    Features(Tensor<4>),
}

impl KernelConvolution {
    /// A convolution of this shape, unless it is left to Burn.
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

    /// The same weights with another padding.
    pub(super) fn with_padding(&self, mode: Padding) -> Self {
        Self {
            shape: ConvolutionShape { mode, ..self.shape },
            weights: Arc::clone(&self.weights),
            ..*self
        }
    }

    /// Whether gradients at padded positions of a map of this height and width fold back as they
    /// are written. If not, the map is padded before it gets here.
    fn folds(&self, size: [usize; 2]) -> bool {
        let folds = |length| Axis::folds(length, self.shape.mode);
        self.algorithm == Algorithm::FirstLayer || size.into_iter().all(folds)
    }

    /// Whether features of such a map can be averaged as they are written.
    pub(super) fn can_pool(&self, size: [usize; 2]) -> bool {
        let aligned = |length| Axis::new(length, self.shape.mode).before == 0;
        self.algorithm == Algorithm::Winograd && self.folds(size) && size.into_iter().all(aligned)
    }

    fn forward_weights(&self, device: &Device) -> (Tensor<3>, Tensor<1>) {
        let make = || {
            let bias = self.weights.parameters.get().bias.clone();
            let bias = TensorData::new(bias, [self.shape.channels_out]);
            let bias = Tensor::<1>::from_data(bias, device).cast(self.dtype());
            (self.filter(device, false), bias)
        };
        self.weights.forward.get_or_init(make).clone()
    }

    /// The filter of the backward pass: the same, its channels exchanged. As a view of the other one it
    /// would cost no memory, and several times the time.
    fn backward_filter(&self, device: &Device) -> Tensor<3> {
        match self.algorithm {
            Algorithm::Winograd => {
                let make = || self.filter(device, true);
                self.weights.backward.get_or_init(make).clone()
            }
            Algorithm::FirstLayer => self.forward_weights(device).0,
        }
    }

    /// `[36 elements or 9 taps, channels in, channels out]`; if `turned` with the channels exchanged.
    fn filter(&self, device: &Device, turned: bool) -> Tensor<3> {
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
                let place = match turned {
                    false => input * outputs + output,
                    true => output * inputs + input,
                };
                let mut put = |transformed: &[f32]| {
                    for (element, value) in transformed.iter().enumerate() {
                        values[element * stride + place] = *value;
                    }
                };
                match self.algorithm {
                    Algorithm::Winograd => put(&transform_filter(&filter)),
                    Algorithm::FirstLayer => put(&filter),
                }
            }
        }
        let (rows, columns) = if turned {
            (outputs, inputs)
        } else {
            (inputs, outputs)
        };
        let data = TensorData::new(values, [elements, rows, columns]);
        Tensor::<3>::from_data(data, device)
    }

    /// Of the maps that it writes.
    fn dtype(&self) -> DType {
        if self.half { DType::F16 } else { DType::F32 }
    }

    /// Features of a map `[1, C, H, W]`, averaged if `pooled`, and what the backward pass needs.
    pub(super) fn forward(&self, input: Tensor<4>, pooled: bool) -> (Tensor<4>, Passed) {
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
        // As it arrives. An image does in f32: smaller steps than f16 has lead to its best.
        let input = channels_last(input).into_dispatch();
        let (filter, bias) = (filter.into_dispatch(), bias.into_dispatch());
        match self.algorithm {
            Algorithm::Winograd => {
                let (output, passed) = Dispatch::winograd(input, filter, bias, pass);
                let output = channels_second(Tensor::from_dispatch(output));
                let output = match self.folds(size) {
                    true => output,
                    false => output.narrow(2, 1, height).narrow(3, 1, width),
                };
                (output, Passed::Bits(Tensor::from_dispatch(passed)))
            }
            Algorithm::FirstLayer => {
                let output = Dispatch::first_layer(input, filter, bias, pass);
                let output = channels_second(Tensor::from_dispatch(output));
                (output.clone(), Passed::Features(output))
            }
        }
    }

    /// The gradient at the input, of this height and width, from that at the features or their
    /// averages. At an image of few channels it is in f32.
    pub(super) fn input_gradient(
        &self,
        gradient: Tensor<4>,
        passed: &Passed,
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
        let gradient = channels_last(gradient).cast(self.dtype()).into_dispatch();
        let lower = match passed {
            Passed::Bits(bits) => {
                let bits = bits.clone().into_dispatch();
                Dispatch::winograd_gradient(gradient, bits, filter, pass)
            }
            Passed::Features(features) => {
                let features = channels_last(features.clone()).into_dispatch();
                Dispatch::first_layer_gradient(gradient, features, filter, pass)
            }
        };
        let lower = channels_second(Tensor::from_dispatch(lower));
        if folds {
            return lower;
        }
        let rows = fold(lower, 2, self.shape.mode, 1, size[0]);
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
