//! Losses of the positions of a feature map that a mask selects.

use burn::tensor::{Device, Tensor};

use super::positions::Positions;
use super::{Block, ByBlocks, Gradient, Loss, Measured, Observation, Place};
use crate::backend::read;
use crate::engine::FeatureMap;
use crate::error::{Error, Result};
use crate::imaging::is_white;

/// The positions of feature maps of one size that a mask selects.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use ranvgg::loss::{Loss, Mean, Region};
///
/// let device = Device::flex();
/// let map = Tensor::<4>::from_floats([[[[1., 5.], [3., 9.]]]], &device);
/// let left = Region::of(Tensor::from_floats([[1., 0.], [1., 0.]], &device))?;
/// assert_eq!(left.share(), 0.5);
///
/// // The mean on the left is 2, whatever is on the right.
/// let target = Mean::of(Tensor::<4>::full([1, 1, 3, 3], 2.0, &device))?;
/// let measured = left.restrict(target).measure(&mut map.into(), 1.0)?;
/// assert_eq!(measured.value.into_scalar::<f32>(), 0.0);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Region {
    positions: Positions,
}

impl Region {
    /// The positions where `mask`, `[H, W]`, is at least one half.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for a mask that selects no position, [`Error::Device`] if it cannot
    /// be read.
    pub fn of(mask: Tensor<2>) -> Result<Self> {
        let (size, device) = (mask.dims(), mask.device());
        let values: Vec<f32> = read(mask)?;
        Self::of_values(&values, size, &device)
            .ok_or_else(|| Error::option("the positions of a region", 0, "at least one"))
    }

    /// As [`of`](Self::of), for a mask in host memory, row by row. `None` if it selects no position.
    pub(crate) fn of_values(values: &[f32], size: [usize; 2], device: &Device) -> Option<Self> {
        let chosen: Vec<bool> = values.iter().map(|value| is_white(*value)).collect();
        let positions = Positions::of(&chosen, size, device)?;
        Some(Self { positions })
    }

    /// The fraction of all positions that the region has, above 0 and at most 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let [height, width] = self.positions.size();
        self.positions.count() as f64 / (height * width) as f64
    }

    /// The features of a map at these positions, `[1, N, 1, M]`, for example to make a target.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for a map of another size.
    pub fn gather(&self, map: Tensor<4>) -> Result<Tensor<4>> {
        let [_, _, height, width] = map.dims();
        let size = self.positions.size();
        if size != [height, width] {
            return Err(Error::Shape {
                what: "the map of a region".into(),
                found: map.dims().to_vec(),
                expected: format!("[1, channels, {}, {}]", size[0], size[1]),
            });
        }
        Ok(self.positions.gather(map))
    }

    /// The loss restricted to these positions. The loss sees them as a map of one row, so it must
    /// not depend on the arrangement of positions. Losses of statistics do not.
    pub fn restrict<L: Loss>(&self, loss: L) -> Restricted<L> {
        Restricted {
            region: self.clone(),
            loss,
        }
    }
}

/// A loss that is restricted to a [`Region`].
#[derive(Clone, Debug)]
pub struct Restricted<L> {
    region: Region,
    loss: L,
}

impl<L: Loss> Loss for Restricted<L> {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let gathered = FeatureMap::from(self.region.gather(observation.map())?);
        let mut gathered = Observation::from(gathered.into_native()?);
        let Measured { value, gradient } = self.loss.measure(&mut gathered, weight)?;
        let gradient = self.region.positions.scatter(gradient.at(gathered)?);
        Ok(Measured {
            value,
            gradient: Gradient::map(gradient),
        })
    }

    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        Some(Box::new(RestrictedByBlocks {
            region: &self.region,
            inner: self.loss.by_blocks()?,
        }))
    }
}

/// A restricted loss of a map that is given block by block. Its inner loss is given the region's positions
/// in each block.
struct RestrictedByBlocks<'a> {
    region: &'a Region,
    inner: Box<dyn ByBlocks + 'a>,
}

impl RestrictedByBlocks<'_> {
    /// The region's positions in a block, and the block that they are for the inner loss.
    fn inside(&self, block: &Block) -> Result<Option<(Positions, Block)>> {
        let positions = &self.region.positions;
        let size = positions.size();
        if block.size != size {
            return Err(Error::Shape {
                what: "the map of a region".into(),
                found: block.size.to_vec(),
                expected: format!("[{}, {}]", size[0], size[1]),
            });
        }
        let within = match &block.place {
            Place::Rectangle { rows, columns } => positions.within(rows, columns),
            Place::Listed { columns } => positions.among(columns),
        };
        let Some((within, columns)) = within else {
            return Ok(None);
        };
        let inner = Block {
            size: [1, positions.count()],
            place: Place::Listed { columns },
        };
        Ok(Some((within, inner)))
    }

    fn gathered(positions: &Positions, observation: &mut Observation) -> Result<Observation> {
        let gathered = FeatureMap::from(positions.gather(observation.map()));
        Ok(Observation::from(gathered.into_native()?))
    }
}

impl ByBlocks for RestrictedByBlocks<'_> {
    fn observe(&mut self, block: &Block, observation: &mut Observation) -> Result<()> {
        let Some((positions, inner)) = self.inside(block)? else {
            return Ok(());
        };
        let mut gathered = Self::gathered(&positions, observation)?;
        self.inner.observe(&inner, &mut gathered)
    }

    fn finish(&mut self, weight: f64) -> Result<Tensor<1>> {
        self.inner.finish(weight)
    }

    fn gradient(&self, block: &Block, observation: &mut Observation) -> Result<Gradient> {
        let Some((positions, inner)) = self.inside(block)? else {
            return Ok(Gradient::default());
        };
        let mut gathered = Self::gathered(&positions, observation)?;
        let gradient = self.inner.gradient(&inner, &mut gathered)?;
        Ok(Gradient::map(positions.scatter(gradient.at(gathered)?)))
    }

    fn keep_at_most(&mut self, values: usize) -> bool {
        self.inner.keep_at_most(values)
    }

    fn goes_on(&mut self) -> bool {
        self.inner.goes_on()
    }
}
