//! Powers of covariances: metrics in which weak directions count.

use burn::tensor::{Tensor, TensorData};
use nalgebra::DMatrix;

use crate::error::{Error, Result};

/// `(S / s + floor I)^exponent` for a covariance `S`, `[N, N]`, whose eigenvalues are `s` in the
/// mean; nothing for one without any variance.
pub(super) fn power(
    covariance: &Tensor<2>,
    floor: f64,
    exponent: f64,
) -> Result<Option<Tensor<2>>> {
    let [count, _] = covariance.dims();
    let values: Vec<f32> = covariance
        .clone()
        .try_into_vec_as()
        .map_err(Error::device)?;
    let eigen =
        DMatrix::from_iterator(count, count, values.into_iter().map(f64::from)).symmetric_eigen();
    let mean = eigen.eigenvalues.mean();
    if mean <= 0.0 {
        return Ok(None);
    }
    let powers = eigen
        .eigenvalues
        // Rounding leaves some that should be zero a little below it.
        .map(|value| (value.max(0.0) / mean + floor).powf(exponent));
    let vectors = eigen.eigenvectors;
    let matrix = &vectors * DMatrix::from_diagonal(&powers) * vectors.transpose();
    let values: Vec<f32> = matrix.iter().map(|value| *value as f32).collect();
    let data = TensorData::new(values, [count, count]);
    let options = (&covariance.device(), covariance.dtype());
    Ok(Some(Tensor::from_data(data, options)))
}
