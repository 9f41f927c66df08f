//! Padding of a convolution's input.

use serde::{Deserialize, Serialize};

use crate::error::{Error, unknown_name};

/// How a convolution extends its input beyond the border.
///
/// For a row `a b c d` padded by one on both sides:
///
/// | padding | padded row |
/// |---|---|
/// | [`Zero`](Padding::Zero) | `0 a b c d 0` |
/// | [`Reflect`](Padding::Reflect) | `b a b c d c` |
/// | [`Replicate`](Padding::Replicate) | `a a b c d d` |
/// | [`Circular`](Padding::Circular) | `d a b c d a` |
///
/// VGG was published with zero padding. Zeros mark the border for every layer, so feature
/// statistics depend on the position. The other three paddings use only values of the input.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum Padding {
    /// Zeros, as in the published VGG.
    Zero,
    /// The input mirrored at its first and last sample, which are not repeated.
    #[default]
    Reflect,
    /// The first and last sample repeated.
    Replicate,
    /// The input repeated periodically. A result made with this padding tiles without a seam.
    Circular,
}

fn unknown(name: &str) -> Error {
    unknown_name::<Padding>("padding", name)
}

/// The source index of a padded position that is zero.
pub(crate) const ZERO: i32 = -1;

impl Padding {
    /// All kinds of padding.
    pub const ALL: [Self; 4] = [Self::Zero, Self::Reflect, Self::Replicate, Self::Circular];

    /// The length of the shortest axis that can be padded by `amount` on each side.
    #[must_use]
    pub fn smallest_axis(self, amount: usize) -> usize {
        match self {
            Self::Zero | Self::Replicate => 1,
            Self::Reflect => amount + 1,
            Self::Circular => amount.max(1),
        }
    }

    /// The index of the input sample at each padded position, or [`ZERO`], for an axis of `length`
    /// samples padded by `amount` on both sides.
    pub(crate) fn sources(self, length: usize, amount: usize) -> Vec<i32> {
        let n = length as i32;
        (-(amount as i32)..n + amount as i32)
            .map(|i| match self {
                _ if (0..n).contains(&i) => i,
                Self::Zero => ZERO,
                Self::Reflect if i < 0 => -i,
                Self::Reflect => 2 * (n - 1) - i,
                Self::Replicate => i.clamp(0, n - 1),
                Self::Circular => i.rem_euclid(n),
            })
            .collect()
    }
}

/// The source indices of an axis of `length` samples with `amount` zeros on both sides.
pub(crate) fn zero_sources(length: usize, amount: usize) -> Vec<i32> {
    Padding::Zero.sources(length, amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_documentation_holds() {
        let row = |padding: Padding| padding.sources(4, 1);
        assert_eq!(row(Padding::Zero), [ZERO, 0, 1, 2, 3, ZERO]);
        assert_eq!(row(Padding::Reflect), [1, 0, 1, 2, 3, 2]);
        assert_eq!(row(Padding::Replicate), [0, 0, 1, 2, 3, 3]);
        assert_eq!(row(Padding::Circular), [3, 0, 1, 2, 3, 0]);
    }

    #[test]
    fn every_source_exists_on_the_smallest_axis() {
        for padding in Padding::ALL {
            for amount in 0..4 {
                let length = padding.smallest_axis(amount);
                for source in padding.sources(length, amount) {
                    assert!(source == ZERO || (0..length as i32).contains(&source));
                }
            }
        }
    }
}
