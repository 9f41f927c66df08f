//! Average and max pooling and their gradients.

use pulp::Arch;
use rayon::prelude::*;

use super::Joining;
use super::buffers::Buffers;
use super::map::Map;
use crate::engine::pooling::{Pool, Pooling};

/// What the gradient of a pooling step needs to know of its forward step.
#[derive(Clone)]
pub(crate) struct PoolSaved {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Place of the maximum inside each window; empty for averages.
    pub(super) winners: Vec<u8>,
}

pub(super) fn forward(pool: &Pool, input: &Map, buffers: &Buffers) -> (Map, PoolSaved) {
    let (height, width) = pool.output(input.height, input.width);
    let channels = input.channels;
    let mut output = Map::take(height, width, channels, buffers);
    let row = width * channels;
    let winners = match pool.pooling {
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
            let mut winners = vec![0u8; output.data.len()];
            output
                .data
                .par_chunks_mut(row)
                .zip(winners.par_chunks_mut(row))
                .enumerate()
                .for_each(|(y, (line, winners))| {
                    line.fill(f32::NEG_INFINITY);
                    let places = winners.chunks_mut(channels);
                    for (x, (values, winners)) in line.chunks_mut(channels).zip(places).enumerate()
                    {
                        for (place, source) in window(pool, input, y, x).enumerate() {
                            for ((most, winner), value) in
                                values.iter_mut().zip(winners.iter_mut()).zip(source)
                            {
                                // The first of equal values wins; a NaN wins and stays.
                                if *value > *most || value.is_nan() {
                                    *most = *value;
                                    *winner = place as u8;
                                }
                            }
                        }
                    }
                });
            winners
        }
    };
    let trace = PoolSaved {
        height: input.height,
        width: input.width,
        winners,
    };
    (output, trace)
}

/// The channels of each pixel under the window of output pixel `(y, x)`, in rows.
#[inline(always)]
fn window<'a>(pool: &Pool, input: &'a Map, y: usize, x: usize) -> impl Iterator<Item = &'a [f32]> {
    let Pool { kernel, stride, .. } = *pool;
    let channels = input.channels;
    (0..kernel * kernel).map(move |place| {
        let row = y * stride + place / kernel;
        let column = x * stride + place % kernel;
        &input.data[(row * input.width + column) * channels..][..channels]
    })
}

pub(super) fn gradient(
    pool: &Pool,
    gradient: &Map,
    trace: &PoolSaved,
    mut joining: Joining<'_>,
    buffers: &Buffers,
) -> Map {
    let channels = gradient.channels;
    let (mut output, adds) = joining.target(trace.height, trace.width, channels, buffers);
    let epilogue = joining.epilogue();
    let share = 1.0 / (pool.kernel * pool.kernel) as f32;
    // Windows that cover position `i` of an axis with `count` windows, and its place in each.
    let covering = |i: usize, count: usize| {
        let first = (i + 1).saturating_sub(pool.kernel).div_ceil(pool.stride);
        let last = (i / pool.stride + 1).min(count);
        (first..last).map(move |window| (window, i - window * pool.stride))
    };
    let columns: Vec<Vec<(usize, usize)>> = (0..trace.width)
        .map(|x| covering(x, gradient.width).collect())
        .collect();
    output
        .data
        .par_chunks_mut(trace.width * channels)
        .enumerate()
        .for_each(|(y, line)| {
            Arch::new().dispatch(|| {
                if !adds {
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
                                    let place = (dy * pool.kernel + dx) as u8;
                                    let winners = &trace.winners[start..][..channels];
                                    for ((sum, value), winner) in
                                        values.iter_mut().zip(source).zip(winners)
                                    {
                                        if *winner == place {
                                            *sum += value;
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            });
            epilogue.apply(y * trace.width, channels, line);
        });
    output
}
