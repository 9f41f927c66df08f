//! Affine functions of a map's channels in place, sums of maps and squared distances.

use pulp::Arch;
use rayon::prelude::*;

use super::map::Map;
use super::packed_gemm::{LeftOperand, microkernel_rows, multiply_all};
use super::panels::Panels;

/// Microkernel calls whose products are finished before they replace their rows. A block of rows
/// then stays in the L1 cache.
const CALLS: usize = 2;

/// Replaces the channels `f` of each pixel by `f A + b + sum c (f - f0)`. `differences` are the
/// pairs of `f0` and `c`. A missing matrix or offset is zero.
pub(in crate::engine) fn affine(
    map: &mut Map,
    matrix: Option<&[f32]>,
    offset: Option<&[f32]>,
    differences: &[(&Map, f32)],
) {
    let (channels, shape) = (map.channels, map.shape());
    let zeros = vec![0.0; channels];
    let offset = offset.unwrap_or(&zeros);
    assert_eq!(offset.len(), channels);
    for (target, _) in differences {
        assert_eq!(target.shape(), shape);
    }
    let panels = matrix.map(|matrix| {
        assert_eq!(matrix.len(), channels * channels);
        Panels::pack(channels, channels, |row, column| {
            [matrix[row * channels + column]]
        })
    });
    let width = match &panels {
        Some(panels) => panels.count() * panels.width(),
        None => channels,
    };
    let block = CALLS * microkernel_rows() * channels;
    map.data.par_chunks_mut(block).enumerate().for_each_init(
        || vec![0.0; CALLS * microkernel_rows() * width],
        |products, (number, rows)| {
            if let Some(panels) = &panels {
                let left = LeftOperand::matrix(rows, rows.len() / channels, channels, channels);
                let length = left.rows * width;
                multiply_all(&left, panels, &mut products[..length]);
            }
            Arch::new().dispatch(|| {
                let products = products.chunks_mut(width);
                for (index, (row, product)) in rows.chunks_mut(channels).zip(products).enumerate() {
                    let start = number * block + index * channels;
                    for (target, factor) in differences {
                        let target = &target.data[start..][..channels];
                        for ((sum, value), target) in product.iter_mut().zip(&*row).zip(target) {
                            *sum += factor * (value - target);
                        }
                    }
                    for ((value, sum), offset) in row.iter_mut().zip(&*product).zip(offset) {
                        *value = sum + offset;
                    }
                    if panels.is_none() {
                        product.fill(0.0);
                    }
                }
            });
        },
    );
}

/// Adds `added` to a map of the same shape.
pub(in crate::engine) fn add(map: &mut Map, added: &Map) {
    assert_eq!(map.shape(), added.shape());
    let line = map.width * map.channels;
    map.data
        .par_chunks_mut(line)
        .zip(added.data.par_chunks(line))
        .for_each(|(sums, values)| {
            Arch::new().dispatch(|| {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            });
        });
}

/// Values in a partial sum of squares. The length is fixed, so that the result does not depend on
/// the number of threads, and short, so that it rounds little.
const CHUNK: usize = 4096;

/// `sum (a - b)^2` of two maps of the same shape.
pub(in crate::engine) fn squared_distance(a: &Map, b: &Map) -> f32 {
    assert_eq!(a.shape(), b.shape());
    let sums: Vec<f64> = a
        .data
        .par_chunks(CHUNK)
        .zip(b.data.par_chunks(CHUNK))
        .map(|(a, b)| {
            Arch::new().dispatch(|| {
                // 64 independent sums, because consecutive additions to one sum would wait for each
                // other.
                let mut sums = [0.0f32; 64];
                for (a, b) in a.chunks(64).zip(b.chunks(64)) {
                    for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                        *sum += (a - b) * (a - b);
                    }
                }
                sums.iter().map(|sum| f64::from(*sum)).sum()
            })
        })
        .collect();
    sums.iter().sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_by_hand() {
        // (1 2) [1 10; 100 0] + (5 6) = (206 16)
        let mut map = Map {
            data: vec![1., 2., 0., 1.],
            height: 1,
            width: 2,
            channels: 2,
        };
        let target = Map {
            data: vec![1., 1., 1., 1.],
            ..map
        };
        assert_eq!(squared_distance(&map, &target), 2.0);
        affine(&mut map, Some(&[1., 10., 100., 0.]), Some(&[5., 6.]), &[]);
        assert_eq!(map.data, [206., 16., 105., 6.]);
        // 2 ((206 16) - (1 1)) + (0 -1) = (410 29)
        affine(&mut map, None, Some(&[0., -1.]), &[(&target, 2.0)]);
        assert_eq!(map.data, [410., 29., 208., 9.]);
        affine(&mut map, None, None, &[]);
        assert_eq!(map.data, [0.; 4]);
    }
}
