//! Values of flags, read and limited.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ranvgg::{Layer, Size, Vgg};
use strum::VariantNames;

use crate::failure::Result;

/// Most pixels of a side.
pub(crate) const SIDE: usize = 16384;

/// More evaluations than anyone has waited for; a run keeps a record of each.
const EVALUATIONS: u64 = 1_000_000;

/// Reads `256` or `320x200`.
pub(crate) fn size(text: &str) -> Read<Size> {
    let side = |text: &str| match text.parse::<usize>() {
        Ok(side) if (1..=SIDE).contains(&side) => Ok(side),
        _ => Err(format!(
            "`{text}` is not a number of pixels from 1 to {SIDE}"
        )),
    };
    match text.split_once(['x', 'X']) {
        Some((width, height)) => Ok(Size::new(side(width)?, side(height)?)),
        None => side(text).map(Size::square),
    }
}

/// The size that an input is brought to: a shorter side, or both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InSize {
    Shorter(usize),
    Exactly(Size),
}

/// Reads `256` as a shorter side, or `320x200`.
pub(crate) fn in_size(text: &str) -> Read<InSize> {
    let read = size(text)?;
    Ok(match text.contains(['x', 'X']) {
        true => InSize::Exactly(read),
        false => InSize::Shorter(read.width),
    })
}

/// Reads a number of seconds above 0.
pub(crate) fn seconds(text: &str) -> Read<Duration> {
    let seconds: Option<f64> = text.parse().ok().filter(|seconds| *seconds > 0.0);
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or_else(|| format!("`{text}` is not a number of seconds above 0"))
}

/// Reads an amount of memory, as `500M` or `2 GiB`.
pub(crate) fn bytes(text: &str) -> Read<u64> {
    let bytes = text.parse::<ByteSize>().ok().map(|bytes| bytes.as_u64());
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("`{text}` is not an amount of memory, such as 500M or 2GiB"))
}

/// Reads a finite number above 0.
pub(crate) fn positive(text: &str) -> Read<f64> {
    let number: Option<f64> = text.parse().ok();
    let allowed = number.filter(|number| number.is_finite() && *number > 0.0);
    allowed.ok_or_else(|| format!("`{text}` is not a finite number above 0"))
}

/// Reads a factor of a size.
pub(crate) fn factor(text: &str) -> Read<f64> {
    let number: Option<f64> = text.parse().ok();
    let allowed = number.filter(|number| (0.01..=100.0).contains(number));
    allowed.ok_or_else(|| format!("`{text}` is not a factor from 0.01 to 100"))
}

/// Reads a finite number from 0 up.
pub(crate) fn weight(text: &str) -> Read<f64> {
    let number: Option<f64> = text.parse().ok();
    let allowed = number.filter(|number| number.is_finite() && *number >= 0.0);
    allowed.ok_or_else(|| format!("`{text}` is not a finite number from 0 up"))
}

/// Reads a number of evaluations.
pub(crate) fn evaluations(text: &str) -> Read<usize> {
    whole(text, 1..=EVALUATIONS)
}

/// Reads a number of scales; a side of 16384 pixels can be halved 14 times.
pub(crate) fn scales(text: &str) -> Read<usize> {
    whole(text, 1..=15)
}

/// Reads a number of draws.
pub(crate) fn candidates(text: &str) -> Read<usize> {
    whole(text, 1..=10_000)
}

/// Reads a number of repetitions.
pub(crate) fn repetitions(text: &str) -> Read<usize> {
    whole(text, 1..=100_000)
}

/// Reads a side in pixels.
pub(crate) fn side(text: &str) -> Read<usize> {
    whole(text, 1..=SIDE as u64)
}

fn whole(text: &str, allowed: RangeInclusive<u64>) -> Read<usize> {
    let number: Option<u64> = text.parse().ok();
    let number = number.filter(|number| allowed.contains(number));
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| {
        format!(
            "`{text}` is not a whole number from {} to {}",
            allowed.start(),
            allowed.end()
        )
    })
}

/// Reads a name of the library; a wrong one gets a suggestion and the list of all.
pub(crate) fn name<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + std::str::FromStr<Err = ranvgg::Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}

/// The layers of these names.
pub(crate) fn layers(vgg: &Vgg, names: &[String]) -> Result<Option<Vec<Layer>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let layers: ranvgg::Result<Vec<Layer>> = names.iter().map(|name| vgg.layer(name)).collect();
    Ok(Some(layers?))
}

/// What the argument parser shows of a wrong value.
type Read<T> = std::result::Result<T, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_side_or_two() {
        assert_eq!(size("256"), Ok(Size::square(256)));
        assert_eq!(size("320x200"), Ok(Size::new(320, 200)));
        assert_eq!(in_size("64"), Ok(InSize::Shorter(64)));
        for wrong in [
            "0",
            "",
            "x",
            "10x-3",
            "16385",
            "1x2x3",
            "99999999999999999999",
        ] {
            assert!(size(wrong).unwrap_err().contains("1 to 16384"), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_limited() {
        assert_eq!(evaluations("300"), Ok(300));
        assert!(
            evaluations("9223372036854775808")
                .unwrap_err()
                .contains("1000000")
        );
        assert!(evaluations("0").is_err() && scales("0").is_err());
        assert!(weight("-1").is_err() && weight("NaN").is_err() && positive("0").is_err());
        assert_eq!(
            (bytes("500M"), bytes("2GiB")),
            (Ok(500_000_000), Ok(2 << 30))
        );
        assert!(
            ["0", "-1", "2 apples", "nan", ""]
                .iter()
                .all(|text| bytes(text).is_err())
        );
        assert!(seconds("inf").is_err() && seconds("1e300").is_err());
    }
}
