//! Functions of small dense matrices in host memory.

use nalgebra::{DMatrix, SymmetricEigen};

/// The power `V diag(max(l, floor)^exponent) V'` of a symmetric matrix `V diag(l) V'`.
///
/// Eigenvalues below `floor`, from rounding or from directions without variance, are replaced by
/// `floor`.
pub(crate) fn symmetric_power(matrix: DMatrix<f64>, floor: f64, exponent: f64) -> DMatrix<f64> {
    let SymmetricEigen {
        eigenvectors,
        eigenvalues,
    } = matrix.symmetric_eigen();
    let powers = eigenvalues.map(|value| value.max(floor).powf(exponent));
    &eigenvectors * DMatrix::from_diagonal(&powers) * eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_times_itself_is_the_matrix() {
        let factor = DMatrix::from_fn(5, 5, |i, j| ((3 * i + 7 * j) as f64).sin());
        let matrix = &factor * factor.transpose() + DMatrix::identity(5, 5) * 0.1;
        let root = symmetric_power(matrix.clone(), 1e-9, 0.5);
        assert!((&root * &root - &matrix).amax() < 1e-12);
        let inverse = symmetric_power(matrix.clone(), 1e-9, -1.0);
        assert!((inverse * matrix - DMatrix::identity(5, 5)).amax() < 1e-10);
    }

    #[test]
    fn a_direction_without_variance_has_the_floor() {
        let matrix = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(vec![4.0, 0.0]));
        let root = symmetric_power(matrix, 0.01, -0.5);
        assert!((root[(0, 0)] - 0.5).abs() < 1e-12 && (root[(1, 1)] - 10.0).abs() < 1e-12);
    }
}
