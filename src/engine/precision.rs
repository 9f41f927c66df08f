//! How much rounding a convolution may do.

use serde::{Deserialize, Serialize};

use crate::error::{Error, unknown_name};

/// In what numbers, and by which sums, convolutions compute.
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
pub enum Precision {
    /// f32, with wide 3x3 layers through the Winograd transform, which multiplies four times less
    /// than their definition and rounds a little more (figures in `docs/ACCURACY.md`). On CUDA devices
    /// Burn's matrix products, which are part of it, round their factors to TF32.
    #[default]
    Single,
    /// f32, with every output one sum of products, as the definition reads. Several times slower.
    Plain,
    /// The same as `Single` with the maps between layers in f16, on GPUs that have it: half their
    /// memory. Sums, products and losses stay in f32, gradients are scaled into the range of f16 at
    /// every layer with a loss. For layers with 3x3 filters, on images of up to four channels or an
    /// even number of them.
    Half,
}

fn unknown(name: &str) -> Error {
    unknown_name::<Precision>("precision", name)
}
