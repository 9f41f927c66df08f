//! The pull of nearest patches: a second target of each response.

use rayon::prelude::*;

use super::Resampled;
use super::canvas::Canvas;
use super::comparison::SOFT;
use super::filters::FilterBank;
use super::planes::Planes;

/// Nearest patches that pull.
pub(super) struct Pull {
    pub(super) weight: f32,
    /// For each position of the canvas the position of its nearest patch, row by row.
    pub(super) matches: std::sync::Arc<Vec<u32>>,
    /// The exemplar's responses to each bank.
    responses: Vec<Planes>,
}

impl Resampled {
    /// The pull on an image, if nearest patches pull in this step.
    pub(super) fn pull(
        &self,
        image: Canvas<'_>,
        side: usize,
        banks: &[FilterBank],
    ) -> Option<Pull> {
        let (nearest, exemplar) = self.nearest.as_ref().zip(self.exemplars().next())?;
        let exemplar = Canvas::of(&exemplar.image, false).extended(0);
        let (weight, matches) = nearest.matches(|| image.extended(side - 1), &exemplar, side)?;
        let responses = banks.par_iter().map(|bank| bank.responses(&exemplar));
        Some(Pull {
            weight,
            matches,
            responses: responses.collect(),
        })
    }
}

impl Pull {
    /// Adds the gradient of the distance of each response in a row from the response of its match. Returns
    /// the sum of the distances from position `first` on, in standard deviations `s`.
    pub(super) fn row_gradient(
        &self,
        (bank, filter, s): (usize, usize, f32),
        (values, matches): (&[f32], impl Iterator<Item = usize>),
        first: usize,
        gradient: &mut [f32],
    ) -> f64 {
        let (weight, soft) = (self.weight, SOFT * s);
        let exemplar = &self.responses[bank];
        let mut sum = 0.0;
        let places = values.iter().zip(matches).zip(gradient).enumerate();
        for (x, ((value, position), gradient)) in places {
            let (row, column) = (position / exemplar.width, position % exemplar.width);
            let difference = value - exemplar.row(filter, row)[column];
            *gradient += weight * difference / ((difference.abs() + soft) * s);
            if x >= first {
                sum += difference.abs();
            }
        }
        f64::from(sum / s)
    }
}
