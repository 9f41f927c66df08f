//! Products against sums in f64 on the host.

use burn::tensor::TensorData;

use super::*;
use crate::engine::gpu::tests::device;
use crate::engine::reference::{assert_near, noise};

fn matrix(values: &[f32], rows: usize, device: &Device) -> Tensor<2> {
    let columns = values.len() / rows;
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), device)
}

fn values(matrix: Tensor<2>) -> Vec<f32> {
    matrix.into_data().try_to_vec().unwrap()
}

/// Numbers of positions around those of a block of few or many rows, a strip and a part.
const POSITIONS: [usize; 9] = [1, 15, 33, 64, 95, 129, 257, 1000, 4100];

#[test]
fn features_are_mixed() {
    let Some(device) = device() else { return };
    for positions in POSITIONS {
        for channels in [64, 128] {
            let (features, mixer) = (
                noise(positions * channels, 1),
                noise(channels * channels, 2),
            );
            let found = mix(
                matrix(&features, positions, &device),
                matrix(&mixer, channels, &device),
            );
            let expected: Vec<f64> = features
                .chunks(channels)
                .flat_map(|row| {
                    (0..channels).map(|column| {
                        let mixer = mixer.iter().skip(column).step_by(channels);
                        row.iter()
                            .zip(mixer)
                            .map(|(a, b)| f64::from(*a) * f64::from(*b))
                            .sum()
                    })
                })
                .collect();
            assert_near("a product", 1e-6, &values(found), &expected);
        }
    }
}

#[test]
fn gram_matrices_of_any_number_of_positions() {
    let Some(device) = device() else { return };
    for positions in POSITIONS.into_iter().chain([40_000]) {
        let channels = if positions > 1000 { 64 } else { 128 };
        let features = noise(positions * channels, 3);
        let found = gram(matrix(&features, positions, &device));
        let mut expected = vec![0.0; channels * channels];
        for row in features.chunks(channels) {
            for (sums, a) in expected.chunks_mut(channels).zip(row) {
                for (sum, b) in sums.iter_mut().zip(row) {
                    *sum += f64::from(*a) * f64::from(*b);
                }
            }
        }
        assert_near("a Gram matrix", 1e-6, &values(found), &expected);
    }
}
