//! Contours of a picture that is painted.

use super::Resampled;
use super::distance::deviation;
use super::draw::{self, BANK};
use super::guide::luminance;
use super::planes::Planes;
use super::positions::{Mask, Positions};
use crate::imaging::{Raster, luma_weights};
use crate::random::{self, Purpose};

/// A picture whose luminance responds as it is to, position by position.
pub(crate) struct Content {
    light: Planes,
    /// The luminance of each exemplar of the style.
    of_style: Vec<Planes>,
    /// Where it counts.
    mask: Option<Mask>,
}

impl Content {
    /// Of a picture as large as the canvas; `mask` shows white where it counts.
    pub(crate) fn of(picture: &Planes, mask: Option<&Raster>, style: &Resampled) -> Self {
        Self {
            light: luminance(picture),
            of_style: style.parts().map(|part| luminance(&part.image)).collect(),
            mask: mask.map(Mask::of),
        }
    }

    /// The distance of an image's contours from the content's along the filters of step number
    /// `step`, and its gradient:
    ///
    /// ```text
    /// C = 1/K sum over f of 1/M sum over p of w(z) h((R_f(p) - m_f) / s_f - z),   z = (Q_f(p) - n_f) / t_f
    /// w(z) = z^2 / (z^2 + 1),   h(d) = |d| - ln(1 + |d|)
    /// ```
    ///
    /// with `R_f` and `Q_f` the responses of a filter to the luminance of the image and of the content,
    /// `m_f, s_f` and `n_f, t_f` mean and standard deviation of the style's responses and the
    /// content's. Contours get the contrast that they have in the style, and where the content is flat
    /// nothing is asked. The gradient is that of `K M C`.
    pub(super) fn distance(&self, style: &Resampled, image: &Planes, step: u32) -> (f64, Planes) {
        let mut generator = random::stream(style.seed, Purpose::Contours, step);
        let bank = draw::bank(1, style.side(image), &mut generator);
        let reach = bank.reach();
        let responses_to = |light: &Planes| match style.wraps {
            true => bank.responses(&light.repeated(reach)),
            false => bank.responses(light),
        };
        let responses = responses_to(&luminance(image));
        let wanted = responses_to(&self.light);
        let place = Positions::within(self.mask.as_ref(), &responses, reach);
        let groups = style.groups.len() as f32;
        let styles: Vec<(Planes, Positions, f32)> = style
            .parts()
            .zip(&self.of_style)
            .map(|(part, light)| {
                let responses = bank.responses(light);
                let place = Positions::within(part.mask.as_ref(), &responses, reach);
                (responses, place, part.share / groups)
            })
            .collect();
        let mut value = 0.0;
        let mut gradient = Planes::new(BANK, responses.height, responses.width);
        for filter in 0..BANK {
            let of_style = styles.iter().map(|(responses, place, share)| {
                let values = place.gathered(0, responses, filter);
                (share * mean(&values), share * deviation([&values[..]]))
            });
            let (m, s) = of_style.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            let content = place.gathered(0, &wanted, filter);
            let (n, t) = (mean(&content), deviation([&content[..]]));
            let z: Vec<f32> = content.iter().map(|content| (content - n) / t).collect();
            let mut values = place.gathered(0, &responses, filter);
            let sum = contours(&mut values, &z, (m, s));
            value += sum / (values.len().max(1) * BANK) as f64;
            place.scatter((0, &values), &mut gradient, filter);
        }
        let of_light = bank.input_gradient(&gradient);
        let of_light = match style.wraps {
            true => of_light.folded(image.height, image.width),
            false => of_light,
        };
        (value, in_channels(&of_light, image.channels))
    }
}

/// Makes of each response the gradient of its distance; the sum of the distances.
fn contours(responses: &mut [f32], z: &[f32], (mean, deviation): (f32, f32)) -> f64 {
    let mut sum = 0.0;
    for (response, z) in responses.iter_mut().zip(z) {
        let weight = z * z / (z * z + 1.0);
        let difference = (*response - mean) / deviation - z;
        sum += f64::from(weight * (difference.abs() - difference.abs().ln_1p()));
        *response = weight * difference / ((difference.abs() + 1.0) * deviation);
    }
    sum
}

/// The gradient at a picture from that at its luminance.
fn in_channels(of_light: &Planes, channels: usize) -> Planes {
    let mut gradient = Planes::new(channels, of_light.height, of_light.width);
    for (channel, weight) in luma_weights(channels).into_iter().enumerate() {
        for y in 0..of_light.height {
            let values = of_light.row(0, y).iter();
            for (gradient, value) in gradient.row_mut(channel, y).iter_mut().zip(values) {
                *gradient = weight * value;
            }
        }
    }
    gradient
}

fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    (sum / values.len().max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::{assert_near, golden};

    #[test]
    fn distance_and_gradient_are_those_of_another_program() {
        let mut responses: Vec<f32> = (0..40).map(|i| (0.9 * i as f32).sin()).collect();
        let z: Vec<f32> = (0..40).map(|i| 2.0 * (0.31 * i as f32).cos()).collect();
        let value = contours(&mut responses, &z, (0.2, 0.7));
        assert_near(
            "distance",
            1e-5,
            &[value as f32],
            &golden("contours", "value"),
        );
        assert_near(
            "gradient",
            1e-5,
            &responses,
            &golden("contours", "gradient"),
        );
    }
}
