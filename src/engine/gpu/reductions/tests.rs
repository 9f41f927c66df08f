//! Reductions against sums in f64 on the host.

use burn::tensor::{Device, Tensor, TensorData};

use super::Reduction::{LargestAbsolute, Sum, SumOfSquares};
use super::*;
use crate::engine::gpu::tests::device;
use crate::engine::reference::noise;

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn number(tensor: Tensor<1>) -> f64 {
    assert_eq!(tensor.dims(), [1]);
    f64::from(tensor.into_scalar::<f32>())
}

/// Sizes around those of a unit, a workgroup and a launch.
const LENGTHS: [usize; 9] = [1, 2, 127, 128, 129, 513, 4096, 131_073, 400_000];

#[test]
fn sums_and_the_largest_value_are_those_of_the_host() {
    let Some(device) = device() else { return };
    for length in LENGTHS {
        let mut host = noise(length, 3);
        host[length / 2] = -3.5;
        let on_device = vector(&host, &device);
        let wide = || host.iter().map(|value| f64::from(*value));
        let squares: f64 = wide().map(|value| value * value).sum();
        let sum = number(reduce(on_device.clone(), Sum));
        assert!(
            (sum - wide().sum::<f64>()).abs() < 1e-7 * squares + 1e-6,
            "{length}"
        );
        let got = number(reduce(on_device.clone(), SumOfSquares));
        assert!(
            (got - squares).abs() < 1e-6 * squares,
            "{length}: {got} {squares}"
        );
        assert_eq!(
            number(reduce(on_device.clone(), LargestAbsolute)),
            3.5,
            "{length}"
        );
        let other: Vec<f32> = host.iter().rev().map(|value| value * 0.75).collect();
        let product: f64 = wide().zip(&other).map(|(a, b)| a * f64::from(*b)).sum();
        let got = number(inner_product(on_device.clone(), vector(&other, &device)));
        assert!(
            (got - product).abs() < 1e-6 * squares,
            "{length}: {got} {product}"
        );
        let itself = number(inner_product(on_device.clone(), on_device));
        assert!((itself - squares).abs() < 1e-6 * squares, "{length}");
    }
}

#[test]
fn rows_are_added_in_every_column() {
    let Some(device) = device() else { return };
    for (rows, columns) in [
        (1, 1),
        (3, 5),
        (16, 32),
        (17, 33),
        (1000, 3),
        (4099, 64),
        (70_000, 7),
    ] {
        let host = noise(rows * columns, 4);
        let matrix = vector(&host, &device).reshape([rows, columns]);
        let sums = sum_of_rows(matrix).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(sums.len(), columns);
        for (column, sum) in sums.into_iter().enumerate() {
            let expected: f64 = host
                .iter()
                .skip(column)
                .step_by(columns)
                .map(|v| f64::from(*v))
                .sum();
            let error = (f64::from(sum) - expected).abs();
            assert!(
                error < 1e-7 * rows as f64 + 1e-6,
                "{rows}x{columns}: {sum} {expected}"
            );
        }
    }
}

#[test]
fn a_sum_has_the_same_bits_every_time() {
    let Some(device) = device() else { return };
    let on_device = vector(&noise(300_001, 5), &device);
    let first = number(reduce(on_device.clone(), Sum)).to_bits();
    for _ in 0..5 {
        assert_eq!(number(reduce(on_device.clone(), Sum)).to_bits(), first);
    }
}
