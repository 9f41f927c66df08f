//! What a device needs to label positions: guides, and the splits of a step.

use burn::tensor::Device;
use rayon::prelude::*;

use super::super::distance::Draw;
use super::super::guide::Guide;
use super::super::labels::{Labels, Mask, Noise, Split};
use super::super::tiles::positions;
use super::super::{Content, Exemplar, Resampled};
use crate::engine::patches::{self, DeviceGuide, DeviceMask, NOISE_WORDS};
use crate::imaging::Size;
use crate::random::{self, Purpose};

/// The splits of one picture's positions, one for each bank.
pub(super) struct Splits(Vec<Owned>);

struct Owned {
    direction: Vec<f32>,
    borders: Vec<f32>,
    width: f32,
    noise: Noise,
}

impl Splits {
    pub(super) fn borrowed(&self) -> Vec<patches::Split<'_>> {
        self.0.iter().map(Owned::borrowed).collect()
    }
}

impl Owned {
    fn borrowed(&self) -> patches::Split<'_> {
        let Noise { seed, bank, word } = self.noise;
        let mut noise = [0; NOISE_WORDS];
        let [stream @ .., first] = &mut noise;
        stream.copy_from_slice(&random::words(seed, Purpose::Resampled, bank));
        // No device has a buffer for as many positions as 32 bits count.
        *first = word as u32;
        patches::Split {
            direction: &self.direction,
            borders: &self.borders,
            width: self.width,
            noise,
        }
    }
}

impl Guide {
    /// Writes the guide to a device.
    pub(super) fn on(&self, device: &Device) -> DeviceGuide {
        let planes = &self.planes;
        let rows = (0..planes.channels).flat_map(|channel| {
            (0..planes.height).flat_map(move |y| planes.row(channel, y).iter().copied())
        });
        let shape = [planes.channels, planes.height, planes.width];
        DeviceGuide::new(rows.collect(), shape, (self.step, self.noise > 0.0), device)
    }
}

impl Mask {
    /// Writes the mask to a device.
    pub(super) fn on(&self, device: &Device) -> DeviceMask {
        DeviceMask::new(self.pixels.iter().copied(), device)
    }

    /// How many of the positions of a picture of this size count.
    fn positions(&self, [rows, columns]: [usize; 2], reach: usize) -> usize {
        let all = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        all.filter(|(y, x)| self.contains_middle(*y, *x, reach))
            .count()
    }
}

impl Resampled {
    /// The splits of a picture of this size for each region, followed by those of the region's exemplars. Empty: there is no
    /// guide.
    pub(super) fn splits(&self, size: Size, drawn: &Draw) -> Vec<Splits> {
        let (Some(own_guide), Some(drawn)) = (&self.guide, &drawn.splits) else {
            return Vec::new();
        };
        let reach = self.filter_side(size) - 1;
        let mut words = 0;
        let mut split = |guide: &Guide, mask: Option<&Mask>, positions: [usize; 2]| {
            // Each picture takes its own words of the noise.
            let first = words;
            words += (positions[0] * positions[1]) as u128;
            let of_bank = |(split, noise): &(Split, Noise)| {
                let noise = Noise {
                    word: noise.word + first,
                    ..*noise
                };
                let labels = Labels::new(mask, Some((split, guide, noise)), (positions, reach));
                let (direction, borders, width) = labels.into_split()?;
                Some(Owned {
                    direction,
                    borders,
                    width,
                    noise,
                })
            };
            let owned: Option<Vec<Owned>> = drawn.par_iter().map(of_bank).collect();
            owned.map(Splits)
        };
        let mut splits = Vec::new();
        for region in &self.regions {
            let own = positions(size, reach, self.wraps);
            splits.extend(split(own_guide, region.mask.as_ref(), own));
            for exemplar in &region.exemplars {
                let own = positions(exemplar.image.size(), reach, false);
                let guide = exemplar.guide.as_ref();
                splits.extend(guide.and_then(|guide| split(guide, exemplar.mask.as_ref(), own)));
            }
        }
        splits
    }

    /// How many positions of a content picture count.
    pub(super) fn count(&self, content: &Content) -> usize {
        let size = content.luminance.size();
        let reach = self.filter_side(size) - 1;
        count(
            content.mask.as_ref(),
            positions(size, reach, self.wraps),
            reach,
        )
    }

    /// Of each exemplar how many positions count where the result has this size, and its weight among all.
    pub(super) fn counts(&self, size: Size) -> Vec<(usize, f32)> {
        let reach = self.filter_side(size) - 1;
        let regions = self.regions.len() as f32;
        let of_exemplar = |exemplar: &Exemplar| {
            let positions = positions(exemplar.image.size(), reach, false);
            let count = count(exemplar.mask.as_ref(), positions, reach);
            (count, exemplar.share / regions)
        };
        self.exemplars().map(of_exemplar).collect()
    }
}

fn count(mask: Option<&Mask>, positions: [usize; 2], reach: usize) -> usize {
    match mask {
        Some(mask) => mask.positions(positions, reach),
        None => positions[0] * positions[1],
    }
}
