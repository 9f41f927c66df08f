//! The stream of filters: which random numbers make a filter.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution, StandardNormal};

use super::filters::FilterBank;

/// Filters that are computed together.
pub(super) const BANK: usize = 8;

/// Standard deviations of the window, in half sides of the filter.
const WINDOW: (f32, f32) = (0.3, 0.7);

/// Passes of the blur whose part is taken from a filter, at most.
const PASSES: u32 = 3;

/// A bank of filters of unit length: Gaussian weights, less a part of their low frequencies, in a
/// Gaussian window.
///
/// The window's width is drawn for each filter, log-uniformly, and its centre within half a pixel of
/// the filter's. Narrow windows ask for pixels and edges, wide ones for shapes; without a window nearly
/// all of a filter's energy is in its many outer taps, and fine detail is hardly ever asked for. The low
/// frequencies of natural images are so much stronger than the others that filters with all of theirs
/// would ask for little else; what part of a blurred copy is taken away is drawn from 0..1.
pub(super) fn bank(channels: usize, side: usize, generator: &mut impl Rng) -> FilterBank {
    let taps = side * side;
    let mut weights = Vec::with_capacity(BANK * channels * taps);
    for _ in 0..BANK {
        let start = weights.len();
        weights.extend((0..channels * taps).map(|_| -> f32 { StandardNormal.sample(generator) }));
        let passes = generator.random_range(1..=PASSES);
        let part: f32 = generator.random();
        let window = window(side, generator);
        let filter = &mut weights[start..];
        for plane in filter.chunks_exact_mut(taps) {
            let mut low = plane.to_vec();
            (0..passes).for_each(|_| low = blurred(&low, side));
            for (weight, (low, window)) in plane.iter_mut().zip(low.iter().zip(&window)) {
                *weight = (*weight - part * low) * window;
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

/// A square plane blurred by the binomial 1 2 1 in both directions, zero beyond its border.
fn blurred(plane: &[f32], side: usize) -> Vec<f32> {
    let along = |plane: &[f32], stride: usize| -> Vec<f32> {
        let place = |index: usize| index / stride % side;
        let value = |index: usize| {
            let before = if place(index) > 0 {
                plane[index - stride]
            } else {
                0.0
            };
            let last = place(index) + 1 == side;
            let after = if last { 0.0 } else { plane[index + stride] };
            0.25 * (before + after) + 0.5 * plane[index]
        };
        (0..plane.len()).map(value).collect()
    };
    along(&along(plane, 1), side)
}

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
