//! Convolution of any kernel, stride and channel count: gathered patches times weights.
//!
//! Serves the shapes that the Winograd kernel does not: three input channels, the fully connected
//! layers (a 7x7 kernel over a 7x7 map), larger kernels and strides.

use pulp::Arch;
use rayon::prelude::*;

use super::buffers::Buffers;
use super::epilogue::Epilogue;
use super::product::{Matrix, multiply};
use super::view::View;
use crate::kernels::padding::ZERO;

/// Pixels whose patches are gathered before a product: enough to amortise it, few enough that the
/// patches of a 3x3 kernel over 64 channels stay in a core's own cache.
const PIXELS: usize = 512;

/// A set of filters `[kernel, kernel, channels in, channels out]`.
pub(super) struct General {
    kernel: usize,
    stride: usize,
    channels_in: usize,
    channels_out: usize,
    weights: Vec<f32>,
}

impl General {
    /// Reorders weights given as `[channels out, channels in, kernel, kernel]`.
    pub(super) fn new(
        kernel: usize,
        stride: usize,
        channels_in: usize,
        channels_out: usize,
        given: &[f32],
    ) -> Self {
        let mut weights = vec![0.0; given.len()];
        weights
            .par_chunks_mut(channels_in * channels_out)
            .enumerate()
            .for_each(|(place, chunk)| {
                for (input, row) in chunk.chunks_mut(channels_out).enumerate() {
                    for (output, weight) in row.iter_mut().enumerate() {
                        *weight = given[(output * channels_in + input) * kernel * kernel + place];
                    }
                }
            });
        Self {
            kernel,
            stride,
            channels_in,
            channels_out,
            weights,
        }
    }

    fn patch(&self) -> usize {
        self.kernel * self.kernel * self.channels_in
    }

    /// Filters `view` into `output`, `[height, width, channels out]`.
    pub(super) fn correlate(
        &self,
        view: &View<'_>,
        width: usize,
        epilogue: &Epilogue<'_>,
        output: &mut [f32],
        buffers: &Buffers,
    ) {
        let row = width * self.channels_out;
        let rows = PIXELS.div_ceil(width);
        output
            .par_chunks_mut(rows * row)
            .enumerate()
            .for_each(|(block, output)| {
                let pixels = output.len() / self.channels_out;
                let mut patches = buffers.take(pixels * self.patch());
                let first = block * rows;
                Arch::new().dispatch(|| {
                    for (pixel, patch) in patches.chunks_mut(self.patch()).enumerate() {
                        self.gather(view, first + pixel / width, pixel % width, patch);
                    }
                });
                multiply(
                    (pixels, self.patch(), self.channels_out),
                    Matrix::rows(&patches, self.patch()),
                    Matrix::rows(&self.weights, self.channels_out),
                    output,
                );
                Arch::new().dispatch(|| {
                    for (pixel, values) in output.chunks_mut(self.channels_out).enumerate() {
                        epilogue.apply(first * width + pixel, values);
                    }
                });
                buffers.give(patches);
            });
    }

    #[inline(always)]
    fn gather(&self, view: &View<'_>, y: usize, x: usize, patch: &mut [f32]) {
        let channels = self.channels_in;
        let mut places = patch.chunks_mut(channels);
        for row in &view.rows[y * self.stride..][..self.kernel] {
            for column in &view.columns[x * self.stride..][..self.kernel] {
                let Some(place) = places.next() else { return };
                if *row == ZERO || *column == ZERO {
                    place.fill(0.0);
                } else {
                    let start = (*row as usize * view.width + *column as usize) * channels;
                    place.copy_from_slice(&view.data[start..][..channels]);
                }
            }
        }
    }

    /// The gradient at the padded input, `[padded height, padded width, channels in]`, from the
    /// gradient at the output, `[height, width, channels out]`.
    pub(super) fn padded_gradient(
        &self,
        gradient: &[f32],
        (height, width): (usize, usize),
        padded_width: usize,
        padded: &mut [f32],
        buffers: &Buffers,
    ) {
        let row = padded_width * self.channels_in;
        let rows = PIXELS.div_ceil(padded_width).max(2 * self.kernel);
        padded
            .par_chunks_mut(rows * row)
            .enumerate()
            .for_each(|(band, padded)| {
                padded.fill(0.0);
                let top = band * rows;
                let bottom = top + padded.len() / row;
                // Output rows whose window reaches into rows top..bottom.
                let first = (top + 1).saturating_sub(self.kernel).div_ceil(self.stride);
                let last = ((bottom - 1) / self.stride + 1).min(height);
                if first >= last {
                    return;
                }
                let pixels = (last - first) * width;
                let mut patches = buffers.take(pixels * self.patch());
                multiply(
                    (pixels, self.channels_out, self.patch()),
                    Matrix::rows(
                        &gradient[first * width * self.channels_out..],
                        self.channels_out,
                    ),
                    Matrix::transposed(&self.weights, self.channels_out),
                    &mut patches,
                );
                Arch::new().dispatch(|| {
                    for (pixel, patch) in patches.chunks(self.patch()).enumerate() {
                        let (y, x) = (first + pixel / width, pixel % width);
                        self.scatter(patch, y, x, top, bottom, row, padded);
                    }
                });
                buffers.give(patches);
            });
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn scatter(
        &self,
        patch: &[f32],
        y: usize,
        x: usize,
        top: usize,
        bottom: usize,
        row: usize,
        padded: &mut [f32],
    ) {
        let run = self.kernel * self.channels_in;
        for (dy, values) in patch.chunks(run).enumerate() {
            let line = y * self.stride + dy;
            if (top..bottom).contains(&line) {
                let start = (line - top) * row + x * self.stride * self.channels_in;
                for (sum, value) in padded[start..][..run].iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
    }
}
