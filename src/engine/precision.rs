//! The precision of convolutions.

use serde::{Deserialize, Serialize};

use crate::error::{Error, unknown_name};

/// Number formats and algorithms of convolutions.
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
    /// f32. 3x3 layers with many channels use the Winograd transform. It takes a quarter of the
    /// multiplications and rounds a little more (figures in `docs/ACCURACY.md`). Its matrix products are
    /// Burn's, which round their factors to TF32 on CUDA devices.
    #[default]
    Single,
    /// f32. Each output is a sum of products, as in the definition of a convolution. Several times slower.
    Plain,
    /// As `Single`, but feature maps between layers are stored in f16, in half the memory, on GPUs that
    /// have this format. Sums, products and losses stay in f32. Gradients are scaled into the range of f16
    /// at every layer with a loss. All layers must have 3x3 filters, and images at most four channels or an
    /// even number of them.
    Half,
}

fn unknown(name: &str) -> Error {
    unknown_name::<Precision>("precision", name)
}
