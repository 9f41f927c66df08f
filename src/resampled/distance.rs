//! The sliced Wasserstein distance between an image's patches and the exemplars', and its gradient.

use std::cell::OnceCell;

use rayon::prelude::*;

use super::canvas::Canvas;
use super::classes::RowBuffers;
use super::comparison::{Comparison, Target, Transports};
use super::draw::{self, BANK};
use super::filters::FilterBank;
use super::labels::{CLASSES, Labels, Noise, Split};
use super::planes::Planes;
use super::pull::Pull;
use super::row_gradient::ClassTransports;
use super::source::Source;
use super::tiles::Tiles;
use super::transport::{Bins, Distribution, Transport};
use super::{BANKS, Exemplar, Resampled, SIDE};
use crate::imaging::{Size, segments};
use crate::random::{self, Purpose};

/// The filters of a step.
pub(super) struct Draw {
    pub(super) banks: Vec<FilterBank>,
    /// The split of each bank, and the noise from its first position on.
    pub(super) splits: Option<Vec<(Split, Noise)>>,
}

impl Resampled {
    /// The distance of an image's patches from the exemplars' along the filters of draw number `draw`. Adds
    /// its gradient to `gradient`, `[H, W, C]`.
    ///
    /// ```text
    /// D = 1/K sum over f of 1/(M s_f) sum over p of |R_f(p) - T_f(R_f(p))|
    /// ```
    ///
    /// `K` is the number of filters, and `R_f` are the responses of filter `f` at `M` positions. `T_f`
    /// is their [`Transport`] onto the exemplar's responses, class by class where there is a guide. `s_f`
    /// is the standard deviation of the exemplar's responses. Where nearest patches pull, the responses of
    /// these are a second target of each `R_f(p)`, with a weight.
    ///
    /// The gradient is that of `K M D`, with the modulus smoothed near zero (`SOFT`). An optimiser that
    /// divides gradients by their own size then sees the same gradients at every size of the image.
    ///
    /// The image is worked on in tiles, in three passes: the range of responses, their histograms, the
    /// gradient.
    ///
    /// (Elnekave and Weiss, "Generating natural images with direct patch distribution matching", ECCV
    /// 2022, eq. 4, whose filters have no window and no normalisation.)
    pub(crate) fn distance(&self, image: Canvas<'_>, draw: u32, gradient: &mut [f32]) -> f64 {
        let side = self.filter_side(image.size());
        let draw = self.draw(image.channels, side, draw);
        let tiles = Tiles::new(&image, side - 1);
        let pull = self.pull(image, side, &draw.banks);
        let (source, targets) = self.sources(image, &tiles, &draw);
        let comparisons = compare(&source, &targets);

        let bands = gradient.par_chunks_mut(tiles.band_rows() * image.width * image.channels);
        let of_band = |(band, gradient): (usize, &mut [f32])| {
            let mut sums = vec![0.0; comparisons.len() + BANKS * BANK];
            for tile in tiles.of_band(band) {
                self.tile_gradient(
                    (&source, tile),
                    &draw.banks,
                    (&comparisons, pull.as_ref()),
                    (gradient, &mut sums),
                );
            }
            sums
        };
        let bands: Vec<Vec<f64>> = bands.enumerate().map(of_band).collect();
        let mut value = 0.0;
        let [rows, columns] = tiles.positions();
        for band in bands {
            let (distances, pulls) = band.split_at(comparisons.len());
            for (sum, comparison) in distances.iter().zip(&comparisons) {
                value += sum / comparison.count.max(1) as f64;
            }
            for (sum, pull) in pulls.iter().zip(pull.iter().cycle()) {
                value += f64::from(pull.weight) * sum / (rows * columns) as f64;
            }
        }
        value / (BANKS * BANK) as f64
    }

    /// The side of filters for a picture of this size, at most about half of the shortest side of any picture.
    pub(super) fn filter_side(&self, size: Size) -> usize {
        let exemplars = self.exemplars().map(|exemplar| exemplar.image.size());
        let half = exemplars
            .chain([size])
            .map(Size::shorter)
            .min()
            .unwrap_or(1)
            / 2;
        // Odd, so that a patch has a pixel in its middle.
        SIDE.min(half.saturating_sub(1) | 1)
    }

    /// Whether the responses of the canvas are kept.
    pub(super) fn keeps(&self, tiles: &Tiles) -> bool {
        response_bytes(tiles) <= self.kept_bytes
    }

    pub(super) fn draw(&self, channels: usize, side: usize, draw: u32) -> Draw {
        let (mut banks, mut splits) = (Vec::new(), Vec::new());
        for number in 0..BANKS as u32 {
            let index = draw.wrapping_mul(BANKS as u32).wrapping_add(number);
            let mut generator = random::stream(self.seed, Purpose::Resampled, index);
            banks.push(draw::bank(channels, side, &mut generator));
            if let Some(guide) = &self.guide {
                let split = Split::draw(guide.channels(), &mut generator);
                let noise = Noise {
                    seed: self.seed,
                    bank: index,
                    word: generator.get_word_pos(),
                };
                splits.push((split, noise));
            }
        }
        Draw {
            banks,
            splits: self.guide.as_ref().map(|_| splits),
        }
    }

    /// The responses of the canvas, and those of each region's exemplars with their shares.
    fn sources<'a>(
        &'a self,
        image: Canvas<'a>,
        tiles: &Tiles,
        draw: &'a Draw,
    ) -> (Source<'a>, Vec<Vec<(Source<'a>, f32)>>) {
        // Each picture takes its own words of the noise.
        let mut words = 0;
        let mut labels = |mask, guide: Option<&'a _>, tiles: &Tiles| -> Vec<Labels<'a>> {
            let [rows, columns] = tiles.positions();
            let own = words;
            words += (rows * columns) as u128;
            let of_bank = |bank: usize| {
                let splits = draw.splits.as_ref().zip(guide);
                let guided = splits.map(|(splits, guide)| {
                    let (split, noise) = &splits[bank];
                    let noise = Noise {
                        word: noise.word + own,
                        ..*noise
                    };
                    (split, guide, noise)
                });
                Labels::new(mask, guided, (tiles.positions(), draw.banks[bank].reach()))
            };
            (0..BANKS).into_par_iter().map(of_bank).collect()
        };
        let classes = if draw.splits.is_some() { CLASSES } else { 1 };
        let reach = draw.banks[0].reach();
        let exemplar_tiles = |exemplar: &'a Exemplar| {
            let canvas = Canvas::of(&exemplar.image, false);
            (canvas, Tiles::new(&canvas, reach))
        };
        let exemplars = self.exemplars().map(exemplar_tiles);
        let exemplar_bytes: usize = exemplars.map(|(_, tiles)| response_bytes(&tiles)).sum();
        let keep_exemplars = exemplar_bytes <= self.kept_bytes;
        let keep = exemplar_bytes + response_bytes(tiles) <= self.kept_bytes;
        let mut layers: Vec<Vec<Labels<'_>>> = (0..BANKS).map(|_| Vec::new()).collect();
        let mut targets: Vec<Vec<(Source<'_>, f32)>> = Vec::new();
        for region in &self.regions {
            let own = labels(region.mask.as_ref(), self.guide.as_ref(), tiles);
            layers
                .iter_mut()
                .zip(own)
                .for_each(|(layers, own)| layers.push(own));
            let target = |exemplar: &'a Exemplar| {
                let (canvas, tiles) = exemplar_tiles(exemplar);
                let own = labels(exemplar.mask.as_ref(), exemplar.guide.as_ref(), &tiles);
                let own = own.into_iter().map(|own| vec![own]).collect();
                let source = Source::new(
                    (canvas, tiles),
                    &draw.banks,
                    (own, classes),
                    (keep_exemplars, &self.buffers),
                );
                (source, exemplar.share)
            };
            targets.push(region.exemplars.iter().map(target).collect());
        }
        let source = Source::new(
            (image, tiles.clone()),
            &draw.banks,
            (layers, classes),
            (keep, &self.buffers),
        );
        (source.differentiated(), targets)
    }

    /// Adds the gradient at the pixels of a tile to the rows of its band, and adds the distances of its own
    /// positions to `sums`: those of transport in the order of `comparisons`, then those of nearest patches.
    fn tile_gradient(
        &self,
        (source, tile): (&Source<'_>, usize),
        banks: &[FilterBank],
        (comparisons, pull): (&[Comparison], Option<&Pull>),
        (band, sums): (&mut [f32], &mut [f64]),
    ) {
        let tiles = &source.tiles;
        let pixels = tiles.pixels(tile);
        let own = tiles.own_positions(tile);
        let channels = source.canvas.channels;
        let (height, width) = (pixels.rows.len(), pixels.columns.len());
        let mut sum = Planes::new(channels, height, width);
        let image = OnceCell::new();
        let mut buffers = RowBuffers::default();
        let regions = self.regions.len();
        for (number, bank) in banks.iter().enumerate() {
            let reach = bank.reach();
            let responses = source.responses(tile, number, &image);
            let around = &responses.positions;
            let mut gradient = self.buffers.planes(BANK, height + reach, width + reach);
            gradient.data.fill(0.0);
            let [first_row, first_column] = tiles.corner_around(tile);
            // Positions of other tiles get a gradient, and are not counted.
            let foreign = (own.columns.start - around.columns.start) as usize;
            for filter in 0..BANK {
                for (index, y) in around.rows.clone().enumerate() {
                    let target = &mut gradient.row_mut(filter, first_row + index);
                    let target = &mut target[first_column..first_column + around.columns.len()];
                    let counts = own.rows.contains(&y);
                    for region in 0..regions {
                        let (values, labels) = responses.row((filter, region), (around, y));
                        let index = (number * regions + region) * BANK + filter;
                        let comparison = &comparisons[index];
                        let distance = comparison.row_gradient(
                            (values, labels),
                            foreign,
                            target,
                            &mut buffers,
                        );
                        if counts {
                            sums[index] += distance;
                        }
                    }
                    if let Some(pull) = pull {
                        let (values, _) = responses.row((filter, 0), (around, y));
                        let [rows, columns] = tiles.positions();
                        let row = y.rem_euclid(rows as isize) as usize;
                        let matches = &pull.matches[row * columns..][..columns];
                        let matches = segments(around.columns.clone(), columns)
                            .flat_map(|segment| &matches[segment])
                            .map(|position| *position as usize);
                        let s = comparisons[number * regions * BANK + filter].s;
                        let distance = pull.row_gradient(
                            (number, filter, s),
                            (values, matches),
                            foreign,
                            target,
                        );
                        if counts {
                            sums[comparisons.len() + number * BANK + filter] += distance;
                        }
                    }
                }
            }
            sum.add(&bank.input_gradient(&gradient));
        }
        add_to_band(
            &sum,
            (band, source.canvas.width),
            pixels.columns.start as usize,
        );
    }
}

/// Bytes of the responses of one position to all banks.
pub(crate) const RESPONSE_BYTES: usize = BANKS * BANK * size_of::<f32>();

/// The memory of the responses to all banks.
fn response_bytes(tiles: &Tiles) -> usize {
    let [rows, columns] = tiles.positions();
    rows * columns * RESPONSE_BYTES
}

/// The comparison of each bank, region and filter with the exemplars of the region.
fn compare(source: &Source<'_>, targets: &[Vec<(Source<'_>, f32)>]) -> Vec<Comparison> {
    let bins = source.ranges().mapped(Bins::over);
    let histograms = source.histograms(&bins);
    let targets: Vec<Target> = targets.iter().map(|region| Target::of(region)).collect();
    let compare = |index: usize| {
        let (bank, filter) = (index / (BANK * targets.len()), index % BANK);
        let region = index / BANK % targets.len();
        let target = &targets[region];
        let transport = |class: usize| {
            let histogram = histograms.at(bank, region, class, filter);
            let count: u64 = histogram.iter().map(|count| u64::from(*count)).sum();
            let onto = target.distribution(bank, class, filter)?;
            let mut values = Distribution::new(bins.at(bank, region, class, filter)[0]);
            values.add(histogram, 1.0);
            (count > 0).then(|| (Transport::new(&values, &onto), count))
        };
        let mut count = 0;
        let classes = (0..histograms.classes).map(|class| {
            let (transport, own) = transport(class)?;
            count += own;
            Some(transport)
        });
        let mut classes: Vec<Option<Transport>> = classes.collect();
        Comparison {
            transports: match source.is_labelled(bank, region) {
                true => Transports::ByClass(ClassTransports::new(&classes)),
                false => Transports::All(classes.swap_remove(0)),
            },
            count,
            s: target.standard_deviation(bank, filter),
        }
    };
    let count = BANKS * targets.len() * BANK;
    (0..count).into_par_iter().map(compare).collect()
}

/// Adds planes to interleaved rows of pixels, from column `left` on.
pub(super) fn add_to_band(planes: &Planes, (band, width): (&mut [f32], usize), left: usize) {
    let channels = planes.channels;
    for (y, line) in band.chunks_exact_mut(width * channels).enumerate() {
        let line = &mut line[left * channels..(left + planes.width) * channels];
        for channel in 0..channels {
            let values = planes.row(channel, y).iter();
            for (sum, value) in line.iter_mut().skip(channel).step_by(channels).zip(values) {
                *sum += value;
            }
        }
    }
}

#[cfg(test)]
mod tests;
