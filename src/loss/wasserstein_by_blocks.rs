//! The sliced Wasserstein distance of a map that is never in memory as a whole.

use burn::tensor::{Tensor, TensorData};

use super::quantiles::{Target, project, projected_back, subtract_quantiles};
use super::{Block, ByBlocks, Gradient, Observation, Place, check_channels, no_maps};
use crate::backend::read;
use crate::engine::channels_second;
use crate::error::Result;

/// The distance of a map that is given block by block. Projections of all positions are in host memory, and
/// sorted there: four bytes for each position and direction. Each round has as many directions as may be kept.
pub(super) struct WassersteinByBlocks<'a> {
    /// All directions, `[N, K]`.
    all: &'a Tensor<2>,
    target: &'a Target,
    /// The most projections that are kept.
    most: usize,
    /// The first direction of this round.
    first: usize,
    /// The directions of this round, `[N, K]`, once a block is observed.
    directions: Option<Tensor<2>>,
    /// The projections, later their differences from the target's quantiles, `[K, M]` for the `K` directions
    /// of this round.
    differences: Vec<f32>,
    factor: f64,
}

impl<'a> WassersteinByBlocks<'a> {
    pub(super) fn new(all: &'a Tensor<2>, target: &'a Target) -> Self {
        Self {
            all,
            target,
            most: usize::MAX,
            first: 0,
            directions: None,
            differences: Vec::new(),
            factor: 0.0,
        }
    }

    /// Calls `visit` with each row of a block's columns: where it begins among all positions, where among the
    /// block's, and how long it is.
    fn rows(block: &Block, mut visit: impl FnMut(usize, usize, usize)) {
        match &block.place {
            Place::Rectangle { rows, columns } => {
                for (row, y) in rows.clone().enumerate() {
                    let first = y * block.size[1] + columns.start;
                    visit(first, row * columns.len(), columns.len());
                }
            }
            Place::Listed { columns } => {
                let columns = columns.iter().enumerate();
                columns.for_each(|(own, column)| visit(*column, own, 1));
            }
        }
    }
}

impl ByBlocks for WassersteinByBlocks<'_> {
    fn observe(&mut self, block: &Block, observation: &mut Observation) -> Result<()> {
        let [channels, all] = self.all.dims();
        check_channels(observation, "a distribution", channels)?;
        let positions = block.size[0] * block.size[1];
        let directions = self.directions.get_or_insert_with(|| {
            let count = (self.most / positions.max(1)).clamp(1, all - self.first);
            self.all.clone().narrow(1, self.first, count)
        });
        let [_, count] = directions.dims();
        self.differences.resize(count * positions, 0.0);
        let values: Vec<f32> = read(project(observation.map(), directions))?;
        let own = values.len() / count;
        Self::rows(block, |first, from, length| {
            for direction in 0..count {
                self.differences[direction * positions + first..][..length]
                    .copy_from_slice(&values[direction * own + from..][..length]);
            }
        });
        Ok(())
    }

    fn finish(&mut self, weight: f64) -> Result<Tensor<1>> {
        let Some(directions) = &self.directions else {
            return Err(no_maps());
        };
        let ([_, count], [_, all]) = (directions.dims(), self.all.dims());
        let positions = self.differences.len() / count;
        self.factor = weight / (all * positions) as f64;
        let targets = self.target.on_host()?;
        let targets = &targets[self.first..][..count];
        let squares = subtract_quantiles(&mut self.differences, targets);
        let value = TensorData::new(vec![(squares * self.factor / 2.0) as f32], [1]);
        Ok(Tensor::from_data(
            value,
            (&directions.device(), directions.dtype()),
        ))
    }

    fn gradient(&self, block: &Block, observation: &mut Observation) -> Result<Gradient> {
        let Some(directions) = &self.directions else {
            return Err(no_maps());
        };
        let [_, channels, height, width] = observation.dims();
        let [_, count] = directions.dims();
        let (positions, own) = (block.size[0] * block.size[1], height * width);
        let mut differences = vec![0.0; count * own];
        Self::rows(block, |first, from, length| {
            for direction in 0..count {
                differences[direction * own + from..][..length]
                    .copy_from_slice(&self.differences[direction * positions + first..][..length]);
            }
        });
        let options = (&directions.device(), directions.dtype());
        let differences =
            Tensor::<2>::from_data(TensorData::new(differences, [count, own]), options);
        let gradient = projected_back(differences, directions, self.factor);
        let gradient = gradient.reshape([1, height, width, channels]);
        Ok(Gradient::map(channels_second(gradient)))
    }

    fn keep_at_most(&mut self, values: usize) -> bool {
        self.most = values;
        true
    }

    fn goes_on(&mut self) -> bool {
        let [_, all] = self.all.dims();
        let done = self.directions.take();
        let count = done.map_or(0, |directions| directions.dims()[1]);
        self.first += count;
        count > 0 && self.first < all
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::loss::{Loss, Wasserstein};

    fn map(height: usize, width: usize, phase: f32) -> Tensor<4> {
        let values = (0..4 * height * width).map(|i| (i as f32 * 0.37 + phase).sin());
        let data = TensorData::new(values.collect::<Vec<f32>>(), [1, 4, height, width]);
        Tensor::from_data(data, &Device::flex())
    }

    #[test]
    fn rounds_of_a_few_directions_add_up_to_the_whole() {
        let (height, width) = (6, 5);
        let loss = Wasserstein::of(map(4, 4, 1.0), 5).unwrap();
        let own = map(height, width, 0.0);
        let whole = loss.measure(&mut own.clone().into(), 2.0).unwrap();
        let mut parts = loss.by_blocks().unwrap();
        // Room for two of five directions.
        assert!(parts.keep_at_most(2 * height * width + 7));
        let blocks: Vec<(Block, Tensor<4>)> = [0..4, 4..6]
            .map(|rows| {
                let place = Place::Rectangle {
                    rows: rows.clone(),
                    columns: 0..width,
                };
                let size = [height, width];
                let rows = own.clone().narrow(2, rows.start, rows.len());
                (Block { size, place }, rows)
            })
            .into();
        let (mut value, mut gradient, mut rounds) = (0.0, own.zeros_like(), 0);
        loop {
            for (block, rows) in &blocks {
                parts.observe(block, &mut rows.clone().into()).unwrap();
            }
            value += parts.finish(2.0).unwrap().into_scalar::<f32>();
            let gradients = blocks.iter().map(|(block, rows)| {
                let mut observation = Observation::from(rows.clone());
                let gradient = parts.gradient(block, &mut observation).unwrap();
                gradient.at(observation).unwrap()
            });
            gradient = gradient + Tensor::cat(gradients.collect(), 2);
            rounds += 1;
            if !parts.goes_on() {
                break;
            }
        }
        assert_eq!(rounds, 3);
        let expected = whole.value.into_scalar::<f32>();
        assert!((value / expected - 1.0).abs() < 1e-5, "{value} {expected}");
        let expected = whole.gradient.at(own.into()).unwrap();
        let apart = (gradient - expected.clone())
            .abs()
            .max()
            .into_scalar::<f32>();
        let largest = expected.abs().max().into_scalar::<f32>();
        assert!(apart < 1e-5 * largest, "{apart} {largest}");
    }
}
