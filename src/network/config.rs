//! The description of a network: its architecture, its options, and where its weights come from.

use super::vgg::Plan;
use super::{Architecture, Preprocessing};
use crate::engine::{Padding, Pooling, Precision};

/// A network that is described but not made yet; `W` says where its weights come from.
///
/// [`RandomVgg`](crate::RandomVgg) draws the weights and [`WeightFile`](crate::WeightFile) reads them.
/// Both make a [`Vgg`](crate::Vgg).
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfig<W> {
    pub(super) architecture: Architecture,
    pub(super) pooling: Pooling,
    pub(super) padding: Padding,
    pub(super) preprocessing: Preprocessing,
    pub(super) weights: W,
}

impl<W: Default> NetworkConfig<W> {
    /// A network of this architecture, all options at their defaults: average pooling, reflection,
    /// ImageNet's mean subtracted.
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

    /// VGG-19, the network of the method.
    #[must_use]
    pub fn vgg19() -> Self {
        Self::new(Architecture::Vgg19)
    }

    /// VGG-16.
    #[must_use]
    pub fn vgg16() -> Self {
        Self::new(Architecture::Vgg16)
    }

    /// AlexNet, which the method was compared with.
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
    /// How pooling layers summarise. Default: average.
    #[must_use]
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// How convolutions continue their input. Default: reflect.
    #[must_use]
    pub fn with_padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// What is done to colours before the first layer. Default: ImageNet's mean is subtracted.
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Self {
        self.preprocessing = preprocessing;
        self
    }

    /// Reads images of so many channels, for example stacks of maps
    /// ([`Picture::maps`](crate::Picture::maps)) or greys. Sets the preprocessing to
    /// [`Preprocessing::of_channels`].
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        self.with_preprocessing(Preprocessing::of_channels(channels))
    }

    /// The network's layers and their order.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// How pooling layers summarise.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// How convolutions continue their input.
    #[must_use]
    pub fn padding(&self) -> Padding {
        self.padding
    }

    /// What is done to colours before the first layer.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Everything but the weights.
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
