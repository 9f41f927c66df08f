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
    /// f32. 3x3 layers with many channels use the Winograd transform. It takes a quarter or a fifth of the
    /// multiplications and rounds more (figures in `docs/ACCURACY.md`). On GPUs, layers whose channels are
    /// no multiples of 64 use Burn's matrix products, which round their operands to TF32 on CUDA devices.
    #[default]
    Single,
    /// f32 without the Winograd transform: direct convolution. Several times slower.
    Plain,
    /// As `Single`, but feature maps are stored in f16, which takes half the memory. Only for GPUs
    /// that support f16. Sums, products and losses stay in f32. Gradients are scaled to the range
    /// of f16 at each layer with a loss. All layers must have 3x3 filters. Images must have at most
    /// four channels or an even number of channels.
    Half,
}

fn unknown(name: &str) -> Error {
    unknown_name::<Precision>("precision", name)
}
