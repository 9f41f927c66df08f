//! Classes of positions, whose distributions of responses are compared one by one.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution, StandardNormal};

use super::guide::Guide;
use super::planes::Planes;
use super::positions::{Mask, indices_within};

/// Classes of positions for each filter bank.
const CLASSES: usize = 6;

/// The largest shift of the borders between classes, in shares of a class.
const PHASE: f32 = 0.4;

/// Splits positions into classes of equal size, by rank along a random direction of the guide.
///
/// Every filter bank has a split of its own. A class is the same share of the positions in the style and in
/// the painting. So everything that the style has is used, wherever its luminance and its strokes fit best.
pub(super) struct Split {
    direction: Vec<f32>,
    /// For each border between classes, the share of positions below it.
    borders: Vec<f32>,
}

impl Split {
    /// Draws a split for guides with that many channels.
    pub(super) fn draw(channels: usize, generator: &mut impl Rng) -> Self {
        let direction = (0..channels).map(|_| StandardNormal.sample(generator));
        let direction = direction.collect();
        let phase = PHASE * (2.0 * generator.random::<f32>() - 1.0);
        let share = |border: usize| (border as f32 + phase) / CLASSES as f32;
        Self {
            direction,
            borders: (1..CLASSES).map(share).collect(),
        }
    }

    /// Classes of the positions of `responses` whose patches have their middle in `mask`, as indices into
    /// a [`plane`](Planes::plane).
    pub(super) fn classes(
        &self,
        guide: &Guide,
        (mask, responses, reach): (Option<&Mask>, &Planes, usize),
        generator: &mut impl Rng,
    ) -> Vec<Vec<u32>> {
        let indices = indices_within(mask, responses, reach);
        let planes = &guide.planes;
        // The width of a uniform distribution with that standard deviation.
        let noise = self.direction[0] * guide.noise * 12f32.sqrt();
        let score = |index: &u32| {
            let (y, x) = responses.position_of(*index as usize);
            let (y, x) = (
                (y + reach / 2) % planes.height,
                (x + reach / 2) % planes.width,
            );
            let products = self.direction.iter().enumerate();
            let products = products.map(|(channel, weight)| weight * planes.row(channel, y)[x]);
            products.sum::<f32>() + noise * (generator.random::<f32>() - 0.5)
        };
        let scores: Vec<f32> = indices.iter().map(score).collect();
        let borders = self.border_scores(&scores);
        let mut classes = vec![Vec::new(); CLASSES];
        for (index, score) in indices.iter().zip(&scores) {
            let class = borders.iter().filter(|border| score > *border).count();
            classes[class].push(*index);
        }
        classes
    }

    /// The scores at the borders between classes: quantiles of a sample of all scores.
    fn border_scores(&self, scores: &[f32]) -> Vec<f32> {
        /// Enough for an error of a hundredth in the share of a class.
        const SAMPLES: usize = 4096;
        let stride = (scores.len() / SAMPLES).max(1);
        let mut sample: Vec<f32> = scores.iter().step_by(stride).copied().collect();
        sample.sort_by(f32::total_cmp);
        let quantile = |share: &f32| {
            let rank = (share * sample.len() as f32) as usize;
            sample
                .get(rank.min(sample.len().saturating_sub(1)))
                .copied()
        };
        self.borders.iter().filter_map(quantile).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use crate::resampled::coloured;

    #[test]
    fn classes_have_equal_shares_of_all_positions() {
        let guide = Guide::of(&coloured(60, 70, 0.3, 0.2));
        let responses = Planes::new(8, 54, 64);
        for index in 0..20 {
            let mut generator = stream(3, Purpose::Resampled, index);
            let split = Split::draw(3, &mut generator);
            let classes = split.classes(&guide, (None, &responses, 6), &mut generator);
            let mut indices: Vec<u32> = classes.iter().flatten().copied().collect();
            indices.sort_unstable();
            assert_eq!(indices, indices_within(None, &responses, 6));
            // A sixth each. The phase makes the outer two larger or smaller.
            let share = |class: usize| classes[class].len() as f32 / indices.len() as f32 * 6.0;
            (1..5).for_each(|class| assert!((share(class) - 1.0).abs() < 0.02));
            assert!((share(0) + share(5) - 2.0).abs() < 0.02);
            assert!((share(0) - 1.0).abs() < PHASE + 0.02);
        }
    }

    #[test]
    fn classes_go_by_luminance_and_orientation() {
        // The upper half is dark, the lower one light. Stripes on the left are horizontal, on the right
        // vertical.
        let mut picture = Planes::new(1, 96, 96);
        for y in 0..96 {
            for (x, value) in picture.row_mut(0, y).iter_mut().enumerate() {
                let coordinate = if x < 48 { y } else { x } as f32;
                *value = 0.1 * (0.8 * coordinate).sin() + if y < 48 { 0.2 } else { 0.8 };
            }
        }
        let guide = Guide::of(&picture);
        let responses = Planes::new(1, 90, 90);
        for (direction, by_row) in [(vec![1.0, 0.0, 0.0], true), (vec![0.0, 1.0, 0.0], false)] {
            let split = Split {
                direction,
                borders: vec![0.5],
            };
            let mut generator = stream(3, Purpose::Resampled, 0);
            let classes = split.classes(&guide, (None, &responses, 6), &mut generator);
            let in_half = |index: &&u32| {
                let (y, x) = responses.position_of(**index as usize);
                let coordinate = if by_row { y } else { x };
                coordinate < 45
            };
            let share =
                |class: &Vec<u32>| class.iter().filter(in_half).count() as f64 / class.len() as f64;
            let (low, high) = (share(&classes[0]), share(&classes[1]));
            println!("{low:.2} {high:.2}");
            // The first class is dark, or has vertical gradients, whose cos 2t is -1.
            assert!(low > 0.85 && high < 0.15, "{low} {high}");
        }
    }
}
