//! The names of the statistics that make a texture or a style.

use serde::{Deserialize, Serialize};

use crate::error::{Error, unknown_name};

/// Which statistics make a texture or a style.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[strum(serialize_all = "lowercase", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum Statistics {
    /// Gram matrices, as published. They hold means and covariances in one, and means have most of the
    /// weight. Shapes dissolve.
    Gram,
    /// Means and covariances, each with its own weight. Shapes appear, with ragged outlines.
    Moments,
    /// Means, and covariances in a metric in which weak directions count as well. Outlines are drawn.
    Whitened,
    /// Means, and distributions of features along 64 directions: more than two moments say. Takes 1.6
    /// times as long.
    Distributions,
    /// Distributions of patches along random 7x7 filters that are drawn anew at every step. The default
    /// of textures and styles. Of the network only its seed, channels and padding count.
    Resampled,
}

fn unknown(name: &str) -> Error {
    unknown_name::<Statistics>("statistics", name)
}
