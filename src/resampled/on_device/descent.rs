//! Adam on a device, with an objective that is computed there.

use std::borrow::Cow;

use super::{FILTERS, Objective, Optimised};
use crate::backend::guarded;
use crate::engine::patches::Picture;
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size};
use crate::optim::{Adam, AdamOnDevice, Stepper};

/// Steps between two reads of the picture. A device that fails loses no more than these.
const READ_EVERY: usize = 25;

/// A descent in progress.
pub(super) struct Descent<'a> {
    objective: Objective<'a>,
    adam: AdamOnDevice,
    /// The size of the picture, as errors name it, and that of all values.
    size: Size,
    whole: Size,
    wraps: bool,
    steps_per_draw: u32,
    /// Filters that are compared at once.
    at_once: usize,
    /// The point that was read last, and the steps since.
    last: Vec<f32>,
    since: usize,
}

impl<'a> Descent<'a> {
    /// None: the device has no buffer for a picture of this size, or the optimiser's state has no form there.
    pub(super) fn new(
        objective: Objective<'a>,
        adam: &Adam,
        picture: Optimised<'_>,
        steps_per_draw: u32,
    ) -> Result<Option<Self>> {
        let Optimised {
            size,
            whole,
            channels,
            wraps,
            free,
        } = picture;
        let Some(at_once) = objective.filters_at_once(whole) else {
            return Ok(None);
        };
        let free = free.map(Raster::values);
        let device = &objective.device;
        let adam_on_device = guarded(|| Ok(AdamOnDevice::from_host(adam, channels, free, device)))?;
        Ok(adam_on_device.map(|on_device| Self {
            objective,
            adam: on_device,
            size,
            whole,
            wraps,
            steps_per_draw,
            at_once,
            last: adam.ask().to_vec(),
            since: 0,
        }))
    }
}

impl Stepper for Descent<'_> {
    fn step(&mut self, step: u32, rate: f64) -> Result<Vec<f64>> {
        let (size, draw) = (self.whole, step / self.steps_per_draw);
        let summary = guarded(|| {
            let picture = Picture::of(self.adam.point(), [size.height, size.width], self.wraps);
            let gradient = self
                .objective
                .gradients(&picture, size, (draw, self.at_once))?;
            self.adam.tell(gradient, rate)
        })?;
        if !summary.is_finite {
            return Err(Error::NotFinite {
                what: format!("the objective or its gradient at size {}", self.size),
                value: f32::NAN,
            });
        }
        self.since += 1;
        if self.since == READ_EVERY {
            self.last = guarded(|| self.adam.read_point())?;
            self.since = 0;
        }
        let [style, content] = summary.sums;
        let mut terms = vec![style / FILTERS as f64];
        if self.objective.is_painting {
            terms.push(content);
        }
        Ok(terms)
    }

    fn point(&self) -> Result<Cow<'_, [f32]>> {
        guarded(|| self.adam.read_point()).map(Cow::Owned)
    }

    fn adam(&self) -> Result<Cow<'_, Adam>> {
        guarded(|| self.adam.to_host()).map(Cow::Owned)
    }

    fn into_point(self: Box<Self>) -> Vec<f32> {
        match self.since {
            0 => self.last,
            _ => guarded(|| self.adam.read_point()).unwrap_or(self.last),
        }
    }
}
