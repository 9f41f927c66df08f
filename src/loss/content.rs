//! The content loss: the squared distance of feature maps.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Block, ByBlocks, Gradient, Loss, Measured, Observation, Place};
use crate::engine::FeatureMap;
use crate::error::{Error, Result};

/// The squared distance of a feature map from a target map, position by position.
///
/// With `N` channels and `M` positions
///
/// ```text
/// L = 1 / (2 N M) * sum (F - F0)^2          dL/dF = (F - F0) / (N M)
/// ```
///
/// (He, Wang and Hopcroft, NIPS 2016, eq. 1, without the layer weight.)
#[derive(Clone, Debug)]
pub struct Content {
    target: Arc<FeatureMap>,
}

impl Content {
    /// The loss with the target map `map`, `[1, N, H, W]`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for a map of several images or of none, [`Error::Device`] if it cannot be read.
    pub fn of(map: impl Into<Observation>) -> Result<Self> {
        let observation = map.into();
        observation.check()?;
        let target = observation.into_feature_map().into_native()?;
        Ok(Self {
            target: Arc::new(target),
        })
    }

    fn check_shape(&self, shape: [usize; 4]) -> Result<()> {
        if shape == self.target.dims() {
            return Ok(());
        }
        Err(Error::Shape {
            what: "the map compared with a content target".into(),
            found: shape.to_vec(),
            expected: format!("{:?}", self.target.dims()),
        })
    }
}

impl Loss for Content {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let shape = observation.dims();
        self.check_shape(shape)?;
        let count = shape.iter().product::<usize>() as f64;
        let squares = observation.feature_map().squared_distance(&self.target)?;
        Ok(Measured {
            value: squares.mul_scalar(weight / (2.0 * count)),
            gradient: Gradient::difference(Arc::clone(&self.target), weight / count),
        })
    }

    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        Some(Box::new(ContentByBlocks {
            content: self,
            squares: None,
            factor: 0.0,
        }))
    }
}

/// The content loss of a map that is given block by block.
struct ContentByBlocks<'a> {
    content: &'a Content,
    /// The sum of squared differences so far.
    squares: Option<Tensor<1>>,
    factor: f64,
}

impl ContentByBlocks<'_> {
    /// The target's features at the positions of a block.
    fn target(&self, block: &Block) -> FeatureMap {
        let target = &self.content.target;
        match &block.place {
            Place::Rectangle { rows, columns } => target.crop(rows.clone(), columns.clone()),
            Place::Listed { columns } => target.select(columns),
        }
    }
}

impl ByBlocks for ContentByBlocks<'_> {
    fn observe(&mut self, block: &Block, observation: &mut Observation) -> Result<()> {
        let [_, channels, ..] = observation.dims();
        let found = [1, channels, block.size[0], block.size[1]];
        self.content.check_shape(found)?;
        let target = self.target(block);
        let squares = observation.feature_map().squared_distance(&target)?;
        self.squares = Some(match self.squares.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
        Ok(())
    }

    fn finish(&mut self, weight: f64) -> Result<Tensor<1>> {
        let count = self.content.target.dims().iter().product::<usize>() as f64;
        self.factor = weight / count;
        let squares = self.squares.take().ok_or_else(super::no_maps)?;
        Ok(squares.mul_scalar(self.factor / 2.0))
    }

    fn gradient(&self, block: &Block, _: &mut Observation) -> Result<Gradient> {
        let target = Arc::new(self.target(block));
        Ok(Gradient::difference(target, self.factor))
    }
}
