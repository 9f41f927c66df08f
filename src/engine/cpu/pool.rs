//! Average and max pooling, forward and backward.

use pulp::Arch;
use rayon::prelude::*;

use super::Accumulation;
use super::buffers::Buffers;
use super::map::Map;
use crate::engine::pooling::{Pool, Pooling};

/// The state that a pooling layer saves for backward.
#[derive(Clone)]
pub(crate) struct PoolSaved {
    /// Height of the input.
    pub(super) height: usize,
    /// Width of the input.
    pub(super) width: usize,
    /// The argmax of each window, as an index into the window. Empty for average pooling.
    pub(super) argmax: Vec<u8>,
}

pub(super) fn forward(pool: &Pool, input: &Map, buffers: &Buffers) -> (Map, PoolSaved) {
    let (height, width) = pool.output(input.height, input.width);
    let channels = input.channels;
    let mut output = Map::acquire(height, width, channels, buffers);
    let row = width * channels;
    let argmax = match pool.pooling {
        Pooling::Average => {
            let share = 1.0 / (pool.kernel * pool.kernel) as f32;
            output
                .data
                .par_chunks_mut(row)
                .enumerate()
                .for_each(|(y, line)| {
                    Arch::new().dispatch(|| {
                        line.fill(0.0);
                        for (x, values) in line.chunks_mut(channels).enumerate() {
                            for source in window(pool, input, y, x) {
                                for (sum, value) in values.iter_mut().zip(source) {
                                    *sum += value;
                                }
                            }
                            for value in values {
                                *value *= share;
                            }
                        }
                    });
                });
            Vec::new()
        }
        Pooling::Max => {
            let mut argmax = vec![0u8; output.data.len()];
            output
                .data
                .par_chunks_mut(row)
                .zip(argmax.par_chunks_mut(row))
                .enumerate()
                .for_each(|(y, (line, argmax))| {
                    line.fill(f32::NEG_INFINITY);
                    let argmax = argmax.chunks_mut(channels);
                    for (x, (values, argmax)) in line.chunks_mut(channels).zip(argmax).enumerate() {
                        for (index, source) in window(pool, input, y, x).enumerate() {
                            for ((most, argmax), value) in
                                values.iter_mut().zip(argmax.iter_mut()).zip(source)
                            {
                                // Of equal values the first one counts. NaN propagates.
                                if *value > *most || value.is_nan() {
                                    *most = *value;
                                    *argmax = index as u8;
                                }
                            }
                        }
                    }
                });
            argmax
        }
    };
    let saved = PoolSaved {
        height: input.height,
        width: input.width,
        argmax,
    };
    (output, saved)
}

/// The pixels in the window of output pixel `(y, x)`, row by row.
#[inline(always)]
fn window<'a>(pool: &Pool, input: &'a Map, y: usize, x: usize) -> impl Iterator<Item = &'a [f32]> {
    let Pool { kernel, stride, .. } = *pool;
    let channels = input.channels;
    (0..kernel * kernel).map(move |index| {
        let row = y * stride + index / kernel;
        let column = x * stride + index % kernel;
        &input.data[(row * input.width + column) * channels..][..channels]
    })
}

/// The input gradient of a pooling layer.
pub(super) fn gradient(
    pool: &Pool,
    gradient: &Map,
    saved: &PoolSaved,
    mut accumulation: Accumulation<'_>,
    buffers: &Buffers,
) -> Map {
    let channels = gradient.channels;
    let (mut output, accumulates) =
        accumulation.output(saved.height, saved.width, channels, buffers);
    let epilogue = accumulation.epilogue();
    let share = 1.0 / (pool.kernel * pool.kernel) as f32;
    // The windows that cover position `i` of an axis with `count` windows, and the position within
    // each.
    let covering = |i: usize, count: usize| {
        let first = (i + 1).saturating_sub(pool.kernel).div_ceil(pool.stride);
        let last = (i / pool.stride + 1).min(count);
        (first..last).map(move |window| (window, i - window * pool.stride))
    };
    let columns: Vec<Vec<(usize, usize)>> = (0..saved.width)
        .map(|x| covering(x, gradient.width).collect())
        .collect();
    output
        .data
        .par_chunks_mut(saved.width * channels)
        .enumerate()
        .for_each(|(y, line)| {
            Arch::new().dispatch(|| {
                if !accumulates {
                    line.fill(0.0);
                }
                for (row, dy) in covering(y, gradient.height) {
                    for (values, columns) in line.chunks_mut(channels).zip(&columns) {
                        for (column, dx) in columns {
                            let start = (row * gradient.width + column) * channels;
                            let source = &gradient.data[start..][..channels];
                            match pool.pooling {
                                Pooling::Average => {
                                    for (sum, value) in values.iter_mut().zip(source) {
                                        *sum += share * value;
                                    }
                                }
                                Pooling::Max => {
                                    let index = (dy * pool.kernel + dx) as u8;
                                    let argmax = &saved.argmax[start..][..channels];
                                    for ((sum, value), argmax) in
                                        values.iter_mut().zip(source).zip(argmax)
                                    {
                                        if *argmax == index {
                                            *sum += value;
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            });
            epilogue.apply(y * saved.width, channels, line);
        });
    output
}
