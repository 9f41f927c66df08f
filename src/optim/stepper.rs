//! An optimiser together with what it minimises.

use std::borrow::Cow;

use super::Adam;
use crate::error::Result;

/// Steps of Adam with an estimate of an objective, wherever both are computed.
pub(crate) trait Stepper: Send + Sync {
    /// Step number `step`, of about `rate` in each variable. Returns the terms before it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`](crate::Error::NotFinite) for an objective or a gradient that is not finite,
    /// [`Error::Device`](crate::Error::Device) if a device fails. The point stays where it was.
    fn step(&mut self, step: u32, rate: f64) -> Result<Vec<f64>>;

    /// Where the optimiser is.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if it is on a device that fails.
    fn point(&self) -> Result<Cow<'_, [f32]>>;

    /// The state of the optimiser.
    ///
    /// # Errors
    ///
    /// As [`point`](Self::point).
    fn adam(&self) -> Result<Cow<'_, Adam>>;

    /// The last point; of a device that fails the last one that was read.
    fn into_point(self: Box<Self>) -> Vec<f32>;
}
