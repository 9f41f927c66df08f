//! The distance of an image's patches from the exemplars', and its gradient.

use rand::Rng;
use rayon::prelude::*;

use super::draw::{self, BANK};
use super::filters::FilterBank;
use super::guide::{Guide, Split};
use super::planes::Planes;
use super::positions::{Mask, Positions};
use super::transport::{Share, transport};
use super::{BANKS, Part, Resampled, SIDE};
use crate::random::{self, Purpose};

/// Below this many standard deviations of the exemplar's responses a difference counts in proportion
/// to its size, above it by its sign alone.
const SOFT: f32 = 0.05;

impl Resampled {
    /// The distance of an image's patches from the exemplars' along the filters of draw number `draw`,
    /// and its gradient `[C, H, W]`.
    ///
    /// ```text
    /// D = 1/K sum over f of 1/(M s_f) sum over p of |R_f(p) - T_f(R_f(p))|
    /// ```
    ///
    /// with `R_f` the responses of filter `f` at `M` positions, `T_f` their
    /// [transport](super::transport::transport) onto the exemplar's, class by class where there is a
    /// guide, and `s_f` the standard deviation of those. Where nearest patches pull, their responses are
    /// a second target for each `R_f(p)`, with its weight. The gradient is that of `K M D`, the modulus
    /// rounded off near zero (`SOFT`): an optimiser that scales gradients by their own size is to see the
    /// same ones at every size.
    ///
    /// (Elnekave and Weiss, "Generating natural images with direct patch distribution matching", ECCV
    /// 2022, eq. 4, whose filters have no window and no normalisation.)
    pub(crate) fn distance(&self, image: &Planes, draw: u32) -> (f64, Planes) {
        let side = self.side(image);
        let whole = self.wraps.then(|| image.repeated(side - 1));
        let whole = whole.as_ref().unwrap_or(image);
        let nearest = self.nearest.as_ref().zip(self.parts().next());
        let nearest = nearest.and_then(|(nearest, part)| nearest.places(whole, &part.image, side));
        let found: Vec<(f64, Planes)> = (0..BANKS as u32)
            .into_par_iter()
            .map(|number| {
                let index = draw.wrapping_mul(BANKS as u32).wrapping_add(number);
                let mut generator = random::stream(self.seed, Purpose::Resampled, index);
                let bank = draw::bank(image.channels, side, &mut generator);
                let nearest = nearest
                    .as_ref()
                    .map(|(weight, places)| (*weight, &places[..]));
                self.along(&bank, whole, nearest, &mut generator)
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
    pub(super) fn side(&self, image: &Planes) -> usize {
        let pictures = self.parts().map(|part| &part.image).chain([image]);
        let smallest = pictures
            .map(|picture| picture.height.min(picture.width))
            .min();
        let half = smallest.unwrap_or(1) / 2;
        // Odd, so that a patch has a pixel in its middle.
        SIDE.min(half.saturating_sub(1) | 1)
    }

    /// Distance and gradient along the filters of one bank, summed over them.
    fn along(
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
                let place = (mask, responses, reach);
                Positions::Classes(split.classes(guide, place, generator))
            }
            _ => Positions::within(mask, responses, reach),
        };
        let mut value = 0.0;
        let mut gradient = Planes::new(bank.count, responses.height, responses.width);
        for group in &self.groups {
            let place = positions(group.region.as_ref(), self.guide.as_ref(), &responses);
            let of_part = |part: &Part| {
                let responses = bank.responses(&part.image);
                let place = positions(part.mask.as_ref(), part.guide.as_ref(), &responses);
                (responses, place, part.share)
            };
            let targets: Vec<Target> = group.parts.iter().map(of_part).collect();
            for filter in 0..bank.count {
                let (distance, s) =
                    along_filter(filter, (&responses, &place), &targets, &mut gradient);
                value += distance;
                if let (Some((weight, places)), Some((exemplar, ..))) = (nearest, targets.first()) {
                    let exemplar = (exemplar, places);
                    value += f64::from(weight)
                        * towards(filter, &responses, exemplar, (weight, s), &mut gradient);
                }
            }
        }
        (value, bank.input_gradient(&gradient))
    }
}

/// Responses of an exemplar, the positions that count, and its share.
type Target = (Planes, Positions, f32);

/// Adds the gradient of the distance of responses from those of the exemplar's patches at `places`, times
/// `weight`; the mean distance, in deviations `s`.
fn towards(
    filter: usize,
    responses: &Planes,
    (exemplar, places): (&Planes, &[u32]),
    (weight, s): (f32, f32),
    gradient: &mut Planes,
) -> f64 {
    let soft = SOFT * s;
    let mut sum = 0.0;
    for y in 0..responses.height {
        let values = responses.row(filter, y).iter();
        let places = &places[y * responses.width..];
        let mut of_row = 0.0;
        for ((gradient, value), place) in gradient
            .row_mut(filter, y)
            .iter_mut()
            .zip(values)
            .zip(places)
        {
            let (down, across) = (
                *place as usize / exemplar.width,
                *place as usize % exemplar.width,
            );
            let difference = value - exemplar.row(filter, down)[across];
            of_row += difference.abs();
            *gradient += weight * difference / ((difference.abs() + soft) * s);
        }
        sum += f64::from(of_row / s);
    }
    sum / (responses.height * responses.width).max(1) as f64
}

/// Writes the gradient at the responses of one filter, and gives their mean distance in deviations, and
/// the deviation.
fn along_filter(
    filter: usize,
    (responses, place): (&Planes, &Positions),
    targets: &[Target],
    gradient: &mut Planes,
) -> (f64, f32) {
    let classes = 0..place.classes();
    let targets: Vec<(Vec<Vec<f32>>, f32)> = targets
        .iter()
        .map(|(responses, place, share)| {
            let values = classes.clone();
            let values = values.map(|class| place.gathered(class, responses, filter));
            (values.collect(), *share)
        })
        .collect();
    // Of exemplars with anything that counts: masks may show nothing at a small size.
    let (mut s, mut shares) = (0.0, 0.0);
    for (values, share) in &targets {
        if values.iter().any(|values| !values.is_empty()) {
            s += share * deviation(values.iter().map(|values| &values[..]));
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
        let mut values = place.gathered(class, responses, filter);
        if values.is_empty() || target.is_empty() {
            continue;
        }
        let mut transported = vec![0.0; values.len()];
        transport(&target, &values, &mut transported);
        count += values.len();
        sum += differences(&mut values, &transported, s);
        place.scatter((class, &values), gradient, filter);
    }
    (sum / count.max(1) as f64, s)
}

/// Makes of each value the gradient of its distance from where it is transported to, in deviations
/// `s`; the sum of the distances.
fn differences(values: &mut [f32], transported: &[f32], s: f32) -> f64 {
    let soft = SOFT * s;
    let mut sum = 0.0;
    for (values, transported) in values.chunks_mut(256).zip(transported.chunks(256)) {
        let mut of_chunk = 0.0;
        for (value, target) in values.iter_mut().zip(transported) {
            let difference = *value - target;
            of_chunk += difference.abs();
            *value = difference / ((difference.abs() + soft) * s);
        }
        sum += f64::from(of_chunk / s);
    }
    sum
}

/// The standard deviation of values in several lists.
pub(super) fn deviation<'a>(lists: impl IntoIterator<Item = &'a [f32]>) -> f32 {
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
