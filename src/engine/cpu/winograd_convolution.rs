//! Convolutions by the Winograd transform, with fused ReLU and average pooling.

use std::sync::Arc;

use super::buffers::Buffers;
use super::disjoint_slice::DisjointSlice;
use super::epilogue::{Epilogue, words};
use super::map::Map;
use super::overlap_add::add_margin;
use super::sink::{PaddedMap, PooledMap, Sink, WholeMap, margin_length};
use super::source::{PaddedView, UnpooledGradient};
use super::winograd::Filters;
use super::{Accumulation, ReluMask};
use crate::engine::operation::{ConvolutionShape, LazyParameters};
use crate::engine::padding::{Padding, zero_sources};

/// Positions by which the input gradient of a 3x3 kernel extends beyond the output gradient.
const REACH: usize = 2;

/// A 3x3 convolution with stride 1 by the Winograd transform. Clones share the weights.
#[derive(Clone)]
pub(in crate::engine) struct WinogradConvolution {
    shape: ConvolutionShape,
    weights: Arc<Weights>,
}

/// The gradient at the output of a Winograd convolution.
pub(super) enum OutputGradient<'a> {
    /// The gradient before the ReLU.
    Full(&'a Map),
    /// The gradient after the ReLU and 2x2 average pooling.
    Pooled {
        gradient: &'a Map,
        /// The ReLU mask, at the resolution before pooling.
        mask: Option<&'a ReluMask>,
        /// Height and width before pooling.
        size: (usize, usize),
    },
}

/// Transformed filters, each made at its first use. They do not depend on padding.
struct Weights {
    parameters: Arc<LazyParameters>,
    forward: Filters,
    /// Rotated by 180 degrees, with transposed channels.
    backward: Filters,
}

impl WinogradConvolution {
    /// Whether the transform applies to this shape.
    pub(super) fn supports(shape: ConvolutionShape) -> bool {
        shape.kernel == 3
            && shape.stride == 1
            && shape.padding <= REACH
            && Filters::supports(shape.channels_in, shape.channels_out)
    }

    pub(super) fn new(shape: ConvolutionShape, parameters: Arc<LazyParameters>) -> Self {
        let weights = Weights {
            parameters,
            forward: Filters::default(),
            backward: Filters::default(),
        };
        Self {
            shape,
            weights: Arc::new(weights),
        }
    }

    /// Height and width of the output, before any pooling.
    pub(super) fn output(&self, (height, width): (usize, usize)) -> (usize, usize) {
        self.shape.output(height, width)
    }

    /// A convolution with the same weights and another padding.
    pub(super) fn with_padding(&self, mode: Padding) -> Self {
        Self {
            shape: ConvolutionShape { mode, ..self.shape },
            weights: Arc::clone(&self.weights),
        }
    }

    /// The features, and the ReLU mask if a ReLU follows.
    pub(super) fn forward(&self, input: &Map, buffers: &Buffers) -> (Map, Option<ReluMask>) {
        let (height, width) = self.shape.output(input.height, input.width);
        let channels = self.shape.channels_out;
        let mut output = Map::acquire(height, width, channels, buffers);
        let mut mask = self.new_mask(height * width);
        let sink = WholeMap {
            output: DisjointSlice::new(&mut output.data),
            height,
            width,
            channels,
            epilogue: self.epilogue(mask.as_deref_mut()),
            accumulates: false,
        };
        self.correlate_input(input, &sink, buffers);
        (output, mask)
    }

    /// The features after 2x2 average pooling. The ReLU mask is at the resolution before pooling.
    pub(super) fn forward_pooled(&self, input: &Map, buffers: &Buffers) -> (Map, Option<ReluMask>) {
        let (height, width) = self.shape.output(input.height, input.width);
        let channels = self.shape.channels_out;
        let mut output = Map::acquire(height / 2, width / 2, channels, buffers);
        let mut mask = self.new_mask(height * width);
        let sink = PooledMap {
            output: DisjointSlice::new(&mut output.data),
            height,
            width,
            channels,
            epilogue: self.epilogue(mask.as_deref_mut()),
        };
        self.correlate_input(input, &sink, buffers);
        (output, mask)
    }

    fn new_mask(&self, positions: usize) -> Option<ReluMask> {
        let words = positions * words(self.shape.channels_out);
        self.shape.relu.then(|| vec![0u16; words])
    }

    fn epilogue<'a>(&'a self, mask: Option<&'a mut [u16]>) -> Epilogue<'a> {
        Epilogue::bias_relu(&self.weights.parameters.get().bias, mask)
    }

    fn correlate_input(&self, input: &Map, sink: &impl Sink, buffers: &Buffers) {
        let shape = &self.shape;
        let rows = shape.mode.sources(input.height, shape.padding);
        let columns = shape.mode.sources(input.width, shape.padding);
        let view = PaddedView::new(input, &rows, &columns);
        let filter = |input, output| {
            let parameters = self.weights.parameters.get();
            parameters.filter(shape.channels_in, output, input)
        };
        let filters = &self.weights.forward;
        filters.correlate(filter, &view, sink, buffers);
    }

    /// The input gradient, `(height, width)`, from the gradient at the output.
    pub(super) fn input_gradient(
        &self,
        gradient: &OutputGradient<'_>,
        (height, width): (usize, usize),
        mut accumulation: Accumulation<'_>,
        buffers: &Buffers,
    ) -> Map {
        let shape = &self.shape;
        let channels = shape.channels_in;
        let (mut output, accumulates) = accumulation.output(height, width, channels, buffers);
        let inner = WholeMap {
            output: DisjointSlice::new(&mut output.data),
            height,
            width,
            channels,
            epilogue: accumulation.epilogue(),
            accumulates,
        };
        // Padded zeros have no gradient, so only the positions inside are computed.
        if shape.mode == Padding::Zero {
            self.correlate_gradient(gradient, REACH - shape.padding, &inner, buffers);
            return output;
        }
        let rows = shape.mode.sources(height, shape.padding);
        let columns = shape.mode.sources(width, shape.padding);
        let mut margin = buffers.acquire(margin_length((height, width), shape.padding) * channels);
        let sink = PaddedMap {
            inner,
            padding: shape.padding,
            margin: DisjointSlice::new(&mut margin),
        };
        self.correlate_gradient(gradient, REACH, &sink, buffers);
        add_margin(
            &mut margin,
            (&rows, &columns),
            (height, width),
            channels,
            &accumulation.epilogue(),
            &mut output.data,
        );
        buffers.give_back(margin);
        output
    }

    /// Correlates an output gradient, padded by `amount` zeros, with the rotated filters.
    fn correlate_gradient(
        &self,
        gradient: &OutputGradient<'_>,
        amount: usize,
        sink: &impl Sink,
        buffers: &Buffers,
    ) {
        let filter = |output, input| {
            let parameters = self.weights.parameters.get();
            let mut filter = parameters.filter(self.shape.channels_in, output, input);
            filter.reverse();
            filter
        };
        let filters = &self.weights.backward;
        match gradient {
            OutputGradient::Full(gradient) => {
                let rows = zero_sources(gradient.height, amount);
                let columns = zero_sources(gradient.width, amount);
                let view = PaddedView::new(gradient, &rows, &columns);
                filters.correlate(filter, &view, sink, buffers);
            }
            OutputGradient::Pooled {
                gradient,
                mask,
                size: (height, width),
            } => {
                let source = UnpooledGradient {
                    view: PaddedView {
                        data: &gradient.data,
                        width: *width,
                        channels: gradient.channels,
                        rows: &zero_sources(*height, amount),
                        columns: &zero_sources(*width, amount),
                    },
                    pooled: (gradient.height, gradient.width),
                    mask: mask.map(Vec::as_slice),
                };
                filters.correlate(filter, &source, sink, buffers);
            }
        }
    }
}
