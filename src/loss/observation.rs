//! A map as losses see it.

use burn::tensor::Tensor;

use crate::error::Result;
use crate::kernels::{Moments, moments};

/// A map `[1, N, H, W]` to be measured, and what several losses of it share: the means of its
/// channels and of their products over positions, computed when first asked for.
///
/// Losses of style differ in what they do with these moments, which cost far more than the losses
/// themselves.
#[derive(Clone, Debug)]
pub struct Observation {
    map: Option<Tensor<4>>,
    moments: Option<Moments>,
}

impl From<Tensor<4>> for Observation {
    fn from(map: Tensor<4>) -> Self {
        Self {
            map: Some(map),
            moments: None,
        }
    }
}

impl Observation {
    /// The map itself.
    #[must_use]
    pub fn map(&self) -> Tensor<4> {
        self.held().clone()
    }

    /// The map's shape, `[1, N, H, W]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 4] {
        self.held().dims()
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
        match self.map {
            Some(map) => map,
            None => unreachable!("the map is only away while it is lent"),
        }
    }

    fn held(&self) -> &Tensor<4> {
        match &self.map {
            Some(map) => map,
            None => unreachable!("the map is only away while it is lent"),
        }
    }

    /// Lends the map to `work` alone, so that its memory can be read without a copy.
    pub(super) fn lend<T>(
        &mut self,
        work: impl FnOnce(Tensor<4>) -> Result<(Tensor<4>, T)>,
    ) -> Result<T> {
        let Some(map) = self.map.take() else {
            unreachable!("the map is only away while it is lent");
        };
        let (map, result) = work(map)?;
        self.map = Some(map);
        Ok(result)
    }

    fn moments(&mut self) -> Result<&Moments> {
        let moments = match self.moments.take() {
            Some(moments) => moments,
            None => self.lend(moments)?,
        };
        Ok(self.moments.insert(moments))
    }
}
