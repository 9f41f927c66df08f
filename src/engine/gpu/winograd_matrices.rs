//! The transforms of F(4x4, 3x3) in registers.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Rows and columns of a transformed tile.
pub(super) const WINDOW: usize = 6;

/// Rows and columns of the outputs of a tile.
pub(super) const TILE: usize = 4;

/// The elements of a transformed tile.
pub(super) const ELEMENTS: usize = WINDOW * WINDOW;

/// What is done to the lines of a tile, on the left and transposed on the right.
///
/// The transform evaluates at 0, 1, -1, 1/2, -2 and infinity, which rounds a third less than
/// 0, 1, -1, 2, -2 and infinity (Barabasz et al., "Error analysis and improving the accuracy of
/// Winograd convolution for deep neural networks", ACM Transactions on Mathematical Software 46,
/// 2020).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Matrix {
    /// `B'`: six inputs to six elements.
    Input,
    /// `A'`: six products to four outputs.
    Output,
    /// `A`: gradients at four outputs to those at six products.
    OutputGradient,
    /// `B`: gradients at six elements to those at six inputs.
    InputGradient,
}

/// Eighths of `B'`.
const INPUT: [[i32; WINDOW]; WINDOW] = [
    [8, -12, -16, 12, 8, 0],
    [0, -8, 4, 20, 8, 0],
    [0, 8, -20, 4, 8, 0],
    [0, -16, -8, 16, 8, 0],
    [0, 4, -8, -4, 8, 0],
    [0, 8, -12, -16, 12, 8],
];

/// Eighths of `A'`.
const OUTPUT: [[i32; WINDOW]; TILE] = [
    [8, 8, 8, 8, 8, 0],
    [0, 8, -8, 4, -16, 0],
    [0, 8, 8, 2, 32, 0],
    [0, 8, -8, 1, -64, 8],
];

impl Matrix {
    pub(super) fn rows(self) -> usize {
        match self {
            Self::Output => TILE,
            _ => WINDOW,
        }
    }

    pub(super) fn columns(self) -> usize {
        match self {
            Self::OutputGradient => TILE,
            _ => WINDOW,
        }
    }

    fn eighths(self, row: usize, column: usize) -> i32 {
        match self {
            Self::Input => INPUT[row][column],
            Self::Output => OUTPUT[row][column],
            Self::OutputGradient => OUTPUT[column][row],
            Self::InputGradient => INPUT[column][row],
        }
    }
}

/// `G g G'` of a filter in rows.
pub(super) fn transform_filter(filter: &[f32; 9]) -> [f32; ELEMENTS] {
    // In f64, since it happens once for each network and its error would stay in every result.
    let column = |g: [f64; 3]| {
        [
            g[0],
            (g[0] + g[1] + g[2]) / 3.0,
            (g[1] - g[0] - g[2]) / 3.0,
            -(16.0 * g[0] + 8.0 * g[1] + 4.0 * g[2]) / 15.0,
            (g[0] - 2.0 * g[1] + 4.0 * g[2]) / 15.0,
            g[2],
        ]
    };
    let g = filter.map(f64::from);
    let columns: [[f64; WINDOW]; 3] = std::array::from_fn(|x| column([g[x], g[3 + x], g[6 + x]]));
    let mut out = [0.0; ELEMENTS];
    for y in 0..WINDOW {
        let row = column([columns[0][y], columns[1][y], columns[2][y]]);
        for x in 0..WINDOW {
            out[y * WINDOW + x] = row[x] as f32;
        }
    }
    out
}

/// One element of a matrix times a line: the values at `first`, `first + step`, ...
#[cube]
fn product<N: Size>(
    values: &Sequence<Vector<f32, N>>,
    #[comptime] first: usize,
    #[comptime] step: usize,
    #[comptime] matrix: Matrix,
    #[comptime] row: usize,
) -> Vector<f32, N> {
    let mut sum = Vector::<f32, N>::new(0.0);
    #[unroll]
    for k in 0..comptime!(matrix.columns()) {
        let eighths = comptime!(matrix.eighths(row, k));
        let value = values[comptime!(first + k * step)];
        if comptime!(eighths == 8) {
            sum += value;
        } else if comptime!(eighths == -8) {
            sum -= value;
        } else if comptime!(eighths != 0) {
            let factor = Vector::<f32, N>::new(f32::new(comptime!(eighths as f32 / 8.0)));
            sum = fma(factor, value, sum);
        }
    }
    sum
}

/// A matrix times one line of values.
#[cube]
pub(super) fn transform_line<N: Size>(
    values: &Sequence<Vector<f32, N>>,
    #[comptime] first: usize,
    #[comptime] step: usize,
    #[comptime] matrix: Matrix,
) -> Sequence<Vector<f32, N>> {
    let mut line = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for row in 0..comptime!(matrix.rows()) {
        line.push(product::<N>(values, first, step, matrix, row));
    }
    line
}

/// `M X M'` of a square `X`, given column by column; the result row by row.
#[cube]
pub(super) fn transform<N: Size>(
    columns: &Sequence<Vector<f32, N>>,
    #[comptime] matrix: Matrix,
) -> Sequence<Vector<f32, N>> {
    let inputs = comptime!(matrix.columns());
    let outputs = comptime!(matrix.rows());
    // Column after column, so that the values of one are free as soon as it is done.
    let mut half = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for x in 0..inputs {
        let column = transform_line::<N>(columns, comptime!(x * inputs), 1usize, matrix);
        #[unroll]
        for y in 0..outputs {
            half.push(column[y]);
        }
    }
    let mut whole = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for y in 0..outputs {
        let row = transform_line::<N>(&half, y, outputs, matrix);
        #[unroll]
        for x in 0..outputs {
            whole.push(row[x]);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transforms compute the correlation of six inputs with three taps, exactly in rationals
    /// of small numerators, which f64 holds.
    #[test]
    fn the_matrices_compute_a_correlation() {
        let filter = [3.0, -5.0, 7.0];
        let input = [2.0, -3.0, 5.0, 11.0, -13.0, 4.0];
        let mut nine = [0.0; 9];
        nine[..3].copy_from_slice(&filter.map(|tap| tap as f32));
        // A filter of one row: its transform's first row is the filter's own transform.
        let transformed = transform_filter(&nine);
        for output in 0..TILE {
            let sum: f64 = (0..WINDOW)
                .map(|element| {
                    let value: f64 = (0..WINDOW)
                        .map(|k| f64::from(Matrix::Input.eighths(element, k)) / 8.0 * input[k])
                        .sum();
                    let weight = (0..3)
                        .map(|tap| f64::from(one_dimension(tap, element)) * filter[tap])
                        .sum::<f64>();
                    f64::from(Matrix::Output.eighths(output, element)) / 8.0 * value * weight
                })
                .sum();
            let expected: f64 = (0..3).map(|tap| filter[tap] * input[output + tap]).sum();
            // Filters are rounded to f32.
            assert!((sum - expected).abs() < 1e-4, "{sum} {expected}");
        }
        assert!(transformed.iter().all(|value| value.is_finite()));
    }

    /// `G` in one dimension: the transform of a filter whose only column is this tap's, in its
    /// first column, where `G` is one.
    fn one_dimension(tap: usize, element: usize) -> f32 {
        let mut filter = [0.0; 9];
        filter[tap * 3] = 1.0;
        transform_filter(&filter)[element * WINDOW]
    }
}
