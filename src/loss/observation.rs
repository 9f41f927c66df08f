//! A feature map as losses see it.

use burn::tensor::Tensor;

use crate::engine::{FeatureMap, Moments};
use crate::error::Result;

/// A feature map `[1, N, H, W]` to be measured, and what several losses share of it: the means of its
/// channels and of their products over positions, computed when first asked for.
///
/// Losses of style differ in what they do with these moments, which cost far more than the losses
/// themselves. The map stays in the form in which the network computed it until a loss asks for the
/// [tensor](Self::map).
#[derive(Clone, Debug)]
pub struct Observation {
    map: FeatureMap,
    moments: Option<Moments>,
}

impl From<Tensor<4>> for Observation {
    fn from(map: Tensor<4>) -> Self {
        FeatureMap::from(map).into()
    }
}

impl From<FeatureMap> for Observation {
    fn from(map: FeatureMap) -> Self {
        Self { map, moments: None }
    }
}

impl Observation {
    /// The map itself.
    #[must_use]
    pub fn map(&mut self) -> Tensor<4> {
        self.map.as_tensor()
    }

    /// The map's shape, `[1, N, H, W]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 4] {
        self.map.dims()
    }

    /// The mean of each channel over positions, `[1, N]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn mean(&mut self) -> Result<Tensor<2>> {
        Ok(self.moments()?.mean.clone())
    }

    /// The mean over positions of each product of two channels, `[N, N]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn second_moment(&mut self) -> Result<Tensor<2>> {
        Ok(self.moments()?.second.clone())
    }

    /// The covariance of channels over positions, `[N, N]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn covariance(&mut self) -> Result<Tensor<2>> {
        let Moments { mean, second } = self.moments()?.clone();
        Ok(second - mean.clone().transpose().matmul(mean))
    }

    /// Gives the map back.
    #[must_use]
    pub fn into_map(self) -> Tensor<4> {
        self.map.into_tensor()
    }

    /// Gives the map back as it is.
    pub(crate) fn into_feature_map(self) -> FeatureMap {
        self.map
    }

    pub(super) fn feature_map(&self) -> &FeatureMap {
        &self.map
    }

    fn moments(&mut self) -> Result<&Moments> {
        let moments = match self.moments.take() {
            Some(moments) => moments,
            None => {
                self.map.settle()?;
                self.map.moments()?
            }
        };
        Ok(self.moments.insert(moments))
    }
}
