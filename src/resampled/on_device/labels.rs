//! What a device needs to label positions: guides, and the splits of a step.

use burn::tensor::Device;
use rayon::prelude::*;

use super::super::distance::Draw;
use super::super::guide::Guide;
use super::super::labels::{Labels, Mask, Noise, Split};
use super::super::tiles::positions;
use super::super::{Content, Exemplar, Region, Resampled};
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
    /// For each region, which has one exemplar, the splits of a picture of this size and of the exemplar. Empty: there is no
    /// guide.
    pub(super) fn splits(&self, size: Size, drawn: &Draw) -> Vec<[Splits; 2]> {
        let (Some(own_guide), Some(drawn)) = (&self.guide, &drawn.splits) else {
            return Vec::new();
        };
        let reach = self.filter_side(size) - 1;
        let own = positions(size, reach, self.wraps);
        let split = |guide: &Guide, mask: Option<&Mask>, positions: [usize; 2], words: u128| {
            let of_bank = |(split, noise): &(Split, Noise)| {
                let noise = Noise {
                    word: noise.word + words,
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
        // Each picture takes its own words of the noise.
        let mut words = 0;
        let mut take = |[rows, columns]: [usize; 2]| {
            let first = words;
            words += (rows * columns) as u128;
            first
        };
        let of_region = |region: &Region| {
            let exemplar = region.exemplars.first()?;
            let others = positions(exemplar.image.size(), reach, false);
            let [first, first_of_exemplar] = [take(own), take(others)];
            let (mask, guide) = (exemplar.mask.as_ref(), exemplar.guide.as_ref()?);
            Some([
                split(own_guide, region.mask.as_ref(), own, first)?,
                split(guide, mask, others, first_of_exemplar)?,
            ])
        };
        self.regions.iter().filter_map(of_region).collect()
    }

    /// How many positions of a content picture and of the first exemplar count.
    pub(super) fn counts(&self, content: &Content) -> [usize; 2] {
        let size = content.luminance.size();
        let reach = self.filter_side(size) - 1;
        let count = |mask: Option<&Mask>, size: Size, wraps: bool| {
            let positions = positions(size, reach, wraps);
            match mask {
                Some(mask) => mask.positions(positions, reach),
                None => positions[0] * positions[1],
            }
        };
        let of_exemplar =
            |exemplar: &Exemplar| count(exemplar.mask.as_ref(), exemplar.image.size(), false);
        [
            count(content.mask.as_ref(), size, self.wraps),
            self.exemplars().next().map_or(0, of_exemplar),
        ]
    }
}
