//! Convolution by implicit im2col and GEMM, for any kernel size, stride and number of channels.
//!
//! The patches are read in place from the padded input; no patch matrix is written. It is used for
//! the shapes that the Winograd kernel does not support (three input channels, fully connected
//! layers as 7x7 kernels, other kernel sizes and strides), and for all shapes with
//! `Precision::Plain`.

use std::sync::{Arc, OnceLock};

use pulp::Arch;
use rayon::prelude::*;

use super::buffers::Buffers;
use super::epilogue::Epilogue;
use super::map::Map;
use super::packed_gemm::{LeftOperand, multiply_all};
use super::panels::Panels;
use super::source::PaddedView;
use crate::engine::operation::{ConvolutionShape, LazyParameters, Parameters};

/// Filters, packed for the forward and the backward pass at their first use.
pub(super) struct Im2col {
    shape: ConvolutionShape,
    parameters: Arc<LazyParameters>,
    /// `[kernel row, kernel column, channel in][channel out]`.
    forward: OnceLock<Panels>,
    /// `[channel out][kernel row, kernel column, channel in]`.
    backward: OnceLock<Panels>,
}

/// The fewest input rows of a band. Each thread computes the gradient of a band of rows. Output
/// rows at the border of two bands are computed twice, which costs little if bands are high.
const LEAST_BAND: usize = 16;

impl Im2col {
    pub(super) fn new(shape: ConvolutionShape, parameters: Arc<LazyParameters>) -> Self {
        Self {
            shape,
            parameters,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
        }
    }

    pub(super) fn bias(&self) -> &[f32] {
        &self.parameters.get().bias
    }

    /// Values in a patch: taps times input channels.
    fn patch_length(&self) -> usize {
        self.shape.kernel * self.shape.kernel * self.shape.channels_in
    }

    /// The weight of value `index` of a patch for output channel `output`.
    fn weight(&self, parameters: &Parameters, index: usize, output: usize) -> f32 {
        let channels = self.shape.channels_in;
        let (tap, input) = (index / channels, index % channels);
        let taps = self.shape.kernel * self.shape.kernel;
        parameters.weight[(output * channels + input) * taps + tap]
    }

    /// Convolves `view` into `output`, `[height, width, channels out]`.
    pub(super) fn correlate(
        &self,
        view: &PaddedView<'_>,
        width: usize,
        epilogue: &Epilogue<'_>,
        output: &mut [f32],
        buffers: &Buffers,
    ) {
        let ConvolutionShape {
            kernel,
            stride,
            channels_in,
            channels_out,
            ..
        } = self.shape;
        let weights = self.forward.get_or_init(|| {
            let parameters = self.parameters.get();
            Panels::pack(self.patch_length(), channels_out, |index, output| {
                [self.weight(parameters, index, output)]
            })
        });
        let line = view.columns.len() * channels_in;
        let mut padded = buffers.acquire(view.rows.len() * line);
        padded
            .par_chunks_mut(line)
            .enumerate()
            .with_min_len(8)
            .for_each(|(y, line)| copy_line(view, y, line));
        output
            .par_chunks_mut(width * channels_out)
            .enumerate()
            .for_each(|(y, output)| {
                let left = LeftOperand {
                    data: &padded[y * stride * line..],
                    rows: width,
                    stride: stride * channels_in,
                    segments: kernel,
                    segment_stride: line,
                    length: kernel * channels_in,
                    column_stride: 1,
                };
                let mut products = buffers.acquire(width * weights.count() * weights.width());
                multiply_all(&left, weights, &mut products);
                Arch::new().dispatch(|| {
                    let products = products.chunks(weights.count() * weights.width());
                    for (values, products) in output.chunks_mut(channels_out).zip(products) {
                        values.copy_from_slice(&products[..channels_out]);
                    }
                });
                epilogue.apply(y * width, channels_out, output);
                buffers.give_back(products);
            });
        buffers.give_back(padded);
    }

    /// The gradient at the padded input, `[padded height, padded width, channels in]`, from the
    /// gradient at the output: GEMM with transposed weights, then col2im.
    pub(super) fn padded_gradient(
        &self,
        gradient: &Map,
        padded_width: usize,
        padded: &mut [f32],
        buffers: &Buffers,
    ) {
        let ConvolutionShape {
            kernel,
            stride,
            channels_in,
            channels_out,
            ..
        } = self.shape;
        let weights = self.backward.get_or_init(|| {
            let parameters = self.parameters.get();
            Panels::pack(channels_out, self.patch_length(), |output, index| {
                [self.weight(parameters, index, output)]
            })
        });
        let Map { height, width, .. } = *gradient;
        let line = padded_width * channels_in;
        let threads = rayon::current_num_threads();
        let band = (padded.len() / line).div_ceil(4 * threads).max(LEAST_BAND);
        padded
            .par_chunks_mut(band * line)
            .enumerate()
            .for_each(|(number, padded)| {
                padded.fill(0.0);
                let top = number * band;
                let bottom = top + padded.len() / line;
                // Output rows whose windows overlap the input rows top..bottom.
                let first = (top + 1).saturating_sub(kernel).div_ceil(stride);
                let last = ((bottom - 1) / stride + 1).min(height);
                let per_pixel = weights.count() * weights.width();
                let mut patches = buffers.acquire(width * per_pixel);
                for y in first..last {
                    let values = &gradient.data[y * width * channels_out..];
                    let left = LeftOperand::matrix(values, width, channels_out, channels_out);
                    multiply_all(&left, weights, &mut patches);
                    let length = kernel * channels_in;
                    let lines = (y * stride).max(top)..(y * stride + kernel).min(bottom);
                    Arch::new().dispatch(|| {
                        for target in lines {
                            let values = &patches[(target - y * stride) * length..];
                            let target = &mut padded[(target - top) * line..][..line];
                            add_rows(
                                values,
                                per_pixel,
                                target,
                                stride * channels_in,
                                length,
                                width,
                            );
                        }
                    });
                }
                buffers.give_back(patches);
            });
    }
}

/// Copies row `y` of a padded view.
fn copy_line(view: &PaddedView<'_>, y: usize, line: &mut [f32]) {
    let Some(row) = PaddedView::source(view.rows, y) else {
        line.fill(0.0);
        return;
    };
    let channels = view.channels;
    for (x, values) in line.chunks_mut(channels).enumerate() {
        match PaddedView::source(view.columns, x) {
            Some(column) => {
                let start = (row * view.width + column) * channels;
                values.copy_from_slice(&view.data[start..][..channels]);
            }
            None => values.fill(0.0),
        }
    }
}

/// The col2im of one row: adds `count` patch rows of `length` values, `from_stride` apart, to
/// overlapping windows `to_stride` apart.
#[inline(always)]
fn add_rows(
    from: &[f32],
    from_stride: usize,
    to: &mut [f32],
    to_stride: usize,
    length: usize,
    count: usize,
) {
    /// Three pixels of three channels. With this constant length a row takes two vector additions.
    const FIRST_LAYER: usize = 9;
    for i in 0..count {
        let (from, to) = (&from[i * from_stride..], &mut to[i * to_stride..]);
        if length == FIRST_LAYER {
            for (sum, value) in to[..FIRST_LAYER].iter_mut().zip(&from[..FIRST_LAYER]) {
                *sum += value;
            }
        } else {
            for (sum, value) in to[..length].iter_mut().zip(&from[..length]) {
                *sum += value;
            }
        }
    }
}
