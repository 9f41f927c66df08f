//! The one door to the `gemm` crate: dense products of f32 matrices in slices.

/// A matrix in a slice: `value(row, column) = data[row * row_stride + column * column_stride]`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) data: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other, each `columns` long.
    pub(super) fn rows(data: &'a [f32], columns: usize) -> Self {
        Self {
            data,
            row_stride: columns,
            column_stride: 1,
        }
    }

    /// The transpose of a matrix stored in rows of `rows` values.
    pub(super) fn transposed(data: &'a [f32], rows: usize) -> Self {
        Self {
            data,
            row_stride: 1,
            column_stride: rows,
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.data.len()
    }
}

/// `out = lhs * rhs` for `[m, k] * [k, n]`, on the calling thread alone; `out` is in rows.
pub(super) fn multiply(
    (m, k, n): (usize, usize, usize),
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    out: &mut [f32],
) {
    assert!(lhs.holds(m, k) && rhs.holds(k, n) && m * n <= out.len());
    // SAFETY: the three matrices lie inside their slices (asserted above), `out` is borrowed
    // mutably and so overlaps neither operand.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            lhs.data.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_product_by_hand() {
        // [1 2 3; 4 5 6] * [1 0; 2 1; 0 3] = [5 11; 14 23]
        let a = [1., 2., 3., 4., 5., 6.];
        let b = [1., 0., 2., 1., 0., 3.];
        let mut c = [f32::NAN; 4];
        multiply((2, 3, 2), Matrix::rows(&a, 3), Matrix::rows(&b, 2), &mut c);
        assert_eq!(c, [5., 11., 14., 23.]);
        // The same right factor given as the rows of its transpose.
        let bt = [1., 2., 0., 0., 1., 3.];
        multiply(
            (2, 3, 2),
            Matrix::rows(&a, 3),
            Matrix::transposed(&bt, 3),
            &mut c,
        );
        assert_eq!(c, [5., 11., 14., 23.]);
    }
}
