//! Names of layers: `conv3_1`, `pool2`, `fc6`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A layer of a VGG network, by the name the field gives it.
///
/// `conv{block}_{index}` and `fc{number}` stand for the **rectified** activation (fc8, the last,
/// has no rectifier); `relu3_1` is read as `conv3_1`. Parses from and prints as that name.
///
/// ```
/// use ranvgg::Layer;
///
/// let layer: Layer = "conv3_1".parse()?;
/// assert_eq!(layer, Layer::Convolution { block: 3, index: 1 });
/// assert_eq!(layer.to_string(), "conv3_1");
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Layer {
    /// A convolution and its rectifier.
    Convolution {
        /// Which block of convolutions, from 1.
        block: usize,
        /// Which convolution of the block, from 1.
        index: usize,
    },
    /// The pooling that ends a block.
    Pool {
        /// Which block, from 1.
        block: usize,
    },
    /// A fully connected layer.
    FullyConnected {
        /// Its number: 6, 7 or 8.
        number: usize,
    },
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Convolution { block, index } => write!(f, "conv{block}_{index}"),
            Self::Pool { block } => write!(f, "pool{block}"),
            Self::FullyConnected { number } => write!(f, "fc{number}"),
        }
    }
}

impl From<Layer> for String {
    fn from(layer: Layer) -> Self {
        layer.to_string()
    }
}

impl TryFrom<String> for Layer {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl FromStr for Layer {
    type Err = Error;

    /// Reads a name of VGG-19, the largest network; a smaller one checks again when used.
    fn from_str(name: &str) -> Result<Self, Error> {
        super::Architecture::Vgg19.layer(name)
    }
}

/// Reads a name without asking whether a network has such a layer.
pub(super) fn parse(name: &str) -> Option<Layer> {
    let name = name.trim().to_lowercase();
    let conv = name
        .strip_prefix("conv")
        .or_else(|| name.strip_prefix("relu"));
    if let Some(rest) = conv {
        let (block, index) = rest.split_once('_')?;
        return Some(Layer::Convolution {
            block: block.parse().ok()?,
            index: index.parse().ok()?,
        });
    }
    if let Some(rest) = name.strip_prefix("pool") {
        return Some(Layer::Pool {
            block: rest.parse().ok()?,
        });
    }
    let number = name.strip_prefix("fc")?.parse().ok()?;
    Some(Layer::FullyConnected { number })
}
