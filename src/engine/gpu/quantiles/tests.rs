//! Compares the kernels with sorts on the host and sums in f64, on the first GPU, which may be a software one.

use burn::tensor::{Device, Tensor, TensorData};

use super::tile::TILE;
use super::{LARGEST_PAIRS, in_lists_of};
use crate::engine::gpu::tests::device;
use crate::engine::reference::noise;

/// Values along directions, `[directions, length]`.
struct Rows {
    length: usize,
    values: Vec<f32>,
}

impl Rows {
    fn of(directions: usize, length: usize, value: impl Fn(f32) -> f32, seed: usize) -> Self {
        let values = noise(directions * length, seed);
        Self {
            length,
            values: values.into_iter().map(value).collect(),
        }
    }

    fn sorted(mut self) -> Self {
        for row in self.values.chunks_mut(self.length) {
            row.sort_by(f32::total_cmp);
        }
        self
    }

    fn tensor(&self, device: &Device) -> Tensor<2> {
        let shape = [self.values.len() / self.length, self.length];
        Tensor::from_data(TensorData::new(self.values.clone(), shape), device)
    }
}

/// The definition: positions in the order of their values, of equal values in the order of positions, NaN last.
/// The fractional index is computed in integers.
fn expected(values: &Rows, target: &Rows) -> Vec<f64> {
    let (positions, length) = (values.length as u64, target.length as u64);
    let mut differences = vec![0.0; values.values.len()];
    let rows = values.values.chunks(values.length);
    for ((values, target), differences) in rows
        .zip(target.values.chunks(target.length))
        .zip(differences.chunks_mut(values.length))
    {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| {
            let (a, b) = (values[*a], values[*b]);
            let nan_last = a.is_nan().cmp(&b.is_nan());
            nan_last.then(if a.is_nan() {
                0.0f32.total_cmp(&0.0)
            } else {
                a.total_cmp(&b)
            })
        });
        for (rank, position) in (0u64..).zip(order) {
            // Twice the number of positions times the index.
            let index = ((2 * rank + 1) * length) as i64 - positions as i64;
            let index = index.clamp(0, 2 * positions as i64 * (length as i64 - 1)) as u64;
            let below = (index / (2 * positions)) as usize;
            let weight = (index % (2 * positions)) as f64 / (2 * positions) as f64;
            let above = (below + 1).min(target.len() - 1);
            let quantile =
                f64::from(target[below]) * (1.0 - weight) + f64::from(target[above]) * weight;
            differences[position] = f64::from(values[position]) - quantile;
        }
    }
    differences
}

#[track_caller]
fn check(values: &Rows, target: &Rows, largest: usize, device: &Device) {
    let found = in_lists_of(largest, values.tensor(device), target.tensor(device));
    let found: Vec<f32> = found.into_data().try_into_vec().unwrap();
    let expected = expected(values, target);
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        let what = format!(
            "{} values to {}: {found} at {index}, not {expected}",
            values.length, target.length
        );
        match expected.is_finite() {
            true => assert!((f64::from(found) - expected).abs() < 5e-7, "{what}"),
            false if expected.is_nan() => assert!(found.is_nan(), "{what}"),
            false => assert!(f64::from(found) == expected, "{what}"),
        }
    }
}

const SIZES: [(usize, usize); 9] = [
    (1, 1),
    (1, 6),
    (7, 1),
    (100, 100),
    (TILE, TILE + 1),
    (TILE + 1, TILE),
    (TILE + 1, 1),
    (3 * TILE + 5, 3 * TILE + 5),
    (5000, 12347),
];

#[test]
fn values_of_all_sizes() {
    let Some(device) = device() else { return };
    for (positions, length) in SIZES {
        let values = Rows::of(3, positions, |value| value, 1);
        let target = Rows::of(3, length, |value| 0.5 - value, 2).sorted();
        check(&values, &target, LARGEST_PAIRS, &device);
    }
}

/// Equal values keep the order of their positions; minus zero comes before zero.
#[test]
fn ties() {
    let Some(device) = device() else { return };
    for (positions, length) in SIZES {
        for shades in [1.0, 4.0] {
            let values = Rows::of(3, positions, |value| (value * shades).round() / 8.0, 3);
            let target = Rows::of(3, length, |value| value, 4).sorted();
            check(&values, &target, LARGEST_PAIRS, &device);
        }
    }
}

#[test]
fn directions_in_groups() {
    let Some(device) = device() else { return };
    for directions in [1, 2, 5] {
        let values = Rows::of(directions, TILE + 300, |value| value, 5);
        let target = Rows::of(directions, 999, |value| value, 6).sorted();
        // One, two and all of them.
        for largest in [1, 2 * 8 * (TILE + 300), LARGEST_PAIRS] {
            check(&values, &target, largest, &device);
        }
    }
}

#[test]
fn what_is_not_finite_stays_where_it_is() {
    let Some(device) = device() else { return };
    for positions in [50, 3 * TILE + 5] {
        let mut values = Rows::of(2, positions, |value| value, 7);
        for (index, value) in [
            (3, f32::NAN),
            (4, -f32::NAN),
            (17, f32::INFINITY),
            (18, f32::NEG_INFINITY),
            (49, f32::from_bits(0xffff_ffff)),
            (positions + 1, f32::NAN),
        ] {
            values.values[index] = value;
        }
        let target = Rows::of(2, 40, |value| value, 8).sorted();
        check(&values, &target, LARGEST_PAIRS, &device);
        // All of them.
        values.values.fill(f32::NAN);
        check(&values, &target, LARGEST_PAIRS, &device);
    }
}

/// A fractional index of such maps needs more bits than f32 has, and its numerator more than 32.
#[test]
fn large_maps() {
    let Some(device) = device() else { return };
    for (positions, length) in [((1 << 19) + 1, 777_777), (300_001, 1 << 20)] {
        let values = Rows::of(1, positions, |value| value, 9);
        let target = Rows::of(1, length, |value| value, 10).sorted();
        check(&values, &target, LARGEST_PAIRS, &device);
    }
}
