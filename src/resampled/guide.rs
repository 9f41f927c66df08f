//! Guides: which positions of two pictures are compared with each other. In a painting these are positions
//! of like luminance and orientation, in a texture that repeats itself those of like phase.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution, StandardNormal};

use super::planes::Planes;
use super::positions::{Mask, listed};
use crate::imaging::luma_weights;

/// Classes into which positions are split at each bank of filters.
const CLASSES: usize = 6;

/// How far a border between classes lies from its regular place, at most, in shares of a class.
const PHASE: f32 = 0.4;

/// Standard deviations of the Gaussian that smooths the luminance and the structure tensor, in pixels.
const SMOOTHING: f32 = 3.0;

/// Weight of an orientation beside a standard deviation of the luminance.
const ORIENTATION: f32 = 2.0;

/// Added to the energy of the gradient by which orientations are divided, in units of its mean, so that
/// they count less where a picture is flat: there they are noise.
const FLAT: f32 = 0.3;

/// Weight of the canvas's orientations beside the content's. Where the content is flat, strokes follow
/// the strokes that were found at the size before.
const CANVAS: f32 = 2.0;

/// Standard deviation of the noise that is added to the luminance, in units of the luminance's own. Where
/// the content is flat, ranks of its values follow steps of 8 bits and blocks of JPEG; with noise they do
/// not.
const NOISE: f32 = 0.6;

/// A few numbers at each pixel of a picture. Of a painting
///
/// ```text
/// g = (Y, o cos 2t, o sin 2t)
/// ```
///
/// with `Y` the smoothed luminance, standardised, `t` the direction of the gradient by the smoothed
/// structure tensor, and `o` its coherence. (The tensor: Bigün and Granlund, "Optimal Orientation
/// Detection of Linear Symmetry", ICCV 1987. Luminance and orientation as guides of a painting:
/// Hertzmann et al., "Image Analogies", SIGGRAPH 2001.) Of a texture that repeats itself the cosines and
/// sines of its phases.
pub(crate) struct Guide {
    planes: Planes,
    /// Deviation of the noise on the first number.
    noise: f32,
}

impl Guide {
    pub(crate) fn of(picture: &Planes) -> Self {
        Self::from(picture, &tensor(picture))
    }

    /// The guide of a picture that is painted on a canvas of the same size, where contours of the
    /// canvas count beside the picture's.
    pub(crate) fn with_contours(picture: &Planes, canvas: &Planes) -> Self {
        let mut all = tensor(picture);
        let mut of_canvas = tensor(canvas);
        of_canvas.scale(CANVAS);
        all.add(&of_canvas);
        Self::from(picture, &all)
    }

    fn from(picture: &Planes, tensor: &Planes) -> Self {
        let light = standardised(&smoothed(&luminance(picture)));
        let floor = FLAT * moments(tensor, 2).0;
        let mut planes = Planes::new(3, picture.height, picture.width);
        for y in 0..picture.height {
            planes.row_mut(0, y).copy_from_slice(light.row(0, y));
            for part in 0..2 {
                let energies = tensor.row(part, y).iter().zip(tensor.row(2, y));
                for (value, (part, all)) in planes.row_mut(1 + part, y).iter_mut().zip(energies) {
                    *value = ORIENTATION * part / (all + floor).max(f32::MIN_POSITIVE);
                }
            }
        }
        Self {
            planes,
            noise: NOISE,
        }
    }

    /// The phases of a [`Lattice`].
    pub(super) fn of_phases(planes: Planes) -> Self {
        Self { planes, noise: 0.0 }
    }

    pub(super) fn channels(&self) -> usize {
        self.planes.channels
    }
}

/// A split of positions into classes of equal shares, by rank along a random direction of the guide.
///
/// Every bank of filters has another one. A share of a class is the same in the style and in the
/// painting, so that all that the style has is used, wherever its light and its strokes fit best.
pub(super) struct Split {
    direction: Vec<f32>,
    /// Shares below the borders of classes.
    shares: Vec<f32>,
}

impl Split {
    /// A split by guides of so many numbers.
    pub(super) fn draw(channels: usize, generator: &mut impl Rng) -> Self {
        let direction = (0..channels).map(|_| StandardNormal.sample(generator));
        let direction = direction.collect();
        let phase = PHASE * (2.0 * generator.random::<f32>() - 1.0);
        let share = |border: usize| (border as f32 + phase) / CLASSES as f32;
        Self {
            direction,
            shares: (1..CLASSES).map(share).collect(),
        }
    }

    /// Classes of the positions of responses whose patches have their middle in `mask`.
    pub(super) fn classes(
        &self,
        guide: &Guide,
        (mask, responses, reach): (Option<&Mask>, &Planes, usize),
        generator: &mut impl Rng,
    ) -> Vec<Vec<u32>> {
        let places = listed(responses, mask, reach);
        let planes = &guide.planes;
        // Uniform, of that deviation.
        let noise = self.direction[0] * guide.noise * 12f32.sqrt();
        let score = |place: &u32| {
            let (y, x) = responses.at(*place as usize);
            let (y, x) = (
                (y + reach / 2) % planes.height,
                (x + reach / 2) % planes.width,
            );
            let along = self.direction.iter().enumerate();
            let along = along.map(|(channel, weight)| weight * planes.row(channel, y)[x]);
            along.sum::<f32>() + noise * (generator.random::<f32>() - 0.5)
        };
        let scores: Vec<f32> = places.iter().map(score).collect();
        let borders = self.borders(&scores);
        let mut classes = vec![Vec::new(); CLASSES];
        for (place, score) in places.iter().zip(&scores) {
            let class = borders.iter().filter(|border| score > *border).count();
            classes[class].push(*place);
        }
        classes
    }

    /// The values of the scores at the shares.
    fn borders(&self, scores: &[f32]) -> Vec<f32> {
        /// As many as place a border within a hundredth.
        const SAMPLES: usize = 4096;
        let every = (scores.len() / SAMPLES).max(1);
        let mut sample: Vec<f32> = scores.iter().step_by(every).copied().collect();
        sample.sort_by(f32::total_cmp);
        let value = |share: &f32| {
            let rank = (share * sample.len() as f32) as usize;
            sample
                .get(rank.min(sample.len().saturating_sub(1)))
                .copied()
        };
        self.shares.iter().filter_map(value).collect()
    }
}

/// The luminance of a picture with three channels, of others the mean of their channels.
pub(super) fn luminance(picture: &Planes) -> Planes {
    let mut light = Planes::new(1, picture.height, picture.width);
    for (channel, weight) in luma_weights(picture.channels).into_iter().enumerate() {
        for y in 0..picture.height {
            let values = picture.row(channel, y).iter();
            for (light, value) in light.row_mut(0, y).iter_mut().zip(values) {
                *light += weight * value;
            }
        }
    }
    light
}

/// The smoothed structure tensor of the luminance `I`: `Ix^2 - Iy^2`, `2 Ix Iy` and `Ix^2 + Iy^2`, in
/// units of the mean of the last.
fn tensor(picture: &Planes) -> Planes {
    let light = luminance(picture);
    let (height, width) = (light.height, light.width);
    let mut tensor = Planes::new(3, height, width);
    for y in 0..height {
        let (above, below) = (
            light.row(0, y.saturating_sub(1)),
            light.row(0, (y + 1).min(height - 1)),
        );
        let row = light.row(0, y);
        for x in 0..width {
            let across = row[(x + 1).min(width - 1)] - row[x.saturating_sub(1)];
            let down = below[x] - above[x];
            tensor.row_mut(0, y)[x] = across * across - down * down;
            tensor.row_mut(1, y)[x] = 2.0 * across * down;
            tensor.row_mut(2, y)[x] = across * across + down * down;
        }
    }
    let mut tensor = smoothed(&tensor);
    tensor.scale(1.0 / moments(&tensor, 2).0.max(1e-12));
    tensor
}

/// Mean and standard deviation of a channel.
fn moments(planes: &Planes, channel: usize) -> (f32, f32) {
    let (mut sum, mut squares) = (0.0, 0.0);
    for y in 0..planes.height {
        for value in planes.row(channel, y) {
            sum += f64::from(*value);
            squares += f64::from(*value) * f64::from(*value);
        }
    }
    let count = (planes.height * planes.width).max(1) as f64;
    let mean = sum / count;
    let variance = (squares / count - mean * mean).max(0.0);
    (mean as f32, variance.sqrt() as f32)
}

fn standardised(plane: &Planes) -> Planes {
    let (mean, deviation) = moments(plane, 0);
    let mut standardised = plane.clone();
    for y in 0..plane.height {
        for value in standardised.row_mut(0, y) {
            *value = (*value - mean) / deviation.max(1e-6);
        }
    }
    standardised
}

/// Filtered by a Gaussian, the nearest pixels repeated beyond the border.
fn smoothed(planes: &Planes) -> Planes {
    let reach = (3.0 * SMOOTHING).ceil() as isize;
    let weight = |offset: isize| (-(offset * offset) as f32 / (2.0 * SMOOTHING * SMOOTHING)).exp();
    let sum: f32 = (-reach..=reach).map(weight).sum();
    let weights: Vec<(isize, f32)> = (-reach..=reach)
        .map(|offset| (offset, weight(offset) / sum))
        .collect();
    let inside = |place: usize, offset: isize, length: usize| {
        (place as isize + offset).clamp(0, length as isize - 1) as usize
    };
    let mut across = Planes::new(planes.channels, planes.height, planes.width);
    let mut both = across.clone();
    for channel in 0..planes.channels {
        for y in 0..planes.height {
            let row = planes.row(channel, y);
            for (x, value) in across.row_mut(channel, y).iter_mut().enumerate() {
                let taps = weights.iter();
                *value = taps
                    .map(|(offset, weight)| weight * row[inside(x, *offset, row.len())])
                    .sum();
            }
        }
        for y in 0..planes.height {
            for (offset, weight) in &weights {
                let row = across.row(channel, inside(y, *offset, planes.height));
                for (sum, value) in both.row_mut(channel, y).iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::{assert_near, golden};
    use crate::random::{Purpose, stream};
    use crate::resampled::coloured;

    fn planes(guide: &Guide) -> Vec<f32> {
        let planes = &guide.planes;
        let rows = (0..3).flat_map(|part| (0..planes.height).map(move |y| planes.row(part, y)));
        rows.flatten().copied().collect()
    }

    #[test]
    fn guides_are_those_of_another_program() {
        let (picture, canvas) = (coloured(24, 31, 0.3, 0.2), coloured(24, 31, -0.4, 0.5));
        let alone = Guide::of(&picture);
        assert_near("guide", 1e-4, &planes(&alone), &golden("guide", "of"));
        let both = Guide::with_contours(&picture, &canvas);
        assert_near(
            "with contours",
            1e-4,
            &planes(&both),
            &golden("guide", "with_contours"),
        );
    }

    #[test]
    fn classes_have_equal_shares_of_all_positions() {
        let guide = Guide::of(&coloured(60, 70, 0.3, 0.2));
        let responses = Planes::new(8, 54, 64);
        for index in 0..20 {
            let mut generator = stream(3, Purpose::Resampled, index);
            let split = Split::draw(3, &mut generator);
            let classes = split.classes(&guide, (None, &responses, 6), &mut generator);
            let mut places: Vec<u32> = classes.iter().flatten().copied().collect();
            places.sort_unstable();
            assert_eq!(places, listed(&responses, None, 6));
            // A sixth each; the outer two are larger or smaller by the phase.
            let share = |class: usize| classes[class].len() as f32 / places.len() as f32 * 6.0;
            (1..5).for_each(|class| assert!((share(class) - 1.0).abs() < 0.02));
            assert!((share(0) + share(5) - 2.0).abs() < 0.02);
            assert!((share(0) - 1.0).abs() < PHASE + 0.02);
        }
    }

    #[test]
    fn classes_go_by_luminance_and_orientation() {
        // Black above, white below; stripes across on the left, down on the right.
        let mut picture = Planes::new(1, 96, 96);
        for y in 0..96 {
            for (x, value) in picture.row_mut(0, y).iter_mut().enumerate() {
                let along = if x < 48 { y } else { x } as f32;
                *value = 0.1 * (0.8 * along).sin() + if y < 48 { 0.2 } else { 0.8 };
            }
        }
        let guide = Guide::of(&picture);
        let responses = Planes::new(1, 90, 90);
        for (direction, by_row) in [(vec![1.0, 0.0, 0.0], true), (vec![0.0, 1.0, 0.0], false)] {
            let split = Split {
                direction,
                shares: vec![0.5],
            };
            let mut generator = stream(3, Purpose::Resampled, 0);
            let classes = split.classes(&guide, (None, &responses, 6), &mut generator);
            let in_half = |place: &&u32| {
                let (y, x) = responses.at(**place as usize);
                let along = if by_row { y } else { x };
                along < 45
            };
            let share =
                |class: &Vec<u32>| class.iter().filter(in_half).count() as f64 / class.len() as f64;
            let (low, high) = (share(&classes[0]), share(&classes[1]));
            println!("{low:.2} {high:.2}");
            // Dark first; of a gradient downwards, cos 2t is -1.
            assert!(low > 0.85 && high < 0.15, "{low} {high}");
        }
    }
}
