//! Classes of positions, whose distributions of responses are compared one by one.

use std::ops::Range;

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution, StandardNormal};

use super::guide::Guide;
use super::tiles::Window;
use crate::imaging::{Raster, is_white, segments};
use crate::random::{self, Purpose};

pub(super) use crate::engine::tables::CLASSES;

/// The largest shift of the borders between classes, in shares of a class.
const PHASE: f32 = 0.4;

/// The label of a position outside of the mask.
pub(super) const OUTSIDE: u8 = u8::MAX;

/// The pixels of a picture that count.
pub(super) struct Mask {
    width: usize,
    pub(super) pixels: Vec<bool>,
    /// The share of pixels that count.
    share: f64,
}

impl Mask {
    /// The white pixels of a raster with one channel.
    pub(super) fn new(raster: &Raster) -> Self {
        let pixels: Vec<bool> = raster
            .values()
            .iter()
            .map(|value| is_white(*value))
            .collect();
        let white = pixels.iter().filter(|white| **white).count();
        Self {
            width: raster.size().width,
            share: white as f64 / pixels.len().max(1) as f64,
            pixels,
        }
    }

    /// Whether the middle pixel of the patch at row `y` and column `x` counts. On an image that wraps
    /// the patch may reach beyond the border.
    pub(super) fn contains_middle(&self, y: usize, x: usize, reach: usize) -> bool {
        let height = self.pixels.len() / self.width;
        let (y, x) = ((y + reach / 2) % height, (x + reach / 2) % self.width);
        self.pixels[y * self.width + x]
    }
}

/// Splits positions into classes of equal size, by rank along a random direction of the guide.
///
/// Every filter bank has a split of its own. A class is the same share of the positions in the style and in
/// the painting. So everything that the style has is used, wherever its luminance and its strokes fit best.
#[derive(Clone)]
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
}

/// The noise of the positions of one picture: one word of a stream for each position, row by row.
#[derive(Clone, Copy)]
pub(super) struct Noise {
    pub(super) seed: u64,
    /// The number of the filter bank.
    pub(super) bank: u32,
    /// The word of the first position.
    pub(super) word: u128,
}

/// Labels the positions of a picture by their class.
pub(super) struct Labels<'a> {
    mask: Option<&'a Mask>,
    classes: Option<Classes<'a>>,
    reach: usize,
    /// Rows and columns of positions.
    size: [usize; 2],
}

struct Classes<'a> {
    guide: &'a Guide,
    direction: Vec<f32>,
    /// The scores at the borders between classes.
    borders: Vec<f32>,
    noise: Noise,
}

impl Classes<'_> {
    /// The width of a uniform distribution with the noise's standard deviation.
    fn noise_width(&self) -> f32 {
        self.direction[0] * self.guide.noise * 12f32.sqrt()
    }

    /// Adds the noise of positions from number `first` on.
    fn add_noise(&self, first: usize, scores: &mut [f32]) {
        let width = self.noise_width();
        if width != 0.0 {
            let noise = self.noise;
            let mut generator = random::stream(noise.seed, Purpose::Resampled, noise.bank);
            generator.set_word_pos(noise.word + first as u128);
            for score in scores {
                *score += width * (generator.random::<f32>() - 0.5);
            }
        }
    }
}

impl<'a> Labels<'a> {
    /// The labels of `size` rows and columns of positions for filters with this `reach`: one class, or those of a
    /// split by a guide. Positions whose patches have their middle outside of the mask are labelled
    /// `OUTSIDE`.
    pub(super) fn new(
        mask: Option<&'a Mask>,
        guided: Option<(&Split, &'a Guide, Noise)>,
        (size, reach): ([usize; 2], usize),
    ) -> Self {
        let mut labels = Self {
            mask,
            classes: None,
            reach,
            size,
        };
        if let Some((split, guide, noise)) = guided {
            let classes = Classes {
                guide,
                direction: split.direction.clone(),
                borders: Vec::new(),
                noise,
            };
            let borders = labels.border_scores(&classes, &split.borders);
            labels.classes = Some(Classes { borders, ..classes });
        }
        labels
    }

    /// The direction of the split, the scores at the borders between classes, and the width of the noise.
    #[cfg(feature = "cube")]
    pub(super) fn into_split(self) -> Option<(Vec<f32>, Vec<f32>, f32)> {
        let classes = self.classes?;
        let width = classes.noise_width();
        Some((classes.direction, classes.borders, width))
    }

    /// Whether all positions have label 0.
    pub(super) fn are_equal(&self) -> bool {
        self.mask.is_none() && self.classes.is_none()
    }

    /// The labels of a window of positions, row by row. None: all have label 0.
    pub(super) fn of(&self, window: &Window) -> Option<Vec<u8>> {
        if self.are_equal() {
            return None;
        }
        let mut labels = Vec::with_capacity(window.rows.len() * window.columns.len());
        let mut scores = Vec::new();
        for y in window.rows.clone() {
            let y = y.rem_euclid(self.size[0] as isize) as usize;
            for columns in segments(window.columns.clone(), self.size[1]) {
                let first = labels.len();
                match &self.classes {
                    Some(classes) => {
                        scores.clear();
                        self.score(classes, y, columns.clone(), &mut scores);
                        let class = |score: &f32| {
                            let below = classes.borders.iter().filter(|border| score > *border);
                            below.count() as u8
                        };
                        labels.extend(scores.iter().map(class));
                    }
                    None => labels.resize(first + columns.len(), 0),
                }
                if let Some(mask) = self.mask {
                    for (label, x) in labels[first..].iter_mut().zip(columns) {
                        if !mask.contains_middle(y, x, self.reach) {
                            *label = OUTSIDE;
                        }
                    }
                }
            }
        }
        Some(labels)
    }

    /// Appends the scores of positions in a row: products of the direction and the guide, with noise.
    fn score(&self, classes: &Classes<'_>, y: usize, columns: Range<usize>, scores: &mut Vec<f32>) {
        let first = scores.len();
        scores.resize(first + columns.len(), 0.0);
        let position = y * self.size[1] + columns.start;
        let scores = &mut scores[first..];
        self.products(classes, y, columns.start, scores);
        classes.add_noise(position, scores);
    }

    /// Adds the products of the direction and the guide at positions in a row.
    fn products(&self, classes: &Classes<'_>, y: usize, first: usize, scores: &mut [f32]) {
        // The guide of a patch is that of its middle.
        let middle = self.reach / 2;
        let columns = first + middle..first + middle + scores.len();
        let pixels = (y + middle, columns);
        classes
            .guide
            .add_products(&classes.direction, pixels, scores);
    }

    /// The scores at the borders between classes: quantiles of a sample of all scores. A border lies in the middle between
    /// two scores that are further apart than they are rounded: a score at a border, as many of a small or a periodic picture
    /// would be, could have one class on one device and another one on another.
    fn border_scores(&self, classes: &Classes<'_>, borders: &[f32]) -> Vec<f32> {
        /// Enough for an error of a hundredth in the share of a class.
        const SAMPLES: usize = 4096;
        /// What scores of equal guides may differ by, as a share of their range.
        const ROUNDING: f32 = 1e-5;
        let [height, width] = self.size;
        let share = self.mask.map_or(1.0, |mask| mask.share);
        let stride = ((height * width) as f64 * share) as usize / SAMPLES;
        let mut sample = Vec::with_capacity(2 * SAMPLES);
        for position in (0..height * width).step_by(stride.max(1)) {
            let (y, x) = (position / width, position % width);
            let counts = |mask: &Mask| mask.contains_middle(y, x, self.reach);
            if self.mask.is_none_or(counts) {
                let mut score = [0.0];
                self.products(classes, y, x, &mut score);
                sample.extend(score);
            }
        }
        // Quantiles want noise of the right distribution. That of each position itself would be spread over
        // the whole stream.
        classes.add_noise(0, &mut sample);
        sample.sort_unstable_by(f32::total_cmp);
        let quantile = |share: &f32| {
            let rank = (share * sample.len() as f32) as usize;
            let rank = rank.min(sample.len().saturating_sub(1));
            let gap = ROUNDING * (sample.last()? - sample.first()?);
            let mut pairs = sample[rank..].windows(2);
            let apart = pairs.find(|pair| pair[1] - pair[0] > gap);
            Some(apart.map_or(sample[rank], |pair| 0.5 * (pair[0] + pair[1])))
        };
        borders.iter().filter_map(quantile).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Size;
    use crate::resampled::canvas::Canvas;
    use crate::resampled::coloured;
    use crate::resampled::tiles::Tiles;

    const REACH: usize = 6;

    fn tiles(height: usize, width: usize) -> Tiles {
        let values = vec![0.0; height * width];
        let canvas = Canvas::new(Size::new(width, height), 1, &values, false);
        Tiles::new(&canvas, REACH)
    }

    const NOISE: Noise = Noise {
        seed: 3,
        bank: 0,
        word: 100,
    };

    fn whole(tiles: &Tiles) -> Window {
        let [height, width] = tiles.positions();
        Window {
            rows: 0..height as isize,
            columns: 0..width as isize,
        }
    }

    #[test]
    fn classes_have_equal_shares_of_all_positions() {
        let pixels = coloured(60, 70, 0.3, 0.2).to_pixels();
        let guide = Guide::of(&Raster::new(Size::new(70, 60), 3, pixels));
        let tiles = tiles(60, 70);
        for index in 0..20 {
            let mut generator = random::stream(3, Purpose::Resampled, index);
            let split = Split::draw(3, &mut generator);
            let noise = Noise {
                bank: index,
                ..NOISE
            };
            let labels = Labels::new(
                None,
                Some((&split, &guide, noise)),
                (tiles.positions(), REACH),
            );
            let found = labels.of(&whole(&tiles)).unwrap();
            assert_eq!(found.len(), 54 * 64);
            // A sixth each. The phase makes the outer two larger or smaller.
            let count = |class: u8| found.iter().filter(|label| **label == class).count();
            let share = |class: u8| count(class) as f32 / found.len() as f32 * 6.0;
            (1..5).for_each(|class| assert!((share(class) - 1.0).abs() < 0.02));
            assert!((share(0) + share(5) - 2.0).abs() < 0.02);
            assert!((share(0) - 1.0).abs() < PHASE + 0.02);
            // No score is at a border, where rounding would choose the class.
            let mut scores = Vec::new();
            let classes = labels.classes.as_ref().unwrap();
            (0..54).for_each(|y| labels.score(classes, y, 0..64, &mut scores));
            scores.sort_unstable_by(f32::total_cmp);
            let range = scores[scores.len() - 1] - scores[0];
            for border in &classes.borders {
                let near = scores.iter().map(|score| (score - border).abs());
                assert!(near.fold(range, f32::min) > 4e-6 * range);
            }
            // Windows give the labels of the whole.
            let part = Window {
                rows: 7..11,
                columns: 3..50,
            };
            let expected = (7..11).flat_map(|y| &found[y * 64 + 3..y * 64 + 50]);
            assert!(labels.of(&part).unwrap().iter().eq(expected));
        }
    }

    #[test]
    fn positions_outside_of_the_mask_have_no_class() {
        let tiles = tiles(20, 24);
        let white = |pixel: usize| [if pixel % 24 < 11 { 1.0 } else { 0.0 }];
        let mask = Mask::new(&Raster::from_pixels(Size::new(24, 20), white));
        let labels = Labels::new(Some(&mask), None, (tiles.positions(), REACH));
        let found = labels.of(&whole(&tiles)).unwrap();
        // The middle of the patch at column 8 lies in column 11.
        for (position, label) in found.iter().enumerate() {
            assert_eq!(*label, if position % 18 < 8 { 0 } else { OUTSIDE });
        }
        assert!(
            Labels::new(None, None, (tiles.positions(), REACH))
                .of(&whole(&tiles))
                .is_none()
        );
    }

    #[test]
    fn classes_go_by_luminance_and_orientation() {
        // The upper half is dark, the lower one light. Stripes on the left are horizontal, on the right
        // vertical.
        let picture = Raster::from_pixels(Size::square(96), |pixel| {
            let (y, x) = (pixel / 96, pixel % 96);
            let coordinate = if x < 48 { y } else { x } as f32;
            [0.1 * (0.8 * coordinate).sin() + if y < 48 { 0.2 } else { 0.8 }]
        });
        let guide = Guide::of(&picture);
        let tiles = tiles(96, 96);
        for (direction, by_row) in [(vec![1.0, 0.0, 0.0], true), (vec![0.0, 1.0, 0.0], false)] {
            let split = Split {
                direction,
                borders: vec![0.5],
            };
            let guided = (&split, &guide, NOISE);
            let labels = Labels::new(None, Some(guided), (tiles.positions(), REACH));
            let found = labels.of(&whole(&tiles)).unwrap();
            let share = |class: u8| {
                let members = (0..90 * 90).filter(|position| found[*position] == class);
                let (mut low, mut all) = (0, 0);
                for position in members {
                    let coordinate = if by_row { position / 90 } else { position % 90 };
                    low += usize::from(coordinate < 45);
                    all += 1;
                }
                low as f64 / all as f64
            };
            let (low, high) = (share(0), share(1));
            println!("{low:.2} {high:.2}");
            // The first class is dark, or has vertical gradients, whose cos 2t is -1.
            assert!(low > 0.85 && high < 0.15, "{low} {high}");
        }
    }
}
