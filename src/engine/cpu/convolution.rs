//! Convolutions on the CPU: the choice of the algorithm, and convolution by im2col.

use std::sync::Arc;

use super::buffers::Buffers;
use super::epilogue::{Epilogue, words};
use super::im2col::Im2col;
use super::map::Map;
use super::overlap_add::overlap_add;
use super::source::PaddedView;
use super::winograd_convolution::{OutputGradient, WinogradConvolution};
use super::{Accumulation, ReluMask};
use crate::engine::operation::{ConvolutionShape, LazyParameters};
use crate::engine::padding::Padding;

/// A convolution on this engine.
pub(in crate::engine) enum Convolution {
    /// By the Winograd transform. It can fuse the average pooling that follows.
    Winograd(WinogradConvolution),
    /// By im2col and matrix products.
    Im2col(Im2colConvolution),
}

impl Convolution {
    /// Uses the Winograd transform where it applies, unless `plain`.
    pub(super) fn new(
        shape: ConvolutionShape,
        parameters: Arc<LazyParameters>,
        plain: bool,
    ) -> Self {
        if !plain && WinogradConvolution::supports(shape) {
            Self::Winograd(WinogradConvolution::new(shape, parameters))
        } else {
            Self::Im2col(Im2colConvolution {
                shape,
                filters: Arc::new(Im2col::new(shape, parameters)),
            })
        }
    }

    /// A convolution with the same packed weights and another padding.
    pub(super) fn with_padding(&self, mode: Padding) -> Self {
        match self {
            Self::Winograd(convolution) => Self::Winograd(convolution.with_padding(mode)),
            Self::Im2col(Im2colConvolution { shape, filters }) => Self::Im2col(Im2colConvolution {
                shape: ConvolutionShape { mode, ..*shape },
                filters: Arc::clone(filters),
            }),
        }
    }

    /// Whether 2x2 average pooling can be fused.
    pub(super) fn can_pool(&self) -> bool {
        matches!(self, Self::Winograd(_))
    }

    /// The features, and the ReLU mask if a ReLU follows.
    pub(super) fn forward(&self, input: &Map, buffers: &Buffers) -> (Map, Option<ReluMask>) {
        match self {
            Self::Winograd(convolution) => convolution.forward(input, buffers),
            Self::Im2col(convolution) => convolution.forward(input, buffers),
        }
    }

    /// The input gradient, `(height, width)`, from the gradient before the ReLU.
    pub(super) fn input_gradient(
        &self,
        gradient: &Map,
        size: (usize, usize),
        accumulation: Accumulation<'_>,
        buffers: &Buffers,
    ) -> Map {
        match self {
            Self::Winograd(convolution) => {
                let gradient = OutputGradient::Full(gradient);
                convolution.input_gradient(&gradient, size, accumulation, buffers)
            }
            Self::Im2col(convolution) => {
                convolution.input_gradient(gradient, size, accumulation, buffers)
            }
        }
    }
}

/// A convolution by im2col. The packed filters do not depend on padding.
pub(in crate::engine) struct Im2colConvolution {
    shape: ConvolutionShape,
    filters: Arc<Im2col>,
}

impl Im2colConvolution {
    fn forward(&self, input: &Map, buffers: &Buffers) -> (Map, Option<ReluMask>) {
        let shape = &self.shape;
        let rows = shape.mode.sources(input.height, shape.padding);
        let columns = shape.mode.sources(input.width, shape.padding);
        let (height, width) = shape.output(input.height, input.width);
        let channels = shape.channels_out;
        let mut output = Map::acquire(height, width, channels, buffers);
        let mut mask = shape
            .relu
            .then(|| vec![0u16; height * width * words(channels)]);
        let epilogue = Epilogue::bias_relu(self.filters.bias(), mask.as_deref_mut());
        self.filters.correlate(
            &PaddedView::new(input, &rows, &columns),
            width,
            &epilogue,
            &mut output.data,
            buffers,
        );
        (output, mask)
    }

    fn input_gradient(
        &self,
        gradient: &Map,
        (height, width): (usize, usize),
        mut accumulation: Accumulation<'_>,
        buffers: &Buffers,
    ) -> Map {
        let shape = &self.shape;
        let channels = shape.channels_in;
        let (mut output, accumulates) = accumulation.output(height, width, channels, buffers);
        let rows = shape.mode.sources(height, shape.padding);
        let columns = shape.mode.sources(width, shape.padding);
        let mut padded = buffers.acquire(rows.len() * columns.len() * channels);
        self.filters
            .padded_gradient(gradient, columns.len(), &mut padded, buffers);
        overlap_add(
            &padded,
            (&rows, &columns),
            (height, width),
            channels,
            &accumulation.epilogue(),
            accumulates,
            &mut output.data,
        );
        buffers.give_back(padded);
        output
    }
}
