//! Pooling: what halves a map between blocks of convolutions.

use serde::{Deserialize, Serialize};

use crate::error::{Error, unknown_name};

/// How a pooling layer summarises its window.
///
/// The method calls for averages; VGG was published with maxima. Averages pass a gradient to every
/// pixel, so that images made through them are smoother and losses fall further.
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
pub enum Pooling {
    /// The mean of the window.
    #[default]
    Average,
    /// The largest value of the window.
    Max,
}

fn unknown(name: &str) -> Error {
    unknown_name::<Pooling>("pooling", name)
}

/// A pooling layer's geometry. Windows that would reach beyond the input are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) pooling: Pooling,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl Pool {
    pub(crate) fn output(&self, height: usize, width: usize) -> (usize, usize) {
        let axis = |length: usize| match length.checked_sub(self.kernel) {
            Some(rest) => rest / self.stride + 1,
            None => 0,
        };
        (axis(height), axis(width))
    }

    /// Whether it averages windows of 2x2 pixels side by side.
    pub(super) fn halves(&self) -> bool {
        self.pooling == Pooling::Average && self.kernel == 2 && self.stride == 2
    }
}
