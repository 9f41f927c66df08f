//! Powers of covariance matrices, for whitening.

use burn::tensor::{Tensor, TensorData};
use nalgebra::DMatrix;

use crate::backend::read;
use crate::error::Result;
use crate::linear_algebra::symmetric_power;

/// `(S / s + floor I)^exponent` for a covariance `S`, `[N, N]`, with mean eigenvalue `s`. `None` if
/// `s` is not positive.
pub(super) fn power(
    covariance: &Tensor<2>,
    floor: f64,
    exponent: f64,
) -> Result<Option<Tensor<2>>> {
    let [count, _] = covariance.dims();
    let values: Vec<f32> = read(covariance.clone())?;
    let own = DMatrix::from_iterator(count, count, values.into_iter().map(f64::from));
    let mean = own.trace() / count as f64;
    if mean <= 0.0 {
        return Ok(None);
    }
    // The floor is added before the decomposition. Channels that are always inactive give rows of
    // zeros, and the decomposition of a matrix with many of them can return NaN.
    let metric = own / mean + DMatrix::identity(count, count) * floor;
    // Rounding can make an eigenvalue slightly smaller than the floor.
    let matrix = symmetric_power(metric, floor, exponent);
    let values: Vec<f32> = matrix.iter().map(|value| *value as f32).collect();
    let data = TensorData::new(values, [count, count]);
    let options = (&covariance.device(), covariance.dtype());
    Ok(Some(Tensor::from_data(data, options)))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Covariances of few positions, with most channels zero everywhere, as in a trained network on
    /// a small octave.
    #[test]
    fn dead_channels_do_not_spoil_the_metric() {
        const CHANNELS: usize = 192;
        for seed in 0..20 {
            let features = DMatrix::from_fn(CHANNELS, 9, |channel, position| {
                let live = (channel * 7 + seed) % CHANNELS < 53;
                let phase = channel as f32 * 12.9898 + position as f32 * 78.233 + seed as f32;
                f64::from(if live {
                    (phase.sin() * 43758.547).fract()
                } else {
                    0.0
                })
            });
            let covariance = (&features * features.transpose()).map(|value| value as f32);
            let values: Vec<f32> = covariance.iter().copied().collect();
            let data = TensorData::new(values, [CHANNELS, CHANNELS]);
            let tensor = Tensor::from_data(data, &Device::flex());
            let found = power(&tensor, 0.01, -0.5).unwrap().unwrap();
            let found: Vec<f32> = found.try_into_vec_as().unwrap();
            let root = DMatrix::from_iterator(CHANNELS, CHANNELS, found.into_iter().map(f64::from));
            // The square of the inverse root, times the matrix, is the identity.
            let own = covariance.map(f64::from);
            let mean = own.trace() / CHANNELS as f64;
            let whole = own / mean + DMatrix::identity(CHANNELS, CHANNELS) * 0.01;
            let apart = &root * &root * whole - DMatrix::identity(CHANNELS, CHANNELS);
            assert!(apart.amax() < 1e-3, "{seed}: {}", apart.amax());
        }
    }
}
