//! The engine of devices that CubeCL compiles kernels for: Vulkan, Metal, WebGPU, CUDA, ROCm.
//!
//! Burn's own convolutions serve any shape; here are those that VGG is made of. Wide 3x3 layers go
//! through the [Winograd transform](winograd), which multiplies four times less, and images, of few
//! channels, through [sums of products](direct). Whatever else there is stays with Burn.

mod axis;
mod direct;
mod operations;
mod parts;
mod relu;
#[cfg(all(test, feature = "wgpu"))]
mod tests;
mod transform;
mod winograd;

use std::sync::OnceLock;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use self::axis::Axis;
use self::operations::{Convolutions, Pass};
use super::convolution::{ConvolutionShape, Parameters};
use super::precision::Precision;
use super::tensors::{fold, pad};

/// Whether the kernels of this engine run on a device.
pub(super) fn serves(device: &Device) -> bool {
    matches!(device.as_dispatch(), DispatchDevice::Cube(_))
}

/// Most bytes of a transformed map.
///
/// Graphics interfaces limit a buffer (128 MiB is what every WebGPU device offers), and a transformed
/// map takes 2.25 times the memory of its map.
const LARGEST_PART: usize = 128 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Winograd,
    Direct,
}

/// A convolution's filters on a device of this engine.
pub(crate) struct CubeConvolution {
    shape: ConvolutionShape,
    way: Way,
    half: bool,
    part: usize,
    weights: OnceLock<(Tensor<3>, Tensor<1>)>,
    /// The filter of the backward pass.
    back: OnceLock<Tensor<3>>,
}

/// What the backward pass needs of the forward pass: the features, or a bit for each.
pub(crate) enum Passed {
    Bits {
        bits: Tensor<2, Int>,
        /// Whether the backward pass can read the gradient at averages of 2x2 features.
        reads_pooled: bool,
    },
    Features(Tensor<4>),
}

impl Passed {
    /// Whether the backward pass can read the gradient at averages of 2x2 features.
    pub(super) fn reads_pooled(&self) -> bool {
        match self {
            Self::Bits { reads_pooled, .. } => *reads_pooled,
            Self::Features(_) => false,
        }
    }
}

impl CubeConvolution {
    /// A convolution of this shape, unless it is left to Burn.
    pub(super) fn new(shape: ConvolutionShape, precision: Precision) -> Option<Self> {
        let common = shape.kernel == 3 && shape.stride == 1 && shape.padding == 1;
        let way = match shape.channels_in {
            _ if !common || !shape.relu || precision == Precision::Plain => return None,
            few if few <= direct::MOST_CHANNELS => Way::Direct,
            _ => Way::Winograd,
        };
        let lanes = |channels: usize, lanes: usize| channels.is_multiple_of(lanes);
        let fits = match way {
            Way::Direct => lanes(shape.channels_out, direct::LANES),
            Way::Winograd => {
                lanes(shape.channels_in, winograd::LANES)
                    && lanes(shape.channels_out, winograd::LANES)
            }
        };
        fits.then(|| Self {
            shape,
            way,
            half: precision == Precision::Half,
            part: LARGEST_PART,
            weights: OnceLock::new(),
            back: OnceLock::new(),
        })
    }

    /// Whether gradients at padded positions of a map of this height and width fold back as they
    /// are written. If not, the map is padded before it gets here.
    fn folds(&self, size: [usize; 2]) -> bool {
        let folds = |length| Axis::folds(length, self.shape.mode);
        self.way == Way::Direct || size.into_iter().all(folds)
    }

    /// Whether features of such a map can be averaged as they are written.
    pub(super) fn can_pool(&self, size: [usize; 2]) -> bool {
        let aligned = |length| Axis::new(length, self.shape.mode).before == 0;
        self.way == Way::Winograd && self.folds(size) && size.into_iter().all(aligned)
    }

    fn weights(&self, parameters: &Parameters, device: &Device) -> (Tensor<3>, Tensor<1>) {
        let make = || {
            let bias = TensorData::new(parameters.bias.clone(), [self.shape.channels_out]);
            let bias = Tensor::<1>::from_data(bias, device).cast(self.dtype());
            (self.filter(parameters, device, false), bias)
        };
        self.weights.get_or_init(make).clone()
    }

    /// The filter of the backward pass: the same, for products with its channels the other way round. As
    /// a view of the other one it would cost no memory, and several times the time.
    fn back(&self, parameters: &Parameters, device: &Device) -> Tensor<3> {
        match self.way {
            Way::Winograd => {
                let make = || self.filter(parameters, device, true);
                self.back.get_or_init(make).clone()
            }
            Way::Direct => self.weights(parameters, device).0,
        }
    }

    /// `[36 elements or 9 taps, channels in, channels out]`, or `turned` with the channels the other
    /// way round.
    fn filter(&self, parameters: &Parameters, device: &Device, turned: bool) -> Tensor<3> {
        let (inputs, outputs) = (self.shape.channels_in, self.shape.channels_out);
        let elements = match self.way {
            Way::Winograd => transform::ELEMENTS,
            Way::Direct => 9,
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
                match self.way {
                    Way::Winograd => put(&transform::transform_filter(&filter)),
                    Way::Direct => put(&filter),
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
    pub(super) fn forward(
        &self,
        parameters: &Parameters,
        input: Tensor<4>,
        pooled: bool,
    ) -> (Tensor<4>, Passed) {
        let [_, _, height, width] = input.dims();
        let size = [height, width];
        let (input, pass) = match self.folds(size) {
            true => (input, self.pass(size, pooled)),
            false => (
                pad(input, self.shape.mode, 1),
                self.pass(size, false).padded(),
            ),
        };
        let (filter, bias) = self.weights(parameters, &input.device());
        // As it arrives. An image does in f32: smaller steps than f16 has lead to its best.
        let input = channels_last(input).into_dispatch();
        let (filter, bias) = (filter.into_dispatch(), bias.into_dispatch());
        match self.way {
            Way::Winograd => {
                let (output, passed) = Dispatch::winograd(input, filter, bias, pass);
                let output = channels_second(Tensor::from_dispatch(output));
                let output = match self.folds(size) {
                    true => output,
                    false => output.narrow(2, 1, height).narrow(3, 1, width),
                };
                let bits = Tensor::from_dispatch(passed);
                let reads_pooled = self.can_pool(size);
                (output, Passed::Bits { bits, reads_pooled })
            }
            Way::Direct => {
                let output = Dispatch::direct(input, filter, bias, pass);
                let output = channels_second(Tensor::from_dispatch(output));
                (output.clone(), Passed::Features(output))
            }
        }
    }

    /// The gradient at the input, of this height and width, from that at the features or their
    /// averages. At an image of few channels it is in f32.
    pub(super) fn input_gradient(
        &self,
        parameters: &Parameters,
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
        let filter = self.back(parameters, &gradient.device()).into_dispatch();
        let gradient = channels_last(gradient).cast(self.dtype()).into_dispatch();
        let lower = match passed {
            Passed::Bits { bits, .. } => {
                let bits = bits.clone().into_dispatch();
                Dispatch::winograd_gradient(gradient, bits, filter, pass)
            }
            Passed::Features(features) => {
                let features = channels_last(features.clone()).into_dispatch();
                Dispatch::direct_gradient(gradient, features, filter, pass)
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
            part: self.part,
        }
    }
}

fn channels_last(map: Tensor<4>) -> Tensor<4> {
    map.permute([0, 2, 3, 1])
}

fn channels_second(map: Tensor<4>) -> Tensor<4> {
    map.permute([0, 3, 1, 2])
}
