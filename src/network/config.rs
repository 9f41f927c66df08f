//! The description of a network: architecture, options and source of the weights.

use super::vgg::Plan;
use super::{Architecture, Preprocessing};
use crate::engine::{Padding, Pooling, Precision};

/// The description of a network. `W` is the source of its weights.
///
/// [`RandomVgg`](crate::RandomVgg) draws the weights and [`WeightFile`](crate::WeightFile) reads them.
/// Both create a [`Vgg`](crate::Vgg).
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfig<W> {
    pub(super) architecture: Architecture,
    pub(super) pooling: Pooling,
    pub(super) padding: Padding,
    pub(super) preprocessing: Preprocessing,
    pub(super) weights: W,
}

impl<W: Default> NetworkConfig<W> {
    /// A network of this architecture with default options: average pooling, reflection padding,
    /// and ImageNet's mean subtracted.
    #[must_use]
    pub fn new(architecture: Architecture) -> Self {
        Self {
            architecture,
            pooling: Pooling::default(),
            padding: Padding::default(),
            preprocessing: Preprocessing::default(),
            weights: W::default(),
        }
    }

    /// VGG-19, the network of He, Wang and Hopcroft (NIPS 2016).
    #[must_use]
    pub fn vgg19() -> Self {
        Self::new(Architecture::Vgg19)
    }

    /// VGG-16.
    #[must_use]
    pub fn vgg16() -> Self {
        Self::new(Architecture::Vgg16)
    }

    /// AlexNet.
    #[must_use]
    pub fn alexnet() -> Self {
        Self::new(Architecture::AlexNet)
    }
}

impl<W: Default> Default for NetworkConfig<W> {
    /// VGG-19.
    fn default() -> Self {
        Self::vgg19()
    }
}

impl<W> NetworkConfig<W> {
    /// The operation of pooling layers. Default: average.
    #[must_use]
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// The padding of convolutions. Default: reflect.
    #[must_use]
    pub fn with_padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// The preprocessing of images. Default: ImageNet's mean is subtracted.
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Self {
        self.preprocessing = preprocessing;
        self
    }

    /// The number of channels of images, for example for grey images or stacks of maps
    /// ([`Picture::maps`](crate::Picture::maps)). Sets the preprocessing to
    /// [`Preprocessing::of_channels`].
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        self.with_preprocessing(Preprocessing::of_channels(channels))
    }

    /// The architecture.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The operation of pooling layers.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The padding of convolutions.
    #[must_use]
    pub fn padding(&self) -> Padding {
        self.padding
    }

    /// The preprocessing of images.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The options of the network, without its weights.
    pub(super) fn plan(&self) -> Plan {
        Plan {
            architecture: self.architecture,
            pooling: self.pooling,
            padding: self.padding,
            preprocessing: self.preprocessing.clone(),
            precision: Precision::default(),
        }
    }
}
