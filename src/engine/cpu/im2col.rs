//! Convolution of any kernel, stride and channel count: products over patches read in place.
//!
//! Serves the shapes that the Winograd kernel does not: three input channels, the fully connected
//! layers (a 7x7 kernel over a 7x7 map), larger kernels and strides; and all shapes where sums are
//! asked for without a transform.

use std::sync::OnceLock;

use pulp::Arch;
use rayon::prelude::*;

use super::buffers::Buffers;
use super::epilogue::Epilogue;
use super::map::Map;
use super::packed_gemm::{Left, Panels, multiply_all};
use super::source::View;
use crate::engine::operation::{ConvolutionShape, Parameters};

/// A set of filters for both directions, each laid out at its first use.
pub(super) struct Im2col {
    shape: ConvolutionShape,
    /// `[kernel row, kernel column, channel in][channel out]`.
    forward: OnceLock<Panels>,
    /// `[channel out][kernel row, kernel column, channel in]`.
    backward: OnceLock<Panels>,
}

/// Lines of the input that a thread takes gradients for at once, at least: those of its neighbours
/// that it needs too are few beside them.
const BAND: usize = 16;

impl Im2col {
    pub(super) fn new(shape: ConvolutionShape) -> Self {
        Self {
            shape,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
        }
    }

    /// Values of a patch.
    fn patch(&self) -> usize {
        self.shape.kernel * self.shape.kernel * self.shape.channels_in
    }

    /// The weight of a value of a patch for an output.
    fn weight(&self, parameters: &Parameters, place: usize, output: usize) -> f32 {
        let channels = self.shape.channels_in;
        let (tap, input) = (place / channels, place % channels);
        let taps = self.shape.kernel * self.shape.kernel;
        parameters.weight[(output * channels + input) * taps + tap]
    }

    /// Filters `view` into `output`, `[height, width, channels out]`.
    pub(super) fn correlate(
        &self,
        parameters: &Parameters,
        view: &View<'_>,
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
            Panels::pack(self.patch(), channels_out, |place, output| {
                [self.weight(parameters, place, output)]
            })
        });
        let line = view.columns.len() * channels_in;
        let mut padded = buffers.take(view.rows.len() * line);
        padded
            .par_chunks_mut(line)
            .enumerate()
            .with_min_len(8)
            .for_each(|(y, line)| copy_line(view, y, line));
        output
            .par_chunks_mut(width * channels_out)
            .enumerate()
            .for_each(|(y, output)| {
                let left = Left {
                    data: &padded[y * stride * line..],
                    rows: width,
                    stride: stride * channels_in,
                    segments: kernel,
                    segment_stride: line,
                    length: kernel * channels_in,
                    column_stride: 1,
                };
                let mut products = buffers.take(width * weights.count() * weights.width());
                multiply_all(&left, weights, &mut products);
                Arch::new().dispatch(|| {
                    let products = products.chunks(weights.count() * weights.width());
                    for (values, products) in output.chunks_mut(channels_out).zip(products) {
                        values.copy_from_slice(&products[..channels_out]);
                    }
                });
                epilogue.apply(y * width, channels_out, output);
                buffers.give(products);
            });
        buffers.give(padded);
    }

    /// The gradient at the padded input, `[padded height, padded width, channels in]`, from that at
    /// the output.
    pub(super) fn padded_gradient(
        &self,
        parameters: &Parameters,
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
            Panels::pack(channels_out, self.patch(), |output, place| {
                [self.weight(parameters, place, output)]
            })
        });
        let Map { height, width, .. } = *gradient;
        let line = padded_width * channels_in;
        let threads = rayon::current_num_threads();
        let band = (padded.len() / line).div_ceil(4 * threads).max(BAND);
        padded
            .par_chunks_mut(band * line)
            .enumerate()
            .for_each(|(number, padded)| {
                padded.fill(0.0);
                let top = number * band;
                let bottom = top + padded.len() / line;
                // Output lines whose window reaches into lines top..bottom.
                let first = (top + 1).saturating_sub(kernel).div_ceil(stride);
                let last = ((bottom - 1) / stride + 1).min(height);
                let per_pixel = weights.count() * weights.width();
                let mut patches = buffers.take(width * per_pixel);
                for y in first..last {
                    let values = &gradient.data[y * width * channels_out..];
                    let left = Left::matrix(values, width, channels_out, channels_out);
                    multiply_all(&left, weights, &mut patches);
                    let run = kernel * channels_in;
                    let lines = (y * stride).max(top)..(y * stride + kernel).min(bottom);
                    Arch::new().dispatch(|| {
                        for target in lines {
                            let values = &patches[(target - y * stride) * run..];
                            let target = &mut padded[(target - top) * line..][..line];
                            add_runs(values, per_pixel, target, stride * channels_in, run, width);
                        }
                    });
                }
                buffers.give(patches);
            });
    }
}

fn copy_line(view: &View<'_>, y: usize, line: &mut [f32]) {
    let Some(row) = View::pixel(view.rows, y) else {
        line.fill(0.0);
        return;
    };
    let channels = view.channels;
    for (x, values) in line.chunks_mut(channels).enumerate() {
        match View::pixel(view.columns, x) {
            Some(column) => {
                let start = (row * view.width + column) * channels;
                values.copy_from_slice(&view.data[start..][..channels]);
            }
            None => values.fill(0.0),
        }
    }
}

/// Adds `count` runs of values, `from_stride` apart, to overlapping places `to_stride` apart.
#[inline(always)]
fn add_runs(
    from: &[f32],
    from_stride: usize,
    to: &mut [f32],
    to_stride: usize,
    run: usize,
    count: usize,
) {
    /// A run of three pixels of three channels: of known length, so that it takes two additions.
    const FIRST_LAYER: usize = 9;
    for i in 0..count {
        let (from, to) = (&from[i * from_stride..], &mut to[i * to_stride..]);
        if run == FIRST_LAYER {
            for (sum, value) in to[..FIRST_LAYER].iter_mut().zip(&from[..FIRST_LAYER]) {
                *sum += value;
            }
        } else {
            for (sum, value) in to[..run].iter_mut().zip(&from[..run]) {
                *sum += value;
            }
        }
    }
}
