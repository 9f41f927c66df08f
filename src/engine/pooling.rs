//! Pooling layers.

use serde::{Deserialize, Serialize};

use crate::error::{Error, unknown_name};

/// The operation of a pooling layer on its window.
///
/// He, Wang and Hopcroft use average pooling; VGG was published with max pooling. With average
/// pooling every pixel has a gradient, images are smoother, and losses fall further.
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

/// The geometry of a pooling layer. Windows that extend beyond the input are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) pooling: Pooling,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl Pool {
    /// Height and width of the output.
    pub(crate) fn output(&self, height: usize, width: usize) -> (usize, usize) {
        let axis = |length: usize| match length.checked_sub(self.kernel) {
            Some(rest) => rest / self.stride + 1,
            None => 0,
        };
        (axis(height), axis(width))
    }

    /// Whether this is 2x2 average pooling with stride 2.
    pub(super) fn is_2x2_average(&self) -> bool {
        self.pooling == Pooling::Average && self.kernel == 2 && self.stride == 2
    }
}
