//! What a device needs to label positions: guides, and the splits of a step.

use burn::tensor::Device;
use rayon::prelude::*;

use super::super::Resampled;
use super::super::distance::Draw;
use super::super::guide::Guide;
use super::super::labels::{Labels, Noise, Split};
use super::super::tiles::positions;
use crate::engine::patches::{self, DeviceGuide, NOISE_WORDS};
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

impl Resampled {
    /// The splits of a picture of this size and of its only exemplar. None: there is no guide.
    pub(super) fn splits(&self, size: Size, drawn: &Draw) -> Option<[Splits; 2]> {
        let exemplar = &self.regions.first()?.exemplars.first()?;
        let guides = [self.guide.as_ref()?, exemplar.guide.as_ref()?];
        let reach = self.filter_side(size) - 1;
        let of_picture = positions(size, reach, self.wraps);
        let of_exemplar = positions(exemplar.image.size(), reach, false);
        let own = (of_picture[0] * of_picture[1]) as u128;
        let drawn = drawn.splits.as_ref()?;
        let splits = |guide: &Guide, positions: [usize; 2], words: u128| {
            let of_bank = |(split, noise): &(Split, Noise)| {
                let noise = Noise {
                    word: noise.word + words,
                    ..*noise
                };
                let labels = Labels::new(None, Some((split, guide, noise)), (positions, reach));
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
        let [own_guide, other_guide] = guides;
        Some([
            splits(own_guide, of_picture, 0)?,
            splits(other_guide, of_exemplar, own)?,
        ])
    }
}
