//! Which kernel serves which convolution.

use std::sync::{Arc, OnceLock};

use super::buffers::Buffers;
use super::epilogue::{Epilogue, words};
use super::im2col::Im2col;
use super::map::Map;
use super::overlap_add::{add_margin, overlap_add};
use super::shared::Shared;
use super::sink::{Halved, Margined, Whole, margin_length};
use super::source::{Spread, View};
use super::winograd::Winograd;
use super::{Joining, Signs};
use crate::engine::operation::{ConvolutionShape, LazyParameters};
use crate::engine::padding::{Padding, zero_sources};

/// A convolution on this engine.
pub(in crate::engine) struct Convolution {
    shape: ConvolutionShape,
    weights: Arc<Weights>,
}

/// Weights in the forms that the kernels read, each made when first used. They do not depend on
/// padding.
struct Weights {
    parameters: Arc<LazyParameters>,
    /// Whether Winograd's kernel serves the convolution.
    winograd: bool,
    forward: OnceLock<Winograd>,
    backward: OnceLock<Winograd>,
    im2col: Im2col,
}

/// The gradient at a convolution's output.
pub(super) enum Above<'a> {
    /// Before the ReLU.
    Map(&'a Map),
    /// At the output of the average pooling of 2x2 pixels that follows, with the signs of the
    /// ReLU between, and the height and width below the pooling.
    Pooled(&'a Map, Option<&'a Signs>, (usize, usize)),
}

impl Convolution {
    /// With sums of products for every shape if `plain`; else wide 3x3 layers with stride 1 go
    /// through the Winograd transform.
    pub(super) fn new(
        shape: ConvolutionShape,
        parameters: Arc<LazyParameters>,
        plain: bool,
    ) -> Self {
        let suits = Winograd::suits(shape.channels_in, shape.channels_out);
        let weights = Weights {
            parameters,
            winograd: !plain && shape.kernel == 3 && shape.stride == 1 && suits,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
            im2col: Im2col::new(shape),
        };
        Self {
            shape,
            weights: Arc::new(weights),
        }
    }

    /// The same weights with another padding.
    pub(super) fn with_padding(&self, mode: Padding) -> Self {
        Self {
            shape: ConvolutionShape { mode, ..self.shape },
            weights: Arc::clone(&self.weights),
        }
    }

    pub(super) fn shape(&self) -> &ConvolutionShape {
        &self.shape
    }

    /// Whether Winograd's kernel serves this convolution. It can average what it computes, and read
    /// the gradient at averages.
    pub(super) fn is_winograd(&self) -> bool {
        self.weights.winograd
    }

    fn forward_weights(&self) -> &Winograd {
        self.weights.forward.get_or_init(|| {
            let parameters = self.weights.parameters.get();
            let channels_in = self.shape.channels_in;
            Winograd::new(channels_in, self.shape.channels_out, |input, output| {
                parameters.filter(channels_in, output, input)
            })
        })
    }

    /// Each filter turned by 180 degrees, its channels exchanged.
    fn backward_weights(&self) -> &Winograd {
        self.weights.backward.get_or_init(|| {
            let parameters = self.weights.parameters.get();
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
    pub(super) fn forward(
        &self,
        input: &Map,
        halved: bool,
        buffers: &Buffers,
    ) -> (Map, Option<Signs>) {
        let shape = &self.shape;
        let parameters = self.weights.parameters.get();
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
            self.weights.im2col.correlate(
                parameters,
                &view,
                width,
                &epilogue,
                &mut output.data,
                buffers,
            );
            return (output, signs);
        }
        let kernel = self.forward_weights();
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
    pub(super) fn input_gradient(
        &self,
        above: &Above<'_>,
        (height, width): (usize, usize),
        mut joining: Joining<'_>,
        buffers: &Buffers,
    ) -> Map {
        let shape = &self.shape;
        let channels = shape.channels_in;
        let (mut output, adds) = joining.target(height, width, channels, buffers);
        let signs = joining.signs.map(Vec::as_slice);
        let rows = shape.mode.sources(height, shape.padding);
        let columns = shape.mode.sources(width, shape.padding);
        let reach = shape.kernel - 1;
        if !self.is_winograd() || shape.padding > reach {
            let Above::Map(gradient) = above else {
                unreachable!("only Winograd's kernel reads pooled gradients");
            };
            let mut padded = buffers.take(rows.len() * columns.len() * channels);
            self.weights.im2col.padded_gradient(
                self.weights.parameters.get(),
                gradient,
                columns.len(),
                &mut padded,
                buffers,
            );
            let size = (height, width);
            let epilogue = Epilogue::Gate { signs };
            let target = &mut output.data;
            overlap_add(
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
            self.turned(above, reach - shape.padding, &inner, buffers);
            return output;
        }
        let mut strip = buffers.take(margin_length((height, width), shape.padding) * channels);
        let sink = Margined {
            inner,
            margin: shape.padding,
            strip: Shared::new(&mut strip),
        };
        self.turned(above, reach, &sink, buffers);
        let axes = (&*rows, &*columns);
        add_margin(
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
        above: &Above<'_>,
        amount: usize,
        sink: &impl super::sink::Sink,
        buffers: &Buffers,
    ) {
        let kernel = self.backward_weights();
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
