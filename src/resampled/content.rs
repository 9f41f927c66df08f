//! The content term of a painting: contours at the places where the content has them.

use super::Resampled;
use super::distance::standard_deviation;
use super::draw::{self, BANK};
use super::planes::Planes;
use super::positions::{Mask, Positions};
use super::structure::luminance;
use crate::imaging::{Raster, luma_weights};
use crate::random::{self, Purpose};

/// A content picture. Its term compares responses of luminance position by position.
pub(crate) struct Content {
    luminance: Planes,
    /// The luminance of each exemplar of the style.
    style_luminance: Vec<Planes>,
    /// Where the content counts. None: everywhere.
    mask: Option<Mask>,
}

impl Content {
    /// The content term for a picture as large as the canvas. The content counts where `mask` is white.
    pub(crate) fn of(picture: &Planes, mask: Option<&Raster>, style: &Resampled) -> Self {
        let exemplars = style.exemplars();
        Self {
            luminance: luminance(picture),
            style_luminance: exemplars
                .map(|exemplar| luminance(&exemplar.image))
                .collect(),
            mask: mask.map(Mask::new),
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
    /// `R_f` and `Q_f` are the responses of filter `f` to the luminance of the image and of the content.
    /// `m_f, s_f` and `n_f, t_f` are mean and standard deviation of the style's responses and of the
    /// content's. `K` is the number of filters and `M` the number of positions. So contours get the
    /// contrast that they have in the style, and flat places of the content have no weight. The gradient
    /// is that of `K M C`.
    pub(super) fn distance(&self, style: &Resampled, image: &Planes, step: u32) -> (f64, Planes) {
        let mut generator = random::stream(style.seed, Purpose::Contours, step);
        let bank = draw::bank(1, style.filter_side(image), &mut generator);
        let reach = bank.reach();
        let responses_to = |luminance: &Planes| match style.wraps {
            true => bank.responses(&luminance.repeated(reach)),
            false => bank.responses(luminance),
        };
        let responses = responses_to(&luminance(image));
        let content_responses = responses_to(&self.luminance);
        let positions = Positions::within(self.mask.as_ref(), &responses, reach);
        let regions = style.regions.len() as f32;
        let styles: Vec<(Planes, Positions, f32)> = style
            .exemplars()
            .zip(&self.style_luminance)
            .map(|(exemplar, luminance)| {
                let responses = bank.responses(luminance);
                let positions = Positions::within(exemplar.mask.as_ref(), &responses, reach);
                (responses, positions, exemplar.share / regions)
            })
            .collect();
        let mut value = 0.0;
        let mut gradient = Planes::new(BANK, responses.height, responses.width);
        for filter in 0..BANK {
            let moments = styles.iter().map(|(responses, positions, share)| {
                let values = positions.gather(0, responses, filter);
                (
                    share * mean(&values),
                    share * standard_deviation([&values[..]]),
                )
            });
            let (m, s) = moments.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1));
            let content = positions.gather(0, &content_responses, filter);
            let (n, t) = (mean(&content), standard_deviation([&content[..]]));
            let z: Vec<f32> = content.iter().map(|content| (content - n) / t).collect();
            let mut values = positions.gather(0, &responses, filter);
            let sum = contour_gradient(&mut values, &z, (m, s));
            value += sum / (values.len().max(1) * BANK) as f64;
            positions.scatter((0, &values), &mut gradient, filter);
        }
        let luminance_gradient = bank.input_gradient(&gradient);
        let luminance_gradient = match style.wraps {
            true => luminance_gradient.folded(image.height, image.width),
            false => luminance_gradient,
        };
        (value, channel_gradient(&luminance_gradient, image.channels))
    }
}

/// Replaces each response by the gradient of its distance and returns the sum of the distances.
fn contour_gradient(responses: &mut [f32], z: &[f32], (mean, deviation): (f32, f32)) -> f64 {
    let mut sum = 0.0;
    for (response, z) in responses.iter_mut().zip(z) {
        let weight = z * z / (z * z + 1.0);
        let difference = (*response - mean) / deviation - z;
        sum += f64::from(weight * (difference.abs() - difference.abs().ln_1p()));
        *response = weight * difference / ((difference.abs() + 1.0) * deviation);
    }
    sum
}

/// The gradient at the channels of a picture from the gradient at its luminance.
fn channel_gradient(luminance_gradient: &Planes, channels: usize) -> Planes {
    let (height, width) = (luminance_gradient.height, luminance_gradient.width);
    let mut gradient = Planes::new(channels, height, width);
    for (channel, weight) in luma_weights(channels).into_iter().enumerate() {
        for y in 0..height {
            let values = luminance_gradient.row(0, y).iter();
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
        let value = contour_gradient(&mut responses, &z, (0.2, 0.7));
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
