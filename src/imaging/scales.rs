//! The sizes of a coarse-to-fine run.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, at_least_one};

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
}

impl Size {
    /// A size of `width` x `height`.
    #[must_use]
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// A square size.
    #[must_use]
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// The shorter side.
    #[must_use]
    pub fn shorter(self) -> usize {
        self.width.min(self.height)
    }

    /// The number of pixels.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.width.saturating_mul(self.height)
    }

    /// The size after this number of halvings, each rounded down as in
    /// [`halve`](crate::imaging::halve), at least one pixel.
    pub(crate) fn halved(self, octaves: usize) -> Self {
        let halved = |side: usize| side.checked_shr(octaves as u32).unwrap_or(0);
        let side = |side: usize| halved(side).max(1);
        Self::new(side(self.width), side(self.height))
    }

    /// Both sides times a factor, rounded to the nearest pixel, at least one pixel.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        let side = |side: usize| ((side as f64 * factor).round() as usize).max(1);
        Self::new(side(self.width), side(self.height))
    }

    /// The size with `margin` more pixels on each side.
    pub(crate) fn with_margin(self, margin: usize) -> Self {
        Self::new(self.width + 2 * margin, self.height + 2 * margin)
    }

    /// Less `margin` pixels on every side.
    pub(crate) fn without_margin(self, margin: usize) -> Self {
        Self::new(self.width - 2 * margin, self.height - 2 * margin)
    }

    /// The sizes of a run with this number of halvings, coarse to fine.
    pub(crate) fn octaves(self, halvings: usize) -> Vec<Self> {
        (0..=halvings)
            .rev()
            .map(|octaves| self.halved(octaves))
            .collect()
    }

    pub(crate) fn check(self, what: &str) -> Result<()> {
        for (side, pixels) in [("width", self.width), ("height", self.height)] {
            if !(1..=LONGEST).contains(&pixels) {
                let name = format!("the {side} of {what}");
                return Err(Error::option(
                    name,
                    pixels,
                    format!("1 to {LONGEST} pixels"),
                ));
            }
        }
        Ok(())
    }
}

/// The longest side of a picture. Nothing that is larger fits into memory.
const LONGEST: usize = 1 << 16;

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// The sizes of a coarse-to-fine run.
///
/// Each scale starts from the enlarged result of the previous one. Coarse scales determine large
/// shapes, fine scales add grain. More octaves give larger coherent structures. If the first octave
/// is too small, the result copies the exemplar's layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scales {
    /// Scales that depend on the statistics and the task. Statistics of a network: octaves from 48
    /// pixels on, at most four. Resampled filters: finer steps, from 25 pixels on for textures and
    /// from 48 pixels on for styles.
    #[default]
    Auto,
    /// Octaves. Their number is the largest, up to `most`, for which the shorter side of the first
    /// octave has at least `smallest` pixels and the size that the deepest layer needs.
    Octaves {
        /// The most octaves. 1 gives only the final size.
        most: usize,
        /// The fewest pixels of the first octave's shorter side.
        smallest: usize,
    },
    /// Only the final size.
    Single,
}

/// `most` and `smallest` of [`Scales::Auto`] for statistics of a network.
const OCTAVES: (usize, usize) = (4, 48);

/// The approximate ratio of consecutive sizes with resampled filters.
const RATIO: f64 = std::f64::consts::FRAC_1_SQRT_2;

impl Scales {
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::Octaves { most, smallest } => {
                at_least_one("octaves", most)?;
                at_least_one("the first octave", smallest)
            }
            Self::Auto | Self::Single => Ok(()),
        }
    }

    /// The size factors of a run with steps finer than octaves, coarse to fine, ending with 1.
    /// `shorter` is the shortest side of all pictures, `smallest` the first side of
    /// [`Scales::Auto`].
    pub(crate) fn factors(self, shorter: usize, smallest: f64) -> Vec<f64> {
        let side = shorter as f64;
        let first = match self {
            Self::Single => 1.0,
            Self::Auto => smallest / side,
            Self::Octaves { most, smallest } => {
                let halvings = i32::try_from(most - 1).unwrap_or(i32::MAX);
                0.5f64.powi(halvings).max(smallest as f64 / side)
            }
        };
        let first = first.min(1.0);
        let steps = (first.ln() / RATIO.ln()).round().max(0.0) as usize;
        let factor = |step: usize| match steps {
            0 => 1.0,
            _ => first.powf(1.0 - step as f64 / steps as f64),
        };
        (0..=steps).map(factor).collect()
    }

    /// The number of halvings for which the shorter sides of all `sizes` stay at least `minimum`.
    pub(crate) fn halvings(self, sizes: &[Size], minimum: usize) -> usize {
        let (most, smallest) = match self {
            Self::Octaves { most, smallest } => (most, smallest),
            Self::Auto => OCTAVES,
            Self::Single => return 0,
        };
        let least = smallest.max(minimum);
        // A side of one pixel is not halved.
        let halvable = |size: &Size| size.shorter().max(1).ilog2() as usize;
        let most = sizes.iter().map(halvable).min().unwrap_or(0).min(most - 1);
        (0..=most)
            .take_while(|&octaves| {
                sizes
                    .iter()
                    .all(|size| size.halved(octaves).shorter() >= least)
            })
            .last()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_rise_evenly_to_one() {
        assert_eq!(Scales::Single.factors(200, 25.0), [1.0]);
        assert_eq!(Scales::Auto.factors(20, 25.0), [1.0]);
        let factors = Scales::Auto.factors(200, 25.0);
        assert_eq!(factors.len(), 7);
        assert_eq!((factors[0], factors[6]), (0.125, 1.0));
        for pair in factors.windows(2) {
            assert!((pair[0] / pair[1] - 0.5f64.sqrt()).abs() < 1e-12);
        }
        let octaves = |most, smallest| Scales::Octaves { most, smallest };
        assert_eq!(octaves(3, 8).factors(200, 25.0)[0], 0.25);
        assert_eq!(octaves(9, 40).factors(200, 25.0)[0], 0.2);
        assert_eq!(octaves(1, 8).factors(200, 25.0), [1.0]);
    }

    #[test]
    fn octaves_stop_above_the_smallest_side() {
        let size = Size::new(300, 200);
        let octaves = |most, smallest| Scales::Octaves { most, smallest };
        assert_eq!(octaves(4, 48).halvings(&[size], 1), 2);
        assert_eq!(octaves(2, 48).halvings(&[size], 1), 1);
        assert_eq!(octaves(4, 48).halvings(&[size, Size::square(96)], 1), 1);
        assert_eq!(octaves(4, 48).halvings(&[size], 64), 1);
        assert_eq!(octaves(4, 300).halvings(&[size], 1), 0);
        assert_eq!(Scales::Single.halvings(&[size], 1), 0);
        assert_eq!(size.halved(2), Size::new(75, 50));
        assert_eq!(Size::new(1, 1).halved(3), Size::new(1, 1));
    }
}
