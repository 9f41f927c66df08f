//! Projections of features on directions, and differences from quantiles on the host, for the sliced
//! Wasserstein distance.

use std::borrow::Cow;

use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::backend::read;
use crate::engine::{self, positions_by_channels};
use crate::error::Result;

/// Projects the features of a map `[1, N, H, W]` on the columns of `directions`, `[N, K]`. The
/// result is `[K, H W]`.
pub(super) fn project(map: Tensor<4>, directions: &Tensor<2>) -> Tensor<2> {
    let projections = positions_by_channels(map).matmul(directions.clone());
    projections.transpose()
}

/// As [`project`], with the values of a direction side by side in memory, as kernels of GPUs read them.
pub(super) fn projected_rows(map: Tensor<4>, directions: &Tensor<2>) -> Tensor<2> {
    let positions = positions_by_channels(map).transpose();
    directions.clone().transpose().matmul(positions)
}

/// `factor` times the sum over directions `[N, K]` of differences `[K, M]` along them, `[M, N]`.
pub(super) fn projected_back(
    differences: Tensor<2>,
    directions: &Tensor<2>,
    factor: f64,
) -> Tensor<2> {
    let directions = directions.clone().transpose().mul_scalar(factor);
    differences.transpose().matmul(directions)
}

/// The sorted projections of the target, for each direction.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Host(Vec<Vec<f32>>),
    /// `[K, length]`, on a device that sorts.
    Device(Tensor<2>),
}

impl Target {
    /// The target where a device finds it.
    pub(super) fn of(sorted: Vec<Vec<f32>>, device: &Device) -> Self {
        if !engine::sorts(device) {
            return Self::Host(sorted);
        }
        let shape = [sorted.len(), sorted.first().map_or(0, Vec::len)];
        let data = TensorData::new(sorted.concat(), shape);
        Self::Device(Tensor::from_data(data, (device, DType::F32)))
    }

    pub(super) fn on_host(&self) -> Result<Cow<'_, [Vec<f32>]>> {
        Ok(match self {
            Self::Host(sorted) => Cow::Borrowed(sorted),
            Self::Device(sorted) => {
                let [_, length] = sorted.dims();
                let values: Vec<f32> = read(sorted.clone())?;
                Cow::Owned(values.chunks(length).map(<[f32]>::to_vec).collect())
            }
        })
    }
}

/// Subtracts the target quantile of the same rank from each projection, and returns the sum of squared
/// differences. `values` come from [`project`]; `targets` are sorted, one for each direction.
pub(super) fn subtract_quantiles(values: &mut [f32], targets: &[Vec<f32>]) -> f64 {
    let positions = values.len() / targets.len();
    let squares: Vec<f64> = values
        .par_chunks_mut(positions)
        .zip(targets)
        .map(|(values, target)| subtract_direction(values, target))
        .collect();
    squares.iter().sum()
}

/// A value and its index in one integer. Integers sort several times faster than pairs.
///
/// This is a type of its own for speed: for a common type the compiler reuses the sort that a
/// dependency has already instantiated, and dependencies are compiled with less optimisation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

fn subtract_direction(values: &mut [f32], target: &[f32]) -> f64 {
    let mut keys: Vec<Key> = values
        .iter()
        .zip(0u64..)
        .map(|(value, index)| Key(u64::from(ordered_bits(*value)) << 32 | index))
        .collect();
    keys.sort_unstable();
    let step = target.len() as f64 / values.len() as f64;
    let mut squares = 0.0;
    for (rank, Key(key)) in keys.into_iter().enumerate() {
        let quantile = if target.len() == values.len() {
            target[rank]
        } else {
            interpolated(target, (rank as f64 + 0.5) * step - 0.5)
        };
        let value = &mut values[(key & u64::from(u32::MAX)) as usize];
        *value -= quantile;
        squares += f64::from(*value).powi(2);
    }
    squares
}

/// The value of a sorted list at a fractional index.
fn interpolated(sorted: &[f32], index: f64) -> f32 {
    let last = sorted.len() - 1;
    let index = index.clamp(0.0, last as f64);
    let below = index as usize;
    let weight = (index - below as f64) as f32;
    sorted[below] * (1.0 - weight) + sorted[(below + 1).min(last)] * weight
}

/// An integer with the same order as the number.
fn ordered_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(lengths: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f32>> {
        let number =
            prop_oneof![8 => -10f32..10.0, 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(1e30)];
        prop::collection::vec(number, lengths)
    }

    proptest! {
        /// Ranks and quantiles of the standard library's stable sort, for one direction and for several.
        #[test]
        fn ranks_are_those_of_a_sort(
            rows in prop::collection::vec((numbers(24..25), numbers(1..60)), 1..4)
        ) {
            let mut values: Vec<f32> = rows.iter().flat_map(|(values, _)| values.clone()).collect();
            let sorted = |values: &[f32]| {
                let mut sorted = values.to_vec();
                sorted.sort_by(f32::total_cmp);
                sorted
            };
            let targets: Vec<Vec<f32>> = rows.iter().map(|(_, target)| sorted(target)).collect();
            let squares = subtract_quantiles(&mut values, &targets);
            let mut expected_squares = 0.0;
            for ((before, _), (after, target)) in rows.iter().zip(values.chunks(24).zip(&targets)) {
                let mut order: Vec<usize> = (0..before.len()).collect();
                order.sort_by(|a, b| before[*a].total_cmp(&before[*b]));
                for (rank, index) in order.into_iter().enumerate() {
                    let last = target.len() - 1;
                    let at = (rank as f64 + 0.5) / before.len() as f64 * target.len() as f64 - 0.5;
                    let at = at.clamp(0.0, last as f64);
                    let (low, high) = (target[at.floor() as usize], target[at.ceil() as usize]);
                    let quantile = f64::from(low) + (f64::from(high) - f64::from(low)) * at.fract();
                    let expected = f64::from(before[index]) - quantile;
                    let size = before[index].abs().max(low.abs()).max(high.abs()).max(1.0);
                    let apart = (f64::from(after[index]) - expected).abs();
                    prop_assert!(apart <= 1e-5 * f64::from(size), "{} {expected}", after[index]);
                    expected_squares += f64::from(after[index]).powi(2);
                }
            }
            prop_assert!((squares - expected_squares).abs() <= 1e-9 * expected_squares);
        }
    }
}
