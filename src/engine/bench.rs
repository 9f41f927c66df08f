//! Single layers for the benches.

use std::cell::OnceCell;
use std::sync::Arc;

use burn::tensor::activation::relu;
use burn::tensor::module::conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::burn_ops::{fold, pad, relu_backward};
use super::cpu::{Cpu, Map};
use super::layout::{channels_second, map_from_values};
use super::operation::{ConvolutionShape, LazyParameters, Parameters, Weighted};
use super::padding::Padding;
use super::precision::Precision;
use super::{Engine, FeatureMap, Tap, Tape, Trunk, compile};
use crate::backend::read;
use crate::error::{Error, Result};

/// A 3x3 layer with a ReLU, padded by reflection.
fn layer(channels_in: usize, channels_out: usize) -> ConvolutionShape {
    ConvolutionShape {
        channels_in,
        channels_out,
        kernel: 3,
        stride: 1,
        padding: 1,
        mode: Padding::Reflect,
        relu: true,
    }
}

/// Values that are neither constant nor mostly zero.
fn ramp(length: usize) -> Vec<f32> {
    (0..length)
        .map(|i| (i % 251) as f32 / 251.0 - 0.5)
        .collect()
}

fn parameters(shape: ConvolutionShape) -> Arc<LazyParameters> {
    LazyParameters::new(move || {
        Arc::new(Parameters {
            weight: ramp(shape.weights()),
            bias: ramp(shape.channels_out),
        })
    })
}

/// One 3x3 layer with a ReLU on the CPU engine, for `benches/kernels.rs`.
pub struct LayerBench {
    shape: ConvolutionShape,
    engine: Cpu,
    convolution: Arc<<Cpu as Engine>::Convolution>,
    input: Map,
    gradient: Map,
    saved: <Cpu as Engine>::Saved,
}

impl LayerBench {
    /// A layer for a square input, without the Winograd transform if `plain`.
    #[must_use]
    pub fn new(
        channels_in: usize,
        channels_out: usize,
        side: usize,
        plain: bool,
        device: &Device,
    ) -> Self {
        let shape = layer(channels_in, channels_out);
        let precision = match plain {
            true => Precision::Plain,
            false => Precision::Single,
        };
        let engine = Cpu::new(device.clone(), precision);
        let convolution = Arc::new(engine.convolution(shape, &parameters(shape)));
        let map = |channels| Map::new(side, side, channels, ramp(side * side * channels));
        let input = map(channels_in);
        let (output, saved) = engine.convolve(&convolution, &input, false);
        engine.recycle(output);
        Self {
            shape,
            convolution,
            input,
            gradient: map(channels_out),
            saved,
            engine,
        }
    }

    /// Multiplications and additions of the layer as a direct convolution.
    #[must_use]
    pub fn operations(&self) -> u64 {
        (2 * self.shape.weights() * self.input.height() * self.input.width()) as u64
    }

    /// The layer's features.
    pub fn forward(&self) {
        let (output, _) = self.engine.convolve(&self.convolution, &self.input, false);
        self.engine.recycle(output);
    }

    /// The gradient at the layer's input.
    pub fn backward(&self) {
        let input_gradient = self
            .engine
            .input_gradient(&self.saved, &self.gradient, None, None);
        self.engine.recycle(input_gradient);
    }
}

/// A way to compute a layer on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerWay {
    /// The crate's own kernels, in single precision.
    Own,
    /// The crate's own kernels, in half precision.
    OwnHalf,
    /// Direct convolution; on GPUs Burn's convolution, with rotated filters for the backward pass.
    Plain,
    /// im2col and a matrix product; Burn's transposed convolution for the backward pass.
    Columns,
}

/// One 3x3 layer with a ReLU on any device, for the example `time_layers`.
pub struct DeviceLayerBench {
    way: LayerWay,
    trunk: Arc<dyn Trunk>,
    columns: Columns,
    input: Tensor<4>,
    gradient: Tensor<4>,
    /// The features, and the state for the backward pass.
    recorded: OnceCell<(Tensor<4>, Option<Box<dyn Tape>>)>,
}

impl DeviceLayerBench {
    /// A layer for a square input.
    #[must_use]
    pub fn new(
        way: LayerWay,
        channels_in: usize,
        channels_out: usize,
        side: usize,
        device: &Device,
    ) -> Self {
        let shape = layer(channels_in, channels_out);
        let precision = match way {
            LayerWay::Own => Precision::Single,
            LayerWay::OwnHalf => Precision::Half,
            LayerWay::Plain | LayerWay::Columns => Precision::Plain,
        };
        let parameters = parameters(shape);
        let map = |channels: usize| {
            let values = ramp(side * side * channels);
            map_from_values(values, [side, side, channels], device)
        };
        Self {
            way,
            columns: Columns::new(shape, parameters.get(), device),
            trunk: compile(
                device,
                precision,
                &[Weighted::Convolution(shape, parameters)],
            ),
            input: map(channels_in),
            gradient: map(channels_out),
            recorded: OnceCell::new(),
        }
    }

    /// Computes the features `times` times, and waits for the last result.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub fn forward(&self, times: usize) -> Result<()> {
        let mut last = None;
        for _ in 0..times {
            last = Some(self.features(false)?.0);
        }
        wait(last)
    }

    /// Computes the input gradient `times` times, and waits for the last result.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub fn backward(&self, times: usize) -> Result<()> {
        let (map, tape) = match self.recorded.get() {
            Some(recorded) => recorded,
            None => {
                let recorded = self.features(true)?;
                self.recorded.get_or_init(|| recorded)
            }
        };
        let mut last = None;
        for _ in 0..times {
            last = match tape {
                Some(tape) => {
                    let gradient = || self.gradient.clone().into();
                    let input_gradient = tape.backward(&mut |_| Ok(Some(gradient())))?;
                    input_gradient.map(FeatureMap::into_tensor)
                }
                None => {
                    let gradient = relu_backward(self.gradient.clone(), map.clone());
                    Some(self.columns.input_gradient(gradient, &self.input))
                }
            };
        }
        wait(last)
    }

    fn features(&self, record: bool) -> Result<(Tensor<4>, Option<Box<dyn Tape>>)> {
        if self.way == LayerWay::Columns {
            return Ok((self.columns.forward(&self.input), None));
        }
        let tap = Tap {
            index: 0,
            returned: true,
        };
        let input = self.input.clone().into();
        let mut forward = Arc::clone(&self.trunk).forward(input, &[tap], record)?;
        match forward.features.pop() {
            Some((_, map)) => Ok((map.into_tensor(), forward.tape)),
            None => Err(Error::device("no features")),
        }
    }
}

/// A layer by im2col: patches are written to a matrix.
struct Columns {
    /// `[9 channels in, channels out]`.
    matrix: Tensor<2>,
    /// `[channels out, channels in, 3, 3]`.
    weight: Tensor<4>,
    bias: Tensor<1>,
}

impl Columns {
    fn new(shape: ConvolutionShape, parameters: &Parameters, device: &Device) -> Self {
        let (inputs, outputs) = (shape.channels_in, shape.channels_out);
        let weight = TensorData::new(parameters.weight.clone(), [outputs, inputs, 3, 3]);
        let weight = Tensor::<4>::from_data(weight, device);
        let bias = TensorData::new(parameters.bias.clone(), [outputs]);
        Self {
            matrix: weight
                .clone()
                .permute([2, 3, 1, 0])
                .reshape([9 * inputs, outputs]),
            weight,
            bias: Tensor::from_data(bias, device),
        }
    }

    fn forward(&self, input: &Tensor<4>) -> Tensor<4> {
        let [_, channels, height, width] = input.dims();
        let padded = pad(input.clone(), Padding::Reflect, 1);
        let patches: Tensor<5> = padded.unfold(2, 3, 1);
        let patches: Tensor<6> = patches.unfold(3, 3, 1);
        let columns = patches
            .permute([0, 2, 3, 4, 5, 1])
            .reshape([height * width, 9 * channels]);
        let [outputs] = self.bias.dims();
        let sums = columns.matmul(self.matrix.clone()) + self.bias.clone().reshape([1, outputs]);
        channels_second(relu(sums).reshape([1, height, width, outputs]))
    }

    fn input_gradient(&self, gradient: Tensor<4>, input: &Tensor<4>) -> Tensor<4> {
        let options = ConvTransposeOptions::new([1; 2], [0; 2], [0; 2], [1; 2], 1);
        let padded = conv_transpose2d(gradient, self.weight.clone(), None, options);
        let [_, _, height, width] = input.dims();
        let rows = fold(padded, 2, Padding::Reflect, 1, height);
        fold(rows, 3, Padding::Reflect, 1, width)
    }
}

/// Waits for a result by reading one of its values.
fn wait(map: Option<Tensor<4>>) -> Result<()> {
    if let Some(map) = map {
        read::<f32, 4>(map.slice([0..1, 0..1, 0..1, 0..1]))?;
    }
    Ok(())
}
