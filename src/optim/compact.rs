//! The means of Adam in sixteen bits each.
//!
//! What Adam divides is bounded: by the inequality of Cauchy and Schwarz the mean `m` of gradients and the root `r` of the
//! mean of their squares have `|m| <= b r`. So `m / r` is kept as an integer, to a 32767th of the bound, and `r` as a
//! number with five bits of exponent and eleven of mantissa, to a 4096th of its value.

use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::adam::{CHUNK, Rates, largest};

/// The bits of an f32 that are dropped.
const DROPPED: u32 = 12;

/// Octaves above the largest root of the first step, in which roots may grow; they may be 22 octaves smaller.
const ROOM: i32 = 10;

/// Both means of each variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CompactMeans {
    /// `m / r`, a whole number of 32767ths of `bound`.
    pub(super) ratio: Vec<i16>,
    /// The upper bits of `r`, above those of the smallest one.
    pub(super) root: Vec<u16>,
    pub(super) scale: Scale,
}

/// What the whole numbers mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Scale {
    /// The largest ratio.
    bound: f32,
    /// The bits of the smallest root; 0 before the first step.
    smallest: u32,
}

impl Scale {
    /// `|m| / r` is at most `(1 - beta1) / sqrt((1 - beta2) (1 - beta1^2 / beta2))`.
    fn new(beta1: f64, beta2: f64, largest_gradient: f32) -> Self {
        let left = (1.0 - beta2) * (1.0 - beta1 * beta1 / beta2);
        let bound = (1.0 - beta1) / left.max(1e-6).sqrt();
        let root = (1.0 - beta2).sqrt() * f64::from(largest_gradient);
        let exponent = (root.max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32 + ROOM - 32)
            .clamp(-126, 94);
        Self {
            bound: bound.max(1.0) as f32,
            smallest: ((exponent + 127) as u32) << 23,
        }
    }

    /// Whether it is one of means, before the first step or after.
    pub(super) fn fits(self) -> bool {
        self == Self::default() || self.is_valid()
    }

    /// Whether the smallest root leaves the others room, as those of [`new`](Self::new) do.
    fn is_valid(self) -> bool {
        (1.0..1e9).contains(&self.bound) && self.smallest <= 221 << 23
    }

    #[inline(always)]
    fn ratio(self, ratio: f32) -> i16 {
        let whole = ratio * (32767.0 / self.bound);
        // Rounds to the nearest: the sum has no bits for fractions.
        let rounded = (whole.clamp(-32767.0, 32767.0) + 12_582_912.0) - 12_582_912.0;
        rounded as i32 as i16
    }

    #[inline(always)]
    fn root(self, root: f32) -> u16 {
        let above = root.to_bits().saturating_sub(self.smallest) + (1 << (DROPPED - 1));
        (above >> DROPPED).min(u32::from(u16::MAX)) as u16
    }

    #[inline(always)]
    fn value_of_ratio(self, ratio: i16) -> f32 {
        f32::from(ratio) * (self.bound / 32767.0)
    }

    #[inline(always)]
    fn value_of_root(self, root: u16) -> f32 {
        // The smallest one stands for all that are smaller, zero among them.
        let bits = (u32::from(root) << DROPPED) + self.smallest;
        if root == 0 { 0.0 } else { f32::from_bits(bits) }
    }
}

impl CompactMeans {
    pub(super) fn new(count: usize) -> Self {
        Self {
            ratio: vec![0; count],
            root: vec![0; count],
            scale: Scale::default(),
        }
    }

    /// One step of [`Adam`](super::Adam).
    pub(super) fn step(&mut self, point: &mut [f32], gradient: &[f32], rates: &Rates) {
        if self.scale.smallest == 0 {
            let largest = largest(gradient) * rates.unit;
            self.scale = Scale::new(f64::from(rates.beta1), f64::from(rates.beta2), largest);
        }
        let scale = self.scale;
        let step = |point: &mut [f32], gradient: &[f32], ratios: &mut [i16], roots: &mut [u16]| {
            let state = ratios.iter_mut().zip(roots);
            for ((x, g), (ratio, root)) in point.iter_mut().zip(gradient).zip(state) {
                let r = scale.value_of_root(*root);
                let mut m = scale.value_of_ratio(*ratio) * r;
                let mut v = r * r;
                *x = rates.step(*x, *g, &mut m, &mut v);
                let r = v.sqrt();
                *ratio = scale.ratio(m / r.max(f32::MIN_POSITIVE));
                *root = scale.root(r);
            }
        };
        let state = self
            .ratio
            .par_chunks_mut(CHUNK)
            .zip(self.root.par_chunks_mut(CHUNK));
        point
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(state)
            .for_each(|((point, gradient), (ratios, roots))| {
                Arch::new().dispatch(|| step(point, gradient, ratios, roots));
            });
    }

    /// Makes them the means of gradients divided by two to the power of `more`.
    pub(super) fn divide(&mut self, more: u8) {
        if self.scale.smallest != 0 {
            let smallest = self.scale.smallest.saturating_sub(u32::from(more) << 23);
            self.scale.smallest = smallest.max(1 << 23);
        }
    }

    /// The means of a file; none if the scale is of no means.
    pub(super) fn from_parts(scale: Scale, ratio: Vec<i16>, root: Vec<u16>) -> Option<Self> {
        scale.fits().then_some(Self { ratio, root, scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_hold_ratios_and_roots() {
        let scale = Scale::new(0.9, 0.999, 3.0);
        // By hand: 0.1 / sqrt(0.001 (1 - 0.81 / 0.999)).
        assert!((scale.bound - 7.2697).abs() < 1e-3);
        for step in 0..200 {
            let ratio = (step as f32 - 100.0) / 100.0 * scale.bound;
            let found = scale.value_of_ratio(scale.ratio(ratio));
            assert!((found - ratio).abs() <= 0.51 * scale.bound / 32767.0);
            // The first root is 0.09: from 22 octaves below to 9 above.
            let root = 0.095 * 2f32.powf(step as f32 * 31.0 / 200.0 - 21.9);
            let found = scale.value_of_root(scale.root(root));
            assert!(
                (found / root - 1.0).abs() <= 1.01 / 4096.0,
                "{root} {found}"
            );
        }
        assert_eq!(scale.value_of_root(scale.root(0.0)), 0.0);
        assert_eq!(scale.root(f32::MAX), u16::MAX);
        assert_eq!(scale.ratio(1e9), 32767);
        assert!(scale.is_valid());
        let wrong = Scale {
            smallest: u32::MAX,
            ..scale
        };
        assert_eq!(CompactMeans::from_parts(wrong, vec![], vec![]), None);
    }
}
