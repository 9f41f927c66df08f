//! Evaluation of losses of maps that are never in memory as a whole.

use std::ops::Range;

use burn::tensor::Tensor;

use super::{Gradient, Loss, Measured, Observation};
use crate::engine::Moments;
use crate::error::Result;

/// Which positions of a map a block has.
#[derive(Clone, Debug)]
pub enum Place {
    /// A rectangle of the map.
    Rectangle {
        /// Rows of the block.
        rows: Range<usize>,
        /// Columns of the block.
        columns: Range<usize>,
    },
    /// Positions of a map of one row, `[1, N, 1, M]`, such as those of a [`Region`](super::Region).
    Listed {
        /// Their columns.
        columns: Vec<usize>,
    },
}

/// A block of a map.
#[derive(Clone, Debug)]
pub struct Block {
    /// Height and width of the whole map.
    pub size: [usize; 2],
    /// The block's positions.
    pub place: Place,
}

/// A [`Loss`] of a map that is given block by block, in two passes: each block is
/// [observed](Self::observe), [`finish`](Self::finish) gives the value, and then each block has its
/// [`gradient`](Self::gradient). Value and gradient equal those of the whole map up to rounding.
///
/// A loss that keeps values of the map's size between the passes may be evaluated in several rounds of two
/// passes, each for a part of the loss. Values and gradients of all rounds add up.
pub trait ByBlocks {
    /// Takes a block into account.
    ///
    /// # Errors
    ///
    /// Those of [`Loss::measure`].
    fn observe(&mut self, block: &Block, observation: &mut Observation) -> Result<()>;

    /// The loss of all blocks together, `[1]`. It and the gradients are multiplied by `weight`.
    ///
    /// # Errors
    ///
    /// Those of [`Loss::measure`].
    fn finish(&mut self, weight: f64) -> Result<Tensor<1>>;

    /// The gradient at the positions of a block.
    ///
    /// # Errors
    ///
    /// Those of [`Loss::measure`].
    fn gradient(&self, block: &Block, observation: &mut Observation) -> Result<Gradient>;

    /// Bounds the number of `values` that are kept for the whole map. `false` if the loss keeps none.
    fn keep_at_most(&mut self, _values: usize) -> bool {
        false
    }

    /// Ends a round. Whether another one follows, which begins.
    fn goes_on(&mut self) -> bool {
        false
    }
}

/// A loss that depends on the moments of a map alone. Its gradient is an affine function of the features,
/// which is the same for all blocks.
pub(super) struct OfMoments<'a, L> {
    loss: &'a L,
    /// Sums over positions of the features, and of their products.
    sums: Option<(Tensor<2>, Tensor<2>)>,
    size: [usize; 2],
    gradient: Gradient,
}

impl<'a, L: Loss> OfMoments<'a, L> {
    pub(super) fn new(loss: &'a L) -> Self {
        Self {
            loss,
            sums: None,
            size: [0; 2],
            gradient: Gradient::default(),
        }
    }
}

impl<L: Loss> ByBlocks for OfMoments<'_, L> {
    fn observe(&mut self, block: &Block, observation: &mut Observation) -> Result<()> {
        let [_, _, height, width] = observation.dims();
        let count = (height * width) as f64;
        let first = observation.mean()?.mul_scalar(count);
        let second = observation.second_moment()?.mul_scalar(count);
        self.size = block.size;
        self.sums = Some(match self.sums.take() {
            Some(before) => (before.0 + first, before.1 + second),
            None => (first, second),
        });
        Ok(())
    }

    fn finish(&mut self, weight: f64) -> Result<Tensor<1>> {
        let Some((first, second)) = self.sums.take() else {
            return Err(super::no_maps());
        };
        let count = (self.size[0] * self.size[1]) as f64;
        let moments = Moments::Known {
            mean: first.div_scalar(count),
            second: second.div_scalar(count),
        };
        let mut observation = Observation::of_moments(moments, self.size);
        let Measured { value, gradient } = self.loss.measure(&mut observation, weight)?;
        self.gradient = gradient;
        Ok(value)
    }

    fn gradient(&self, _: &Block, _: &mut Observation) -> Result<Gradient> {
        Ok(self.gradient.clone())
    }
}
