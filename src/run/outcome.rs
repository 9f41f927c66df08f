//! What a run leaves: the image, and how it went.

use std::sync::Arc;
use std::time::Duration;

use burn::tensor::{Device, Tensor};
use image::{DynamicImage, Rgb32FImage};

use super::{Counts, StopReason};
use crate::error::{Error, Result};
use crate::file::IfExists;
use crate::imaging::{Depth, Format, Picture, Raster, encoded, save};

/// The result of a task.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub(super) picture: Raster,
    pub(super) formats: Vec<Format>,
    pub(super) device: Device,
    pub(super) stop: StopReason,
    pub(super) failure: Option<Arc<Error>>,
    pub(super) checkpoint_failure: Option<Arc<Error>>,
    pub(super) counts: Counts,
    pub(super) elapsed: Duration,
    pub(super) names: Vec<String>,
    pub(super) records: Vec<Record>,
}

/// The loss after one evaluation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The scale, from 0. Losses of different scales do not compare.
    pub scale: usize,
    /// Evaluations made, over all scales.
    pub evaluation: usize,
    /// Time since the run began.
    pub elapsed: Duration,
    /// The weighted terms at the best point of the scale so far, named by
    /// [`Outcome::term_names`].
    pub terms: Vec<f64>,
}

impl Record {
    /// The sum of the terms.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.terms.iter().sum()
    }
}

/// All channels, as they were optimised: what the next task starts from.
impl From<&Outcome> for Picture {
    fn from(outcome: &Outcome) -> Self {
        outcome.tensor().into()
    }
}

impl Outcome {
    /// The image with 8 bits a channel, clipped to 0..=1. Of a stack of maps it is the first map.
    #[must_use]
    pub fn image(&self) -> DynamicImage {
        encoded(&self.first(), Depth::Eight)
    }

    /// The image with 16 bits a channel, clipped to 0..=1. Of a stack of maps it is the first map.
    #[must_use]
    pub fn image16(&self) -> DynamicImage {
        encoded(&self.first(), Depth::Sixteen)
    }

    /// The maps of a [stack](crate::Picture::maps), each with the channels and bits of the map given.
    /// Of anything else the image alone.
    #[must_use]
    pub fn maps(&self) -> Vec<DynamicImage> {
        let mut next = 0;
        self.formats
            .iter()
            .map(|format| {
                let map = self.picture.narrow(next, format.channels);
                next += format.channels;
                encoded(&map, format.depth)
            })
            .collect()
    }

    /// With another picture made of it.
    pub(crate) fn changed(mut self, change: impl FnOnce(&Raster) -> Raster) -> Self {
        self.picture = change(&self.picture);
        self
    }

    fn first(&self) -> Raster {
        let channels = self.formats.first().map_or(3, |format| format.channels);
        self.picture.narrow(0, channels)
    }

    /// The image as it was optimised, unclipped, on the host. A stack of maps shows its first three
    /// channels, or a grey if it has fewer.
    #[must_use]
    pub fn picture(&self) -> Rgb32FImage {
        self.picture.to_rgb()
    }

    /// All channels as they were optimised, unclipped, as a tensor `[1, C, H, W]` on the network's
    /// device.
    #[must_use]
    pub fn tensor(&self) -> Tensor<4> {
        self.picture.to_tensor(&self.device)
    }

    /// Writes [`image`](Self::image), whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`save`](crate::imaging::save).
    pub fn save(&self, path: impl AsRef<std::path::Path>, if_exists: IfExists) -> Result<()> {
        save(&self.image(), path, if_exists)
    }

    /// Why the run ended.
    #[must_use]
    pub fn stop_reason(&self) -> StopReason {
        self.stop
    }

    /// The error that ended the run after a picture was made. The image is then the last one that was
    /// read from the device, at most 25 evaluations old; by resampled filters it is that of the last
    /// step.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_deref()
    }

    /// Why the last [checkpoint](crate::RunOptions::checkpoint) could not be written, if it could not.
    /// The file, if there is one, is then of an earlier evaluation.
    #[must_use]
    pub fn checkpoint_failure(&self) -> Option<&Error> {
        self.checkpoint_failure.as_deref()
    }

    /// Evaluations made.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        self.counts.evaluations
    }

    /// Steps the optimiser accepted.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.counts.iterations
    }

    /// How often the optimiser cleared its history and went on along the gradient.
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.counts.restarts
    }

    /// How long the run took, with the time before it was resumed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How much of [`elapsed`](Self::elapsed) passed from the beginning of each scale to the end of
    /// its first evaluation, over all scales; a run that is resumed prepares its scale once more. Targets and weights are measured then. A GPU also
    /// compiles kernels and tries them out, unless an earlier run left them in the cache.
    #[must_use]
    pub fn preparing(&self) -> Duration {
        self.counts.preparing
    }

    /// The names of the loss's terms.
    #[must_use]
    pub fn term_names(&self) -> &[String] {
        &self.names
    }

    /// The loss by term after each evaluation.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}
