//! The sliced Wasserstein distance between an image's patches and the exemplars', and its gradient.

use rand::Rng;
use rayon::prelude::*;

use super::classes::Split;
use super::draw::{self, BANK};
use super::filters::FilterBank;
use super::guide::Guide;
use super::planes::Planes;
use super::positions::{Mask, Positions};
use super::transport::{Share, transport};
use super::{BANKS, Exemplar, Resampled, SIDE};
use crate::random::{self, Purpose};

/// The gradient of a difference is linear in the difference below this many standard deviations of the
/// exemplar's responses, and depends on its sign alone above.
const SOFT: f32 = 0.05;

impl Resampled {
    /// The distance of an image's patches from the exemplars' along the filters of draw number `draw`,
    /// and its gradient `[C, H, W]`.
    ///
    /// ```text
    /// D = 1/K sum over f of 1/(M s_f) sum over p of |R_f(p) - T_f(R_f(p))|
    /// ```
    ///
    /// `K` is the number of filters, and `R_f` are the responses of filter `f` at `M` positions. `T_f`
    /// is their [transport](super::transport::transport) onto the exemplar's responses, class by class
    /// where there is a guide. `s_f` is the standard deviation of the exemplar's responses. Where
    /// nearest patches pull, the responses of these are a second target of each `R_f(p)`, with a weight.
    ///
    /// The gradient is that of `K M D`, with the modulus smoothed near zero (`SOFT`). An optimiser that
    /// divides gradients by their own size then sees the same gradients at every size of the image.
    ///
    /// (Elnekave and Weiss, "Generating natural images with direct patch distribution matching", ECCV
    /// 2022, eq. 4, whose filters have no window and no normalisation.)
    pub(crate) fn distance(&self, image: &Planes, draw: u32) -> (f64, Planes) {
        let side = self.filter_side(image);
        let extended = self.wraps.then(|| image.repeated(side - 1));
        let extended = extended.as_ref().unwrap_or(image);
        let nearest = self.nearest.as_ref().zip(self.exemplars().next());
        let nearest = nearest
            .and_then(|(nearest, exemplar)| nearest.matches(extended, &exemplar.image, side));
        let terms: Vec<(f64, Planes)> = (0..BANKS as u32)
            .into_par_iter()
            .map(|number| {
                let index = draw.wrapping_mul(BANKS as u32).wrapping_add(number);
                let mut generator = random::stream(self.seed, Purpose::Resampled, index);
                let bank = draw::bank(image.channels, side, &mut generator);
                let nearest = nearest
                    .as_ref()
                    .map(|(weight, matches)| (*weight, &matches[..]));
                self.bank_distance(&bank, extended, nearest, &mut generator)
            })
            .collect();
        let mut value = 0.0;
        let mut gradient = Planes::new(extended.channels, extended.height, extended.width);
        for (distance, bank_gradient) in &terms {
            value += distance / (BANKS * BANK) as f64;
            gradient.add(bank_gradient);
        }
        match self.wraps {
            true => (value, gradient.folded(image.height, image.width)),
            false => (value, gradient),
        }
    }

    /// The side of filters, at most about half of the shortest side of any picture.
    pub(super) fn filter_side(&self, image: &Planes) -> usize {
        let exemplars = self.exemplars().map(|exemplar| &exemplar.image);
        let sides = exemplars
            .chain([image])
            .map(|picture| picture.height.min(picture.width));
        let half = sides.min().unwrap_or(1) / 2;
        // Odd, so that a patch has a pixel in its middle.
        SIDE.min(half.saturating_sub(1) | 1)
    }

    /// The sum of distances along the filters of one bank, and its gradient at the image.
    fn bank_distance(
        &self,
        bank: &FilterBank,
        image: &Planes,
        nearest: Option<(f32, &[u32])>,
        generator: &mut impl Rng,
    ) -> (f64, Planes) {
        let reach = bank.reach();
        let responses = bank.responses(image);
        let split = self.guide.as_ref();
        let split = split.map(|guide| Split::draw(guide.channels(), generator));
        let mut positions = |mask: Option<&Mask>, guide: Option<&Guide>, responses: &Planes| match (
            &split, guide,
        ) {
            (Some(split), Some(guide)) => {
                let within = (mask, responses, reach);
                Positions::Classes(split.classes(guide, within, generator))
            }
            _ => Positions::within(mask, responses, reach),
        };
        let mut value = 0.0;
        let mut gradient = Planes::new(bank.count, responses.height, responses.width);
        for region in &self.regions {
            let region_positions = positions(region.mask.as_ref(), self.guide.as_ref(), &responses);
            let target = |exemplar: &Exemplar| {
                let responses = bank.responses(&exemplar.image);
                let (mask, guide) = (exemplar.mask.as_ref(), exemplar.guide.as_ref());
                Target {
                    positions: positions(mask, guide, &responses),
                    responses,
                    share: exemplar.share,
                }
            };
            let targets: Vec<Target> = region.exemplars.iter().map(target).collect();
            for filter in 0..bank.count {
                let (distance, s) = filter_distance(
                    filter,
                    (&responses, &region_positions),
                    &targets,
                    &mut gradient,
                );
                value += distance;
                if let (Some((weight, matches)), Some(target)) = (nearest, targets.first()) {
                    let matched = (&target.responses, matches);
                    let pull =
                        pull_to_matches(filter, &responses, matched, (weight, s), &mut gradient);
                    value += f64::from(weight) * pull;
                }
            }
        }
        (value, bank.input_gradient(&gradient))
    }
}

/// The responses of one exemplar to a bank.
struct Target {
    responses: Planes,
    positions: Positions,
    share: f32,
}

/// Adds to `gradient`, times `weight`, the gradient of the distance of each response from the response of
/// its nearest patch in the exemplar. `matches` are the patches' positions. Returns the mean distance in
/// standard deviations `s`.
fn pull_to_matches(
    filter: usize,
    responses: &Planes,
    (exemplar, matches): (&Planes, &[u32]),
    (weight, s): (f32, f32),
    gradient: &mut Planes,
) -> f64 {
    let soft = SOFT * s;
    let mut sum = 0.0;
    for y in 0..responses.height {
        let values = responses.row(filter, y).iter();
        let matches = &matches[y * responses.width..];
        let mut row_sum = 0.0;
        for ((gradient, value), position) in gradient
            .row_mut(filter, y)
            .iter_mut()
            .zip(values)
            .zip(matches)
        {
            let position = *position as usize;
            let (row, column) = (position / exemplar.width, position % exemplar.width);
            let difference = value - exemplar.row(filter, row)[column];
            row_sum += difference.abs();
            *gradient += weight * difference / ((difference.abs() + soft) * s);
        }
        sum += f64::from(row_sum / s);
    }
    sum / (responses.height * responses.width).max(1) as f64
}

/// Writes the gradient at the responses of one filter. Returns their mean distance in standard deviations
/// of the targets' responses, and that standard deviation.
fn filter_distance(
    filter: usize,
    (responses, positions): (&Planes, &Positions),
    targets: &[Target],
    gradient: &mut Planes,
) -> (f64, f32) {
    let classes = 0..positions.classes();
    let targets: Vec<(Vec<Vec<f32>>, f32)> = targets
        .iter()
        .map(|target| {
            let values = classes
                .clone()
                .map(|class| target.positions.gather(class, &target.responses, filter));
            (values.collect(), target.share)
        })
        .collect();
    // A mask can have no white pixel at a small size. Its exemplar has no values then and is left out.
    let (mut s, mut shares) = (0.0, 0.0);
    for (values, share) in &targets {
        if values.iter().any(|values| !values.is_empty()) {
            s += share * standard_deviation(values.iter().map(|values| &values[..]));
            shares += share;
        }
    }
    s /= shares;
    let (mut sum, mut count) = (0.0, 0);
    for class in classes {
        let target: Vec<Share<'_>> = targets
            .iter()
            .map(|(values, share)| (&values[class][..], *share))
            .filter(|(values, _)| !values.is_empty())
            .collect();
        let mut values = positions.gather(class, responses, filter);
        if values.is_empty() || target.is_empty() {
            continue;
        }
        let mut transported = vec![0.0; values.len()];
        transport(&target, &values, &mut transported);
        count += values.len();
        sum += transport_gradient(&mut values, &transported, s);
        positions.scatter((class, &values), gradient, filter);
    }
    (sum / count.max(1) as f64, s)
}

/// Replaces each value by the gradient of its distance from its transported value, in standard deviations
/// `s`. Returns the sum of the distances.
fn transport_gradient(values: &mut [f32], transported: &[f32], s: f32) -> f64 {
    let soft = SOFT * s;
    let mut sum = 0.0;
    for (values, transported) in values.chunks_mut(256).zip(transported.chunks(256)) {
        let mut chunk_sum = 0.0;
        for (value, target) in values.iter_mut().zip(transported) {
            let difference = *value - target;
            chunk_sum += difference.abs();
            *value = difference / ((difference.abs() + soft) * s);
        }
        sum += f64::from(chunk_sum / s);
    }
    sum
}

/// The standard deviation of values in several lists.
pub(super) fn standard_deviation<'a>(lists: impl IntoIterator<Item = &'a [f32]>) -> f32 {
    let (mut count, mut sum, mut squares) = (0, 0.0, 0.0);
    for values in lists {
        count += values.len();
        for chunk in values.chunks(256) {
            let (mut a, mut b) = (0.0, 0.0);
            for value in chunk {
                a += value;
                b += value * value;
            }
            sum += f64::from(a);
            squares += f64::from(b);
        }
    }
    let count = count.max(1) as f64;
    let mean = sum / count;
    (squares / count - mean * mean).max(1e-12).sqrt() as f32
}
