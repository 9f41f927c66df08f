//! The features of all positions in order, along one direction after the other. Sorting happens on
//! the host, whatever the device.

use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::backend::read;
use crate::engine::positions_by_channels;
use crate::error::Result;

/// The values of all positions of a map `[1, N, H, W]` along the columns of `directions`, `[N, K]`:
/// those along the first, then those along the second.
pub(crate) fn along(map: Tensor<4>, directions: &Tensor<2>) -> Result<Vec<f32>> {
    let along = positions_by_channels(map).matmul(directions.clone());
    read(along.transpose())
}

/// Replaces each of the values [`along`] directions by its distance from the quantile of the same
/// rank of the direction's target, a sorted list, and gives the sum of the squares.
pub(crate) fn subtract_quantiles(values: &mut [f32], targets: &[Vec<f32>]) -> f64 {
    let positions = values.len() / targets.len();
    let squares: Vec<f64> = values
        .par_chunks_mut(positions)
        .zip(targets)
        .map(|(values, target)| subtract(values, target))
        .collect();
    squares.iter().sum()
}

/// Value and place in one word: integers sort several times faster than pairs.
///
/// A type of its own, since the compiler takes the sort of a common type from any crate below that has
/// one, however little that crate was optimised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

fn subtract(values: &mut [f32], target: &[f32]) -> f64 {
    let mut keys: Vec<Key> = values
        .iter()
        .zip(0u64..)
        .map(|(value, place)| Key(u64::from(ordered(*value)) << 32 | place))
        .collect();
    keys.sort_unstable();
    let step = target.len() as f64 / values.len() as f64;
    let mut squares = 0.0;
    for (rank, Key(key)) in keys.into_iter().enumerate() {
        let quantile = if target.len() == values.len() {
            target[rank]
        } else {
            between(target, (rank as f64 + 0.5) * step - 0.5)
        };
        let value = &mut values[(key & u64::from(u32::MAX)) as usize];
        *value -= quantile;
        squares += f64::from(*value).powi(2);
    }
    squares
}

/// A sorted list at a fractional place.
fn between(sorted: &[f32], place: f64) -> f32 {
    let last = sorted.len() - 1;
    let place = place.clamp(0.0, last as f64);
    let below = place as usize;
    let share = (place - below as f64) as f32;
    sorted[below] * (1.0 - share) + sorted[(below + 1).min(last)] * share
}

/// An integer that is ordered as the number is.
fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    }
}
