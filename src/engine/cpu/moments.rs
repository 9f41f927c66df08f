//! First and second moments of a map's channels over positions.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::map::Map;
use super::packed_gemm::{LeftOperand, multiply};
use super::panels::{Panels, panel_width};

/// Positions whose products are summed in registers. A sum of such short sums also rounds less than
/// one long sum.
const CHUNK: usize = 256;
/// The most parts of a map that are summed independently. The number does not depend on the number
/// of threads, so neither does the result.
const PARTS: usize = 16;
/// The most floats in the sums of all parts.
const SUMS_BUDGET: usize = 2 * 1024 * 1024;

/// Sums over the positions of a part.
struct Sums {
    /// `[channel]`.
    values: Vec<f32>,
    /// `[channel][channel]`, padded to whole panels. Only blocks on and right of the diagonal are
    /// computed.
    products: Vec<f32>,
}

/// `sum F / M`, `[N]`, and `F' F / M`, `[N, N]`, for a map `F`, `[M, N]`, of `M` positions and `N`
/// channels.
pub(in crate::engine) fn moments(map: &Map) -> (Vec<f32>, Vec<f32>) {
    let channels = map.channels;
    let positions = map.height * map.width;
    let chunks = positions.div_ceil(CHUNK);
    let most = (SUMS_BUDGET / (channels * channels)).clamp(1, PARTS);
    let part = chunks.div_ceil(most).max(1) * CHUNK * channels;
    let parts: Vec<Sums> = map
        .data
        .par_chunks(part)
        .with_max_len(1)
        .map(|part| sums(part, channels))
        .collect();
    let share = 1.0 / positions as f32;
    let total = |values: fn(&Sums) -> &[f32]| {
        let mut total = vec![0.0; values(&parts[0]).len()];
        for part in &parts {
            for (sum, value) in total.iter_mut().zip(values(part)) {
                *sum += value;
            }
        }
        total
    };
    let mut mean = total(|sums| &sums.values);
    mean.iter_mut().for_each(|value| *value *= share);
    let products = total(|sums| &sums.products);
    let width = panel_width();
    let padded = channels.div_ceil(width) * width;
    let mut second = vec![0.0; channels * channels];
    let rows = second.par_chunks_mut(width * channels).enumerate();
    rows.for_each(|(block, rows)| {
        let first = block * width;
        for (row, values) in rows.chunks_exact_mut(channels).enumerate() {
            let products = &products[(first + row) * padded..][..channels];
            for (value, product) in values[first..].iter_mut().zip(&products[first..]) {
                *value = product * share;
            }
        }
        // The matrix is symmetric, and blocks below the diagonal are not computed.
        for column in 0..first {
            let products = &products[column * padded + first..];
            for (values, product) in rows.chunks_exact_mut(channels).zip(products) {
                values[column] = product * share;
            }
        }
    });
    (mean, second)
}

/// The sums over a part of a map.
fn sums(part: &[f32], channels: usize) -> Sums {
    let mut panels = Panels::empty(channels);
    let padded = panels.count() * panels.width();
    let mut sums = Sums {
        values: vec![0.0; channels],
        products: vec![0.0; padded * padded],
    };
    let mut block = vec![0.0; panels.width() * panels.width()];
    for chunk in part.chunks(CHUNK * channels) {
        Arch::new().dispatch(Chunk {
            chunk,
            channels,
            panels: &mut panels,
            block: &mut block,
            sums: &mut sums,
        });
    }
    sums
}

struct Chunk<'a> {
    chunk: &'a [f32],
    channels: usize,
    /// Memory for the chunk in packed panels.
    panels: &'a mut Panels,
    block: &'a mut [f32],
    sums: &'a mut Sums,
}

impl WithSimd for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            chunk,
            channels,
            panels,
            block,
            sums,
        } = self;
        panels.assign(simd, chunk, channels);
        let mut values = vec![0.0; channels];
        for row in chunk.chunks(channels) {
            for (sum, value) in values.iter_mut().zip(row) {
                *sum += value;
            }
        }
        for (sum, value) in sums.values.iter_mut().zip(&values) {
            *sum += value;
        }
        let width = panels.width();
        let padded = panels.count() * width;
        for upper in 0..panels.count() {
            // One panel, transposed.
            let left = LeftOperand {
                data: panels.panel(0, upper),
                rows: width,
                stride: 1,
                segments: 1,
                segment_stride: 0,
                length: chunk.len() / channels,
                column_stride: width,
            };
            for right in upper..panels.count() {
                multiply(simd, &left, panels, (0, right), block, width);
                for (row, values) in block.chunks(width).enumerate() {
                    let start = (upper * width + row) * padded + right * width;
                    let target = &mut sums.products[start..][..width];
                    for (sum, value) in target.iter_mut().zip(values) {
                        *sum += value;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_equal_direct_sums() {
        // Channels around the panel width, positions around the sizes of chunks and parts.
        for (channels, height, width) in [
            (1, 1, 1),
            (3, 2, 2),
            (16, 16, 16),
            (17, 5, 51),
            (33, 16, 17),
            (70, 64, 65),
        ] {
            let data: Vec<f32> = (0..height * width * channels)
                .map(|i| ((i * 7919 % 1013) as f32 / 1013.0) - 0.3)
                .collect();
            let map = Map {
                data,
                height,
                width,
                channels,
            };
            let (mean, second) = moments(&map);
            let positions = (height * width) as f64;
            for i in 0..channels {
                let column = |c: usize| {
                    map.data
                        .iter()
                        .skip(c)
                        .step_by(channels)
                        .map(|v| f64::from(*v))
                };
                let expected = column(i).sum::<f64>() / positions;
                assert!((f64::from(mean[i]) - expected).abs() < 1e-6);
                for j in 0..channels {
                    let products = column(i).zip(column(j)).map(|(a, b)| a * b);
                    let expected = products.sum::<f64>() / positions;
                    let found = f64::from(second[i * channels + j]);
                    assert!((found - expected).abs() < 1e-6, "{channels}: {i} {j}");
                }
            }
        }
    }
}
