//! An observed feature map and its moments, which losses share.

use burn::tensor::Tensor;

use crate::engine::{FeatureMap, Moments};
use crate::error::{Error, Result};

/// A feature map `[1, N, H, W]` with its first and second moments over positions, which are
/// computed at their first use.
///
/// Several style losses share these moments, which cost far more than the losses themselves. The
/// map stays in the native form of the engine until a loss asks for the [tensor](Self::map).
#[derive(Clone, Debug)]
pub struct Observation {
    map: FeatureMap,
    moments: Option<Moments>,
    /// Height and width, if only the moments of the map are there.
    size: Option<[usize; 2]>,
}

impl From<Tensor<4>> for Observation {
    fn from(map: Tensor<4>) -> Self {
        FeatureMap::from(map).into()
    }
}

impl From<FeatureMap> for Observation {
    fn from(map: FeatureMap) -> Self {
        Self {
            map,
            moments: None,
            size: None,
        }
    }
}

impl Observation {
    /// The moments of a map of that height and width, without the map.
    pub(super) fn of_moments(moments: Moments, size: [usize; 2]) -> Self {
        let mean = moments.mean();
        let [_, channels] = mean.dims();
        Self {
            map: mean.reshape([1, channels, 1, 1]).into(),
            moments: Some(moments),
            size: Some(size),
        }
    }

    /// The map as a tensor.
    #[must_use]
    pub fn map(&mut self) -> Tensor<4> {
        self.map.as_tensor()
    }

    /// The map's shape, `[1, N, H, W]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 4] {
        let [batch, channels, height, width] = self.map.dims();
        let [height, width] = self.size.unwrap_or([height, width]);
        [batch, channels, height, width]
    }

    /// The mean of each channel over positions, `[1, N]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn mean(&mut self) -> Result<Tensor<2>> {
        Ok(self.moments()?.mean())
    }

    /// The mean over positions of each product of two channels, `[N, N]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn second_moment(&mut self) -> Result<Tensor<2>> {
        Ok(self.moments()?.second())
    }

    /// The covariance of channels over positions, `[N, N]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn covariance(&mut self) -> Result<Tensor<2>> {
        let moments = self.moments()?;
        let mean = moments.mean();
        Ok(moments.second() - mean.clone().transpose().matmul(mean))
    }

    /// The map as a tensor, without the moments.
    #[must_use]
    pub fn into_map(self) -> Tensor<4> {
        self.map.into_tensor()
    }

    /// The map in its current form.
    pub(crate) fn into_feature_map(self) -> FeatureMap {
        self.map
    }

    pub(super) fn feature_map(&self) -> &FeatureMap {
        &self.map
    }

    /// Refuses a map that is none: of several images, or without channels or positions.
    pub(super) fn check(&self) -> Result<()> {
        let dims = self.dims();
        if dims[0] == 1 && !dims.contains(&0) {
            return Ok(());
        }
        Err(Error::Shape {
            what: "the map of a loss".into(),
            found: dims.to_vec(),
            expected: "[1, channels, height, width], at least 1 of each".into(),
        })
    }

    fn moments(&mut self) -> Result<&Moments> {
        self.check()?;
        let moments = match self.moments.take() {
            Some(moments) => moments,
            None => {
                self.map.make_native()?;
                self.map.moments()?
            }
        };
        Ok(self.moments.insert(moments))
    }
}
