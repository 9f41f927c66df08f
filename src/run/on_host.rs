//! Steps of Adam on the host.

use std::borrow::Cow;

use super::stochastic::Estimate;
use crate::error::{Error, Result, all_finite};
use crate::optim::{Adam, Stepper};
use crate::resampled::{Canvas, Optimised};

/// The optimiser with the objective, on the device that computes it, or else on the host.
pub(super) fn stepper<'e>(
    adam: Adam,
    estimate: &'e dyn Estimate,
    picture: Optimised<'e>,
) -> Box<dyn Stepper + 'e> {
    let failure = match estimate.on_device(&adam, picture) {
        Ok(Some(stepper)) => return stepper,
        Ok(None) => None,
        Err(error) => Some(error),
    };
    Box::new(OnHost {
        adam,
        estimate,
        picture,
        gradient: Vec::new(),
        failure,
    })
}

/// Adam in host memory with an estimate of its objective.
struct OnHost<'e> {
    adam: Adam,
    estimate: &'e dyn Estimate,
    picture: Optimised<'e>,
    /// The gradient of the last step.
    gradient: Vec<f32>,
    /// Why the device that was to compute does not. The first step tells, so that the picture is kept.
    failure: Option<Error>,
}

impl Stepper for OnHost<'_> {
    fn step(&mut self, step: u32, rate: f64) -> Result<Vec<f64>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let Optimised {
            size,
            whole,
            channels,
            wraps,
            free,
        } = self.picture;
        let image = Canvas::new(whole, channels, self.adam.ask(), wraps);
        self.gradient.clear();
        self.gradient.resize(self.adam.ask().len(), 0.0);
        let values = self.estimate.estimate(image, step, &mut self.gradient);
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::NotFinite {
                what: format!("the objective at size {size}"),
                value: *value as f32,
            });
        }
        all_finite(format!("the gradient at size {size}"), &self.gradient)?;
        if let Some(free) = free {
            let pixels = self.gradient.chunks_exact_mut(channels);
            pixels
                .zip(free.values())
                .for_each(|(pixel, free)| pixel.iter_mut().for_each(|g| *g *= free));
        }
        self.adam.tell(&self.gradient, rate)?;
        Ok(values)
    }

    fn point(&self) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Borrowed(self.adam.ask()))
    }

    fn adam(&self) -> Result<Cow<'_, Adam>> {
        Ok(Cow::Borrowed(&self.adam))
    }

    fn into_point(self: Box<Self>) -> Vec<f32> {
        self.adam.into_point()
    }
}
