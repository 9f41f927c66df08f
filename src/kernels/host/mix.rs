//! The channels of each pixel times a matrix, in the memory of the map.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::map::Map;
use super::panels::{Left, Panels, multiply, step_rows};

/// Steps of the product that are taken before their results replace their rows: a block of rows
/// then stays in the first cache.
const STEPS: usize = 2;

/// Replaces the channels `f` of each pixel by `f A + b`; without a matrix by `b`.
pub(super) fn mix(map: &mut Map, matrix: Option<&[f32]>, offset: Option<&[f32]>) {
    let channels = map.channels;
    let zeros = vec![0.0; channels];
    let offset = offset.unwrap_or(&zeros);
    assert_eq!(offset.len(), channels);
    let block = STEPS * step_rows() * channels;
    let Some(matrix) = matrix else {
        map.data.par_chunks_mut(block).for_each(|rows| {
            rows.chunks_mut(channels)
                .for_each(|row| row.copy_from_slice(offset))
        });
        return;
    };
    assert_eq!(matrix.len(), channels * channels);
    let panels = Panels::pack(channels, channels, |row, column| {
        [matrix[row * channels + column]]
    });
    let width = panels.count() * panels.width();
    map.data.par_chunks_mut(block).for_each_init(
        || vec![0.0; STEPS * step_rows() * width],
        |products, rows| {
            let count = rows.len() / channels;
            Arch::new().dispatch(Product {
                left: Left::matrix(rows, count, channels, channels),
                panels: &panels,
                products,
            });
            Arch::new().dispatch(|| {
                for (row, product) in rows.chunks_mut(channels).zip(products.chunks(width)) {
                    for ((value, product), offset) in row.iter_mut().zip(product).zip(offset) {
                        *value = product + offset;
                    }
                }
            });
        },
    );
}

struct Product<'a> {
    left: Left<'a>,
    panels: &'a Panels,
    /// Rows as wide as all panels.
    products: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.panels.count() * self.panels.width();
        for panel in 0..self.panels.count() {
            let out = &mut self.products[panel * self.panels.width()..];
            multiply(simd, &self.left, self.panels, (0, panel), out, width);
        }
    }
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
        mix(&mut map, Some(&[1., 10., 100., 0.]), Some(&[5., 6.]));
        assert_eq!(map.data, [206., 16., 105., 6.]);
        mix(&mut map, None, Some(&[1., -1.]));
        assert_eq!(map.data, [1., -1., 1., -1.]);
    }
}
