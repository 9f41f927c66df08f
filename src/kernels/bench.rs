//! A door for the benches to single layers, which the library itself never computes alone.

use super::convolution::{ConvolutionShape, Parameters};
use super::host::{Above, Arrival, Buffers, HostConvolution, Map};
use super::padding::Padding;

/// One 3x3 layer with a rectifier on CPU kernels, for `benches/kernels.rs`.
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
        let shape = ConvolutionShape {
            channels_in,
            channels_out,
            kernel: 3,
            stride: 1,
            padding: 1,
            mode: Padding::Reflect,
            rectified: true,
        };
        let ramp = |length: usize| {
            (0..length)
                .map(|i| (i % 251) as f32 / 251.0 - 0.5)
                .collect()
        };
        Self {
            shape,
            convolution: HostConvolution::new(shape, direct),
            parameters: Parameters {
                weight: ramp(shape.weights()),
                bias: ramp(channels_out),
            },
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
