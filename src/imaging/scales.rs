//! The sizes a run goes through, coarse to fine.

use serde::{Deserialize, Serialize};

use crate::error::{Result, at_least_one};

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

    /// A square.
    #[must_use]
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// The shorter side.
    #[must_use]
    pub fn shorter(self) -> usize {
        self.width.min(self.height)
    }

    /// Number of pixels.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.width * self.height
    }

    /// This size halved so many times, odd pixels left out as [`halve`](crate::halve) does, at
    /// least one pixel.
    pub(crate) fn halved(self, octaves: usize) -> Self {
        let side = |side: usize| (side >> octaves).max(1);
        Self::new(side(self.width), side(self.height))
    }

    /// The sizes of a run that halves this one so many times, coarse to fine.
    pub(crate) fn octaves(self, halvings: usize) -> Vec<Self> {
        (0..=halvings)
            .rev()
            .map(|octaves| self.halved(octaves))
            .collect()
    }

    pub(crate) fn check(self, what: &str) -> Result<()> {
        at_least_one(&format!("the width of {what}"), self.width)?;
        at_least_one(&format!("the height of {what}"), self.height)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Through which sizes a run goes.
///
/// Coarse to fine, every octave starts from the enlarged result of the one before: large shapes
/// are settled where they are small, and fine grain is added where it is cheap to keep. More
/// octaves give larger coherent structures; too small a first octave copies the exemplar's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scales {
    /// As many octaves, up to this number, as keep the first at least this many pixels on its
    /// shorter side and as large as the deepest layer needs.
    Octaves {
        /// Most octaves; 1 is the final size alone.
        most: usize,
        /// Fewest pixels of the first octave's shorter side.
        smallest: usize,
    },
    /// The final size alone.
    Single,
}

impl Default for Scales {
    fn default() -> Self {
        Self::Octaves {
            most: 4,
            smallest: 48,
        }
    }
}

impl Scales {
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::Octaves { most, smallest } => {
                at_least_one("octaves", most)?;
                at_least_one("the first octave", smallest)
            }
            Self::Single => Ok(()),
        }
    }

    /// How often every one of `sizes` can be halved, at most, when none may fall below `minimum`.
    pub(crate) fn halvings(self, sizes: &[Size], minimum: usize) -> usize {
        let Self::Octaves { most, smallest } = self else {
            return 0;
        };
        let least = smallest.max(minimum);
        (0..most)
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
