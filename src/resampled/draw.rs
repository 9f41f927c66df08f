//! Random filters: their distribution, and the order of random numbers that one takes.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution, StandardNormal};

use super::filters::FilterBank;

pub(super) use crate::engine::tables::BANK;

/// The smallest and the largest standard deviation of the window, in half sides of the filter.
const WINDOW: (f32, f32) = (0.3, 0.7);

/// The most passes of the blur that a filter's low frequencies are computed with.
const PASSES: u32 = 3;

/// A bank of filters with unit norm:
///
/// ```text
/// w = (g - a B^n g) G        w / |w|
/// ```
///
/// `g` are normal deviates, `B` is a blur, and `G` is a Gaussian window. Drawn for each filter are `n` from
/// 1..=3, `a` uniformly from 0..1, the window's width log-uniformly, and its centre within half a pixel
/// of the filter's.
///
/// Narrow windows respond to pixels and edges, wide ones to shapes. Without a window nearly all of a
/// filter's energy is in its many outer taps, and hardly any filter responds to fine detail. Low
/// frequencies are by far the strongest in natural images. Filters that keep all of theirs would respond
/// to little else, so a part of them is subtracted.
pub(super) fn bank(channels: usize, side: usize, generator: &mut impl Rng) -> FilterBank {
    let taps = side * side;
    let mut weights = Vec::with_capacity(BANK * channels * taps);
    for _ in 0..BANK {
        let start = weights.len();
        weights.extend((0..channels * taps).map(|_| -> f32 { StandardNormal.sample(generator) }));
        let passes = generator.random_range(1..=PASSES);
        let share: f32 = generator.random();
        let window = window(side, generator);
        let filter = &mut weights[start..];
        for plane in filter.chunks_exact_mut(taps) {
            let mut low = plane.to_vec();
            (0..passes).for_each(|_| low = blurred(&low, side));
            for (weight, (low, window)) in plane.iter_mut().zip(low.iter().zip(&window)) {
                *weight = (*weight - share * low) * window;
            }
        }
        let norm = filter
            .iter()
            .map(|weight| weight * weight)
            .sum::<f32>()
            .sqrt();
        filter
            .iter_mut()
            .for_each(|weight| *weight /= norm.max(1e-6));
    }
    FilterBank {
        channels,
        count: BANK,
        side,
        weights,
    }
}

/// A square plane, zero beyond its border, blurred by the binomial filter 1 2 1 in both directions.
fn blurred(plane: &[f32], side: usize) -> Vec<f32> {
    let blur_axis = |plane: &[f32], stride: usize| -> Vec<f32> {
        let coordinate = |index: usize| index / stride % side;
        let value = |index: usize| {
            let before = if coordinate(index) > 0 {
                plane[index - stride]
            } else {
                0.0
            };
            let last = coordinate(index) + 1 == side;
            let after = if last { 0.0 } else { plane[index + stride] };
            0.25 * (before + after) + 0.5 * plane[index]
        };
        (0..plane.len()).map(value).collect()
    };
    blur_axis(&blur_axis(plane, 1), side)
}

/// A Gaussian window of random width and centre, `[side, side]`.
fn window(side: usize, generator: &mut impl Rng) -> Vec<f32> {
    let half = side as f32 / 2.0;
    let (narrow, wide) = WINDOW;
    let deviation = half * narrow * (wide / narrow).powf(generator.random());
    let mut centre = || half + generator.random::<f32>() - 0.5;
    let (middle_y, middle_x) = (centre(), centre());
    let taps = 0..side * side;
    taps.map(|tap| {
        let y = (tap / side) as f32 + 0.5 - middle_y;
        let x = (tap % side) as f32 + 0.5 - middle_x;
        (-(y * y + x * x) / (2.0 * deviation * deviation)).exp()
    })
    .collect()
}
