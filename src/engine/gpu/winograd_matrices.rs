//! The transforms of F(4x4, 3x3) in registers.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::engine::winograd::{INPUT, OUTPUT, TILE, WINDOW};

/// The matrix `M` of a transform `M X M'` of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Matrix {
    /// `B'`: from six inputs to six elements.
    Input,
    /// `A'`: from six products to four outputs.
    Output,
    /// `A`: from the gradients at four outputs to the gradients at six products.
    OutputGradient,
    /// `B`: from the gradients at six elements to the gradients at six inputs.
    InputGradient,
}

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

    /// Eight times an entry of the matrix.
    fn eighths(self, row: usize, column: usize) -> i32 {
        match self {
            Self::Input => INPUT[row][column],
            Self::Output => OUTPUT[row][column],
            Self::OutputGradient => OUTPUT[column][row],
            Self::InputGradient => INPUT[column][row],
        }
    }
}

/// One row of a matrix times a vector: the values at `first`, `first + step`, ...
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

/// A matrix times a vector: the values at `first`, `first + step`, ...
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

/// `M X M'` for a square `X` in column-major order. The result is in row-major order.
#[cube]
pub(super) fn transform<N: Size>(
    columns: &Sequence<Vector<f32, N>>,
    #[comptime] matrix: Matrix,
) -> Sequence<Vector<f32, N>> {
    let inputs = comptime!(matrix.columns());
    let outputs = comptime!(matrix.rows());
    // The columns come first, so that the registers of a column are free as soon as it is transformed.
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
