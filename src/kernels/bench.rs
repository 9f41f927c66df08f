//! A door for the benches to single layers, which the library itself never computes alone.

use std::cell::OnceCell;
use std::sync::Arc;

use burn::tensor::activation::relu;
use burn::tensor::module::conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::convolution::{Convolution, ConvolutionShape, Parameters};
use super::host::{Above, Arrival, Buffers, HostConvolution, Map};
use super::padding::Padding;
use super::precision::Precision;
use super::{Engine, FeatureMap, Step, tensors};
use crate::backend::read;
use crate::error::Result;

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

/// Values that are neither flat nor mostly zero.
fn ramp(length: usize) -> Vec<f32> {
    (0..length)
        .map(|i| (i % 251) as f32 / 251.0 - 0.5)
        .collect()
}

fn parameters(shape: &ConvolutionShape) -> Parameters {
    Parameters {
        weight: ramp(shape.weights()),
        bias: ramp(shape.channels_out),
    }
}

/// One 3x3 layer with a ReLU on CPU kernels, for `benches/kernels.rs`.
pub struct LayerBench {
    shape: ConvolutionShape,
    convolution: HostConvolution,
    parameters: Parameters,
    input: Map,
    gradient: Map,
    buffers: Buffers,
}

impl LayerBench {
    /// A layer over a square map; without the Winograd transform if `direct`.
    #[must_use]
    pub fn new(channels_in: usize, channels_out: usize, side: usize, direct: bool) -> Self {
        let shape = layer(channels_in, channels_out);
        Self {
            shape,
            convolution: HostConvolution::new(shape, direct),
            parameters: parameters(&shape),
            input: Map::new(side, side, channels_in, ramp(side * side * channels_in)),
            gradient: Map::new(side, side, channels_out, ramp(side * side * channels_out)),
            buffers: Buffers::default(),
        }
    }

    /// Multiplications and additions of the layer as its definition reads.
    #[must_use]
    pub fn operations(&self) -> u64 {
        (2 * self.shape.weights() * self.input.height() * self.input.width()) as u64
    }

    /// The layer's features.
    pub fn forward(&self) {
        let (output, _) =
            self.convolution
                .forward(&self.parameters, &self.input, false, &self.buffers);
        output.recycle(&self.buffers);
    }

    /// The gradient at the layer's input.
    pub fn backward(&self) {
        let size = (self.input.height(), self.input.width());
        let arrival = Arrival {
            added: None,
            signs: None,
        };
        let above = Above::Map(&self.gradient);
        let output =
            self.convolution
                .input_gradient(&self.parameters, &above, size, arrival, &self.buffers);
        output.recycle(&self.buffers);
    }
}

/// A way to compute a layer on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerWay {
    /// The crate's own kernels, in single precision.
    Own,
    /// The same in half precision.
    OwnHalf,
    /// Plain sums; on GPUs Burn's convolution, turned for the backward pass.
    Plain,
    /// A product with patches that are written out; in the backward pass Burn's transposed convolution.
    Columns,
}

/// One 3x3 layer with a ReLU on any device, for the example `time_layers`.
pub struct DeviceLayerBench {
    way: LayerWay,
    engine: Engine,
    convolution: Convolution,
    /// `[9 channels in, channels out]`, and `[channels out, channels in, 3, 3]`.
    columns: Tensor<2>,
    turned: Tensor<4>,
    bias: Tensor<1>,
    input: Tensor<4>,
    gradient: Tensor<4>,
    /// Features, with what the backward pass needs of them.
    traced: OnceCell<(Tensor<4>, Option<Step>)>,
}

impl DeviceLayerBench {
    /// A layer over a square map.
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
        let source = Arc::new(parameters(&shape));
        let bias = TensorData::new(source.bias.clone(), [channels_out]);
        let weight = TensorData::new(source.weight.clone(), [channels_out, channels_in, 3, 3]);
        let weight = Tensor::<4>::from_data(weight, device);
        let map = |channels: usize| {
            let data = TensorData::new(ramp(side * side * channels), [1, side, side, channels]);
            Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
        };
        let convolution = Convolution::new(
            shape,
            Precision::default(),
            Arc::new(move || Arc::clone(&source)),
        );
        Self {
            way,
            engine: Engine::new(device, precision),
            convolution: convolution.remade(shape, precision),
            columns: weight
                .clone()
                .permute([2, 3, 1, 0])
                .reshape([9 * channels_in, channels_out]),
            turned: weight,
            bias: Tensor::from_data(bias, device),
            input: map(channels_in),
            gradient: map(channels_out),
            traced: OnceCell::new(),
        }
    }

    /// Computes the features this often, and waits for the last.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub fn forward(&self, times: usize) -> Result<()> {
        let mut last = None;
        for _ in 0..times {
            last = Some(self.features()?.0);
        }
        wait(last)
    }

    /// Computes the gradient at the input this often, and waits for the last.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub fn backward(&self, times: usize) -> Result<()> {
        let (map, step) = match self.traced.get() {
            Some(traced) => traced,
            None => {
                let traced = self.features()?;
                self.traced.get_or_init(|| traced)
            }
        };
        let mut last = None;
        for _ in 0..times {
            last = Some(match step {
                Some(step) => {
                    let top = self.engine.enter(self.gradient.clone())?;
                    let top = self.engine.start(top, step);
                    let lower =
                        self.engine
                            .convolve_gradient(&self.convolution, top, step, None, None);
                    self.engine.leave(lower)
                }
                None => {
                    let gated = tensors::gate(self.gradient.clone(), map.clone());
                    let options = ConvTransposeOptions::new([1; 2], [0; 2], [0; 2], [1; 2], 1);
                    let padded = conv_transpose2d(gated, self.turned.clone(), None, options);
                    let [_, _, height, width] = self.input.dims();
                    let rows = tensors::fold(padded, 2, Padding::Reflect, 1, height);
                    tensors::fold(rows, 3, Padding::Reflect, 1, width)
                }
            });
        }
        wait(last)
    }

    fn features(&self) -> Result<(Tensor<4>, Option<Step>)> {
        if self.way != LayerWay::Columns {
            let input: FeatureMap = self.engine.enter(self.input.clone())?;
            let (map, step) = self.engine.convolve(&self.convolution, &input, false, true);
            return Ok((self.engine.leave(map), step));
        }
        let [_, channels, height, width] = self.input.dims();
        let padded = tensors::pad(self.input.clone(), Padding::Reflect, 1);
        let patches: Tensor<5> = padded.unfold(2, 3, 1);
        let patches: Tensor<6> = patches.unfold(3, 3, 1);
        let columns = patches
            .permute([0, 2, 3, 4, 5, 1])
            .reshape([height * width, 9 * channels]);
        let [outputs] = self.bias.dims();
        let sums = columns.matmul(self.columns.clone()) + self.bias.clone().reshape([1, outputs]);
        let map = relu(sums)
            .reshape([1, height, width, outputs])
            .permute([0, 3, 1, 2]);
        Ok((map, None))
    }
}

/// Waits for a map, by reading one value of it.
fn wait(map: Option<Tensor<4>>) -> Result<()> {
    if let Some(map) = map {
        read::<f32, 4>(map.slice([0..1, 0..1, 0..1, 0..1]))?;
    }
    Ok(())
}
