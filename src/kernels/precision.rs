//! How much rounding a convolution may do.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, by_name};

/// In what numbers, and by which sums, convolutions compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

impl FromStr for Precision {
    type Err = Error;

    /// Reads a name: `single`, `plain` or `half`.
    fn from_str(name: &str) -> Result<Self> {
        let names = [
            ("single", Self::Single),
            ("plain", Self::Plain),
            ("half", Self::Half),
        ];
        by_name("precision", name, &names)
    }
}
