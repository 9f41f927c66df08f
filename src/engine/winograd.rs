//! Winograd's minimal filtering F(4x4, 3x3): the matrices and the filter transform.
//!
//! With the matrices `A`, `B`, `G` of Lavin and Gray ("Fast Algorithms for Convolutional Neural
//! Networks", CVPR 2016, section 4.3)
//!
//! ```text
//! Y = A' [ (G g G') . (B' d B) ] A          g filter 3x3, d input tile 6x6, Y output tile 4x4
//! ```
//!
//! where `.` is the elementwise product. The polynomials are evaluated at 0, 1, -1, 1/2, -2 and
//! infinity, which rounds a third less than 0, 1, -1, 2, -2 and infinity (Barabasz et al., "Error
//! analysis and improving the accuracy of Winograd convolution for deep neural networks", ACM
//! Transactions on Mathematical Software 46, 2020).

/// Side of an input tile.
pub(super) const WINDOW: usize = 6;

/// Side of an output tile.
#[cfg(any(feature = "cube", test))]
pub(super) const TILE: usize = 4;

/// Elements of a transformed tile.
#[cfg(any(feature = "cube", test))]
pub(super) const ELEMENTS: usize = WINDOW * WINDOW;

/// `8 B'`. The CPU engine has its sums written out.
#[cfg(any(feature = "cube", test))]
pub(super) const INPUT: [[i32; WINDOW]; WINDOW] = [
    [8, -12, -16, 12, 8, 0],
    [0, -8, 4, 20, 8, 0],
    [0, 8, -20, 4, 8, 0],
    [0, -16, -8, 16, 8, 0],
    [0, 4, -8, -4, 8, 0],
    [0, 8, -12, -16, 12, 8],
];

/// `8 A'`.
#[cfg(any(feature = "cube", test))]
pub(super) const OUTPUT: [[i32; WINDOW]; TILE] = [
    [8, 8, 8, 8, 8, 0],
    [0, 8, -8, 4, -16, 0],
    [0, 8, 8, 2, 32, 0],
    [0, 8, -8, 1, -64, 8],
];

/// `G`.
pub(super) const FILTER: [[f64; 3]; WINDOW] = [
    [1.0, 0.0, 0.0],
    [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
    [-1.0 / 3.0, 1.0 / 3.0, -1.0 / 3.0],
    [-16.0 / 15.0, -8.0 / 15.0, -4.0 / 15.0],
    [1.0 / 15.0, -2.0 / 15.0, 4.0 / 15.0],
    [0.0, 0.0, 1.0],
];

/// `G g G'` for a filter `g`, both row by row.
///
/// In f64: this runs once for each network, and its rounding would affect every result.
pub(super) fn transform_filter<const WINDOW: usize, const ELEMENTS: usize>(
    matrix: &[[f64; 3]; WINDOW],
    filter: &[f32; 9],
) -> [f32; ELEMENTS] {
    let transform =
        |taps: [f64; 3]| matrix.map(|row| row[0] * taps[0] + row[1] * taps[1] + row[2] * taps[2]);
    let g = filter.map(f64::from);
    let columns: [[f64; WINDOW]; 3] =
        std::array::from_fn(|x| transform([g[x], g[3 + x], g[6 + x]]));
    let mut elements = [0.0; ELEMENTS];
    for (y, elements) in elements.chunks_exact_mut(WINDOW).enumerate() {
        let row = transform([columns[0][y], columns[1][y], columns[2][y]]);
        for (element, value) in elements.iter_mut().zip(row) {
            *element = value as f32;
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transforms compute the correlation of six inputs with three taps. f64 holds these rationals
    /// exactly.
    #[test]
    fn the_matrices_compute_a_correlation() {
        let filter = [3.0, -5.0, 7.0];
        let input = [2.0, -3.0, 5.0, 11.0, -13.0, 4.0];
        let mut nine = [0.0; 9];
        nine[..3].copy_from_slice(&filter.map(|tap| tap as f32));
        let transformed: [f32; ELEMENTS] = transform_filter(&FILTER, &nine);
        for output in 0..TILE {
            let sum: f64 = (0..WINDOW)
                .map(|element| {
                    let value: f64 = (0..WINDOW)
                        .map(|k| f64::from(INPUT[element][k]) / 8.0 * input[k])
                        .sum();
                    let weight = (0..3)
                        .map(|tap| f64::from(one_dimension(tap, element)) * filter[tap])
                        .sum::<f64>();
                    f64::from(OUTPUT[output][element]) / 8.0 * value * weight
                })
                .sum();
            let expected: f64 = (0..3).map(|tap| filter[tap] * input[output + tap]).sum();
            // Filters are rounded to f32.
            assert!((sum - expected).abs() < 1e-4, "{sum} {expected}");
        }
        assert!(transformed.iter().all(|value| value.is_finite()));
    }

    /// An entry of `G`. A filter with a single 1 in its first column has this column of `G` as the
    /// first column of its transform.
    fn one_dimension(tap: usize, element: usize) -> f32 {
        let mut filter = [0.0; 9];
        filter[tap * 3] = 1.0;
        let transformed: [f32; ELEMENTS] = transform_filter(&FILTER, &filter);
        transformed[element * WINDOW]
    }
}
