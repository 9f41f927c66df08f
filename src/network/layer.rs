//! Names of layers: `conv3_1`, `conv2`, `pool2`, `fc6`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Architecture;
use crate::error::Error;

/// A layer of a network, by its usual name.
///
/// `conv{block}_{index}`, AlexNet's `conv{number}` and `fc{number}` name the activation after the
/// ReLU (fc8, the last layer, has none). `relu3_1` is parsed as `conv3_1`. A layer parses from its
/// name and prints as its name.
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
    /// A convolution and its ReLU.
    Convolution {
        /// Which block of convolutions, from 1.
        block: usize,
        /// Which convolution of the block, from 1.
        index: usize,
    },
    /// A convolution and its ReLU in a network that numbers convolutions without blocks: AlexNet.
    NumberedConvolution {
        /// Its number, from 1.
        number: usize,
    },
    /// The pooling that ends a block, or that follows a numbered convolution.
    Pool {
        /// Which block, or convolution, from 1.
        block: usize,
    },
    /// A fully connected layer.
    FullyConnected {
        /// Its number: 6, 7 or 8.
        number: usize,
    },
}

impl Layer {
    /// Whether the layer has weights. Convolutions and fully connected layers do.
    #[must_use]
    pub fn has_weights(self) -> bool {
        !matches!(self, Self::Pool { .. })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Convolution { block, index } => write!(f, "conv{block}_{index}"),
            Self::NumberedConvolution { number } => write!(f, "conv{number}"),
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

    /// Parses the name of a layer of VGG-19 or AlexNet. Networks check that they have the layer.
    fn from_str(name: &str) -> Result<Self, Error> {
        let networks = [Architecture::Vgg19, Architecture::AlexNet];
        let [of_vgg, of_alexnet] = networks.map(|network| network.layer(name));
        of_vgg.or_else(|error| of_alexnet.map_err(|_| error))
    }
}

/// Parses a name, without a check that a network has such a layer.
pub(super) fn parse(name: &str) -> Option<Layer> {
    let name = name.trim().to_lowercase();
    let conv = name
        .strip_prefix("conv")
        .or_else(|| name.strip_prefix("relu"));
    if let Some(rest) = conv {
        let Some((block, index)) = rest.split_once('_') else {
            let number = rest.parse().ok()?;
            return Some(Layer::NumberedConvolution { number });
        };
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
