//! Which kernel serves which convolution.

use std::sync::OnceLock;

use super::buffers::Buffers;
use super::epilogue::{Epilogue, words};
use super::fold::{fold, fold_margin};
use super::general::General;
use super::map::Map;
use super::shared::Shared;
use super::sink::{Halved, Margined, Whole, margin_length};
use super::source::{Spread, View};
use super::winograd::Winograd;
use super::{Arrival, Signs};
use crate::kernels::convolution::{ConvolutionShape, Parameters};
use crate::kernels::padding::{Padding, zero_sources};

/// A convolution's weights in the forms its kernels read, each made at its first use.
pub(crate) struct HostConvolution {
    shape: ConvolutionShape,
    winograd: bool,
    /// Wide 3x3 layers, one set of weights for each direction.
    forward: OnceLock<Winograd>,
    backward: OnceLock<Winograd>,
    /// All other layers.
    general: General,
}

/// The gradient at a convolution's output.
pub(crate) enum Above<'a> {
    /// Before the ReLU.
    Map(&'a Map),
    /// At the output of the average pooling of 2x2 pixels that follows, with the signs of the
    /// ReLU between, and the height and width below the pooling.
    Pooled(&'a Map, Option<&'a Signs>, (usize, usize)),
}

impl HostConvolution {
    /// `direct` means without the Winograd transform, whatever the shape.
    pub(crate) fn new(shape: ConvolutionShape, direct: bool) -> Self {
        let suits = Winograd::suits(shape.channels_in, shape.channels_out);
        Self {
            shape,
            winograd: !direct && shape.kernel == 3 && shape.stride == 1 && suits,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
            general: General::new(shape),
        }
    }

    /// Whether Winograd's kernel serves this convolution, which can pool what it computes, and
    /// read a gradient that is pooled.
    pub(crate) fn is_winograd(&self) -> bool {
        self.winograd
    }

    fn forward_weights(&self, parameters: &Parameters) -> &Winograd {
        self.forward.get_or_init(|| {
            let channels_in = self.shape.channels_in;
            Winograd::new(channels_in, self.shape.channels_out, |input, output| {
                parameters.filter(channels_in, output, input)
            })
        })
    }

    /// Each filter turned by 180 degrees, its channels exchanged.
    fn backward_weights(&self, parameters: &Parameters) -> &Winograd {
        self.backward.get_or_init(|| {
            let channels_in = self.shape.channels_in;
            Winograd::new(self.shape.channels_out, channels_in, |output, input| {
                let mut filter = parameters.filter(channels_in, output, input);
                filter.reverse();
                filter
            })
        })
    }

    /// The features, and which of them the ReLU passed; averaged over 2x2 pixels if `halved`,
    /// which only Winograd's kernel can.
    pub(crate) fn forward(
        &self,
        parameters: &Parameters,
        input: &Map,
        halved: bool,
        buffers: &Buffers,
    ) -> (Map, Option<Signs>) {
        let shape = &self.shape;
        let rows = shape.mode.sources(input.height, shape.padding);
        let columns = shape.mode.sources(input.width, shape.padding);
        let (height, width) = shape.output(input.height, input.width);
        let channels = shape.channels_out;
        let mut output = if halved {
            Map::take(height / 2, width / 2, channels, buffers)
        } else {
            Map::take(height, width, channels, buffers)
        };
        let view = View {
            data: &input.data,
            width: input.width,
            channels: input.channels,
            rows: &rows,
            columns: &columns,
        };
        let mut signs = shape
            .relu
            .then(|| vec![0u16; height * width * words(channels)]);
        let epilogue = match &mut signs {
            Some(signs) => Epilogue::Relu {
                bias: &parameters.bias,
                signs: Shared::new(signs),
            },
            None => Epilogue::Bias(&parameters.bias),
        };
        if !self.is_winograd() {
            assert!(!halved, "only Winograd's kernel pools");
            let general = &self.general;
            general.correlate(
                parameters,
                &view,
                width,
                &epilogue,
                &mut output.data,
                buffers,
            );
            return (output, signs);
        }
        let kernel = self.forward_weights(parameters);
        let data = Shared::new(&mut output.data);
        if halved {
            let sink = Halved {
                output: data,
                height,
                width,
                channels,
                epilogue,
            };
            kernel.correlate(&view, &sink, buffers);
        } else {
            let sink = Whole {
                output: data,
                height,
                width,
                channels,
                epilogue,
                adds: false,
            };
            kernel.correlate(&view, &sink, buffers);
        }
        (output, signs)
    }

    /// The gradient at the input, `(height, width)`, from that above.
    pub(crate) fn input_gradient(
        &self,
        parameters: &Parameters,
        above: &Above<'_>,
        (height, width): (usize, usize),
        mut arrival: Arrival<'_>,
        buffers: &Buffers,
    ) -> Map {
        let shape = &self.shape;
        let channels = shape.channels_in;
        let (mut output, adds) = arrival.target(height, width, channels, buffers);
        let signs = arrival.signs.map(Vec::as_slice);
        let rows = shape.mode.sources(height, shape.padding);
        let columns = shape.mode.sources(width, shape.padding);
        let reach = shape.kernel - 1;
        if !self.is_winograd() || shape.padding > reach {
            let Above::Map(gradient) = above else {
                unreachable!("only Winograd's kernel reads pooled gradients");
            };
            let mut padded = buffers.take(rows.len() * columns.len() * channels);
            let general = &self.general;
            general.padded_gradient(parameters, gradient, columns.len(), &mut padded, buffers);
            let size = (height, width);
            let epilogue = Epilogue::Gate { signs };
            let target = &mut output.data;
            fold(
                &padded, &rows, &columns, size, channels, &epilogue, adds, target,
            );
            buffers.give(padded);
            return output;
        }
        let inner = Whole {
            output: Shared::new(&mut output.data),
            height,
            width,
            channels,
            epilogue: Epilogue::Gate { signs },
            adds,
        };
        // Zeros beyond the border take no gradient, so the padded positions need not be computed.
        if shape.mode == Padding::Zero {
            self.turned(parameters, above, reach - shape.padding, &inner, buffers);
            return output;
        }
        let mut strip = buffers.take(margin_length((height, width), shape.padding) * channels);
        let sink = Margined {
            inner,
            margin: shape.padding,
            strip: Shared::new(&mut strip),
        };
        self.turned(parameters, above, reach, &sink, buffers);
        let axes = (&*rows, &*columns);
        fold_margin(
            &mut strip,
            axes,
            (height, width),
            channels,
            &Epilogue::Gate { signs },
            &mut output.data,
        );
        buffers.give(strip);
        output
    }

    /// Filters a gradient, padded by `amount` zeros, with the turned filters.
    fn turned(
        &self,
        parameters: &Parameters,
        above: &Above<'_>,
        amount: usize,
        sink: &impl super::sink::Sink,
        buffers: &Buffers,
    ) {
        let kernel = self.backward_weights(parameters);
        let (gradient, (height, width)) = match above {
            Above::Map(map) => (map, (map.height, map.width)),
            Above::Pooled(map, _, size) => (map, *size),
        };
        let view = View {
            data: &gradient.data,
            width,
            channels: gradient.channels,
            rows: &zero_sources(height, amount),
            columns: &zero_sources(width, amount),
        };
        match above {
            Above::Map(_) => kernel.correlate(&view, sink, buffers),
            Above::Pooled(_, signs, _) => {
                let spread = Spread {
                    view,
                    pooled: (gradient.height, gradient.width),
                    signs: signs.map(Vec::as_slice),
                };
                kernel.correlate(&spread, sink, buffers);
            }
        }
    }
}
