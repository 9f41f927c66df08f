//! Checks of values, and the errors that they give.

use super::{Error, Result};

/// Refuses the first value that is not finite.
pub(crate) fn all_finite(what: impl Into<String>, values: &[f32]) -> Result<()> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(Error::NotFinite {
            what: what.into(),
            value,
        }),
        None => Ok(()),
    }
}

/// Whether a number is finite also as f32, in which options are used.
fn is_finite(value: f64) -> bool {
    value.abs() <= f64::from(f32::MAX)
}

/// Refuses a number that is not finite and greater than zero.
pub(crate) fn positive(name: &str, value: f64) -> Result<()> {
    if is_finite(value) && value > 0.0 {
        Ok(())
    } else {
        Err(Error::option(
            name,
            value,
            "finite numbers above 0, up to 3.4e38",
        ))
    }
}

/// Refuses a number that is not finite or below zero.
pub(crate) fn not_negative(name: &str, value: f64) -> Result<()> {
    if is_finite(value) && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::option(
            name,
            value,
            "finite numbers from 0 to 3.4e38",
        ))
    }
}

/// Refuses a count of zero.
pub(crate) fn at_least_one(name: &str, value: usize) -> Result<()> {
    if value >= 1 {
        Ok(())
    } else {
        Err(Error::option(name, value, "whole numbers from 1 up"))
    }
}

/// What is said of a name that none of the values of `T` has; `what` is what they are names of.
pub(crate) fn unknown_name<T: strum::VariantNames>(what: &str, name: &str) -> Error {
    Error::option(what, format!("`{name}`"), T::VARIANTS.join(", "))
}
