//! Distributions of patches along random filters that are drawn anew at every step.
//!
//! A network that stays the same asks an image a finite set of questions, and an image can answer
//! them all without looking like its exemplar. Fresh filters ask new ones: whatever the step, no part
//! of the distribution of patches is out of sight for long.

mod draw;

use rayon::prelude::*;

use self::draw::BANK;
use crate::exemplars::Sources;
use crate::imaging::{Raster, Size, is_white};
use crate::kernels::{FilterBank, Planes, Share, transport};
use crate::random::{self, Purpose};

/// Rows and columns of a filter.
pub(crate) const SIDE: usize = 7;

/// Banks of filters at each step.
const BANKS: usize = 8;

/// Below this many standard deviations of the exemplar's responses a difference counts in proportion
/// to its size, above it by its sign alone.
const SOFT: f32 = 0.05;

/// The target at one size: exemplars, and where in the result each counts.
pub(crate) struct Resampled {
    groups: Vec<Group>,
    wraps: bool,
    seed: u64,
}

/// The exemplars of one region, which is everywhere where there is only one.
struct Group {
    parts: Vec<Part>,
    region: Option<Mask>,
}

struct Part {
    image: Planes,
    /// What counts of it.
    mask: Option<Mask>,
    share: f32,
}

/// Pixels that count.
struct Mask {
    width: usize,
    pixels: Vec<bool>,
}

impl Mask {
    fn of(raster: &Raster) -> Self {
        let pixels = raster.values().iter().map(|value| is_white(*value));
        Self {
            width: raster.size().width,
            pixels: pixels.collect(),
        }
    }

    /// Whether the pixel in the middle of a patch counts. Of an image that repeats, the patch may
    /// reach beyond the border.
    fn holds(&self, y: usize, x: usize, reach: usize) -> bool {
        let height = self.pixels.len() / self.width;
        let (y, x) = ((y + reach / 2) % height, (x + reach / 2) % self.width);
        self.pixels[y * self.width + x]
    }
}

/// Responses of one filter at the positions that count.
fn gathered(responses: &Planes, filter: usize, mask: Option<&Mask>, reach: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(responses.height * responses.width);
    for y in 0..responses.height {
        let row = responses.row(filter, y);
        match mask {
            None => values.extend_from_slice(row),
            Some(mask) => {
                let counting = row.iter().enumerate();
                values.extend(
                    counting
                        .filter(|(x, _)| mask.holds(y, *x, reach))
                        .map(|(_, v)| v),
                );
            }
        }
    }
    values
}

fn deviation(values: &[f32]) -> f32 {
    let count = values.len().max(1) as f64;
    let (mut sum, mut squares) = (0.0, 0.0);
    for chunk in values.chunks(256) {
        let (mut a, mut b) = (0.0, 0.0);
        for value in chunk {
            a += value;
            b += value * value;
        }
        sum += f64::from(a);
        squares += f64::from(b);
    }
    let mean = sum / count;
    (squares / count - mean * mean).max(1e-12).sqrt() as f32
}

impl Resampled {
    /// Exemplars brought to `scale` of their size, for a result of `size` that has a margin on every
    /// side. `wraps`: the result is to repeat without a seam.
    pub(crate) fn new(
        sources: &Sources,
        scale: f64,
        (size, margin): (Size, usize),
        wraps: bool,
        seed: u64,
    ) -> Self {
        let groups = sources.resized(|given| given.scaled(scale));
        let groups = groups.into_iter().map(|group| Group {
            parts: group
                .parts
                .into_iter()
                .map(|part| Part {
                    image: planes(&part.picture),
                    mask: part.mask.as_ref().map(Mask::of),
                    share: part.share as f32,
                })
                .collect(),
            region: group
                .region
                .map(|mask| Mask::of(&mask.resized(size).with_margin(margin))),
        });
        Self {
            groups: groups.collect(),
            wraps,
            seed,
        }
    }

    /// The distance of an image's patches from the exemplars' along the filters of step number `step`,
    /// and its gradient `[C, H, W]`.
    ///
    /// ```text
    /// D = 1/K sum over f of 1/(M s_f) sum over p of |R_f(p) - T_f(R_f(p))|
    /// ```
    ///
    /// with `R_f` the responses of filter `f` at `M` positions, `T_f` their
    /// [transport](crate::kernels::transport) onto the exemplar's, and `s_f` the standard deviation of
    /// those. The gradient is that of `K M D`, the modulus rounded off near zero (`SOFT`): an
    /// optimiser that scales gradients by their own size is to see the same ones at every size.
    ///
    /// (Elnekave and Weiss, "Generating natural images with direct patch distribution matching", ECCV
    /// 2022, eq. 4, whose filters have no window and no normalisation.)
    pub(crate) fn distance(&self, image: &Planes, step: u32) -> (f64, Planes) {
        let side = self.side(image);
        let whole = self.wraps.then(|| image.repeated(side - 1));
        let whole = whole.as_ref().unwrap_or(image);
        let found: Vec<(f64, Planes)> = (0..BANKS as u32)
            .into_par_iter()
            .map(|number| {
                let index = step.wrapping_mul(BANKS as u32).wrapping_add(number);
                let mut generator = random::stream(self.seed, Purpose::Resampled, index);
                self.along(&draw::bank(image.channels, side, &mut generator), whole)
            })
            .collect();
        let mut value = 0.0;
        let mut gradient = Planes::new(whole.channels, whole.height, whole.width);
        for (distance, part) in &found {
            value += distance / (BANKS * BANK) as f64;
            gradient.add(part);
        }
        match self.wraps {
            true => (value, gradient.folded(image.height, image.width)),
            false => (value, gradient),
        }
    }

    /// Filters take at most half of any picture.
    fn side(&self, image: &Planes) -> usize {
        let parts = self.groups.iter().flat_map(|group| &group.parts);
        let pictures = parts.map(|part| &part.image).chain([image]);
        let smallest = pictures
            .map(|picture| picture.height.min(picture.width))
            .min();
        let half = smallest.unwrap_or(1) / 2;
        // Odd, so that a patch has a pixel in its middle.
        SIDE.min(half.saturating_sub(1) | 1)
    }

    /// Distance and gradient along the filters of one bank, summed over them.
    fn along(&self, bank: &FilterBank, image: &Planes) -> (f64, Planes) {
        let reach = bank.reach();
        let responses = bank.responses(image);
        let mut value = 0.0;
        let mut gradient = Planes::new(bank.count, responses.height, responses.width);
        for group in &self.groups {
            let parts = group.parts.iter();
            let targets: Vec<Planes> = parts.map(|part| bank.responses(&part.image)).collect();
            for filter in 0..bank.count {
                let region = group.region.as_ref();
                let values = gathered(&responses, filter, region, reach);
                let wanted: Vec<Vec<f32>> = targets
                    .iter()
                    .zip(&group.parts)
                    .map(|(target, part)| gathered(target, filter, part.mask.as_ref(), reach))
                    .collect();
                let shares = wanted.iter().zip(&group.parts);
                let target: Vec<Share<'_>> = shares
                    .filter(|(wanted, _)| !wanted.is_empty())
                    .map(|(wanted, part)| (&wanted[..], part.share))
                    .collect();
                if values.is_empty() || target.is_empty() {
                    continue;
                }
                let deviation = target
                    .iter()
                    .map(|(values, share)| share * deviation(values));
                let deviation = deviation.sum::<f32>() / target.iter().map(|t| t.1).sum::<f32>();
                let mut transported = vec![0.0; values.len()];
                transport(&target, &values, &mut transported);
                value += spread(
                    (&values, &transported),
                    deviation,
                    &mut gradient,
                    filter,
                    |y, x| region.is_none_or(|region| region.holds(y, x, reach)),
                );
            }
        }
        (value, bank.input_gradient(&gradient))
    }
}

/// Writes the gradients of one filter's responses to their positions, and gives the mean distance in
/// deviations.
fn spread(
    (values, transported): (&[f32], &[f32]),
    deviation: f32,
    gradient: &mut Planes,
    filter: usize,
    counts: impl Fn(usize, usize) -> bool,
) -> f64 {
    let mut pairs = values.iter().zip(transported);
    let soft = SOFT * deviation;
    let mut sum = 0.0;
    for y in 0..gradient.height {
        let mut of_row = 0.0;
        for (x, target) in gradient.row_mut(filter, y).iter_mut().enumerate() {
            if counts(y, x)
                && let Some((value, transported)) = pairs.next()
            {
                let difference = value - transported;
                of_row += difference.abs();
                *target = difference / ((difference.abs() + soft) * deviation);
            }
        }
        sum += f64::from(of_row);
    }
    sum / (f64::from(deviation) * values.len() as f64)
}

fn planes(raster: &Raster) -> Planes {
    let Size { width, height } = raster.size();
    Planes::from_pixels(raster.channels(), height, width, raster.values())
}
