//! Watching a run, and stopping it.

use std::time::Duration;

use burn::tensor::Tensor;
use image::DynamicImage;

use crate::error::Result;
use crate::imaging::{Depth, Raster, Size, encoded, to_image8};
use crate::optim::{Lbfgs, Stepper};

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// It goes on.
    #[default]
    Continue,
    /// It ends; the image so far is kept.
    Stop,
}

/// A term of the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term<'a> {
    /// Its name, for example `style conv1_1`.
    pub name: &'a str,
    /// Its weighted value.
    pub value: f64,
}

/// The state of a run after an evaluation.
#[non_exhaustive]
pub struct Progress<'a> {
    /// The scale, from 0.
    pub scale: usize,
    /// How many scales there are.
    pub scales: usize,
    /// The image's size at this scale.
    pub size: Size,
    /// Evaluations made, over all scales.
    pub evaluation: usize,
    /// Evaluations allowed.
    pub evaluations: usize,
    /// Time since the run began.
    pub elapsed: Duration,
    /// The loss by term, at the best point of this scale so far.
    pub terms: &'a [Term<'a>],
    pub(super) point: Point<'a>,
    pub(super) channels: usize,
}

/// Where the image is.
pub(super) enum Point<'a> {
    /// The best point of an optimiser, on its device.
    Best(&'a Lbfgs),
    /// The last one, `[H, W, C]`, with a margin on every side.
    Last {
        stepper: &'a dyn Stepper,
        margin: usize,
    },
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("scale", &self.scale)
            .field("scales", &self.scales)
            .field("size", &self.size)
            .field("evaluation", &self.evaluation)
            .field("evaluations", &self.evaluations)
            .field("elapsed", &self.elapsed)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl Progress<'_> {
    /// The loss at the best point of this scale so far.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.terms.iter().map(|term| term.value).sum()
    }

    /// The best image of this scale so far, at this scale's size. Of a stack of maps it shows the first
    /// three channels. The image is read from the device.
    ///
    /// # Errors
    ///
    /// Those of [`to_image8`].
    pub fn image(&self) -> Result<DynamicImage> {
        let shown = self.channels.min(3);
        match self.point {
            Point::Best(lbfgs) => {
                let shape = [1, self.channels, self.size.height, self.size.width];
                let image: Tensor<4> = lbfgs.point().reshape(shape);
                to_image8(image.narrow(1, 0, shown))
            }
            Point::Last { stepper, margin } => {
                let size = self.size.with_margin(margin);
                let values = stepper.point()?.into_owned();
                let image = Raster::new(size, self.channels, values);
                let image = image.without_margin(margin).narrow(0, shown);
                Ok(encoded(&image, Depth::Eight))
            }
        }
    }
}

/// A scale that is about to begin.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Preparation {
    /// The scale, from 0.
    pub scale: usize,
    /// How many scales there are.
    pub scales: usize,
    /// The image's size at this scale.
    pub size: Size,
    /// What the run does to keep within [`RunOptions::memory`](crate::RunOptions::memory).
    pub saving: Saving,
    /// What the whole run should take. Told once, before the first evaluation, by runs with resampled filters that take
    /// more than a few seconds.
    pub forecast: Option<Forecast>,
}

/// What a run should take.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// The time of all evaluations at the pace of a few that were made first.
    pub time: Duration,
    /// Bytes of host memory at the peak, those of the process before it among them.
    pub memory: u64,
}

/// What a run does to keep within a bound of memory. All of it changes the result a little, but not what the result is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saving {
    /// The side in pixels of the blocks in which features are evaluated.
    pub block_side: Option<usize>,
    /// Pairs of vectors in the history of L-BFGS, if they are fewer than asked for.
    pub pairs: Option<usize>,
    /// Whether responses of filters are computed again in each pass, or fewer are kept.
    pub responses_again: bool,
    /// Whether the means of Adam have 16 bits.
    pub compact_means: bool,
    /// The side in pixels of the windows in which a texture is made, one after the other.
    pub window_side: Option<usize>,
}

impl std::fmt::Display for Saving {
    /// The measures, separated by commas; empty if there are none.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let again = "responses computed again";
        let compact = "means of Adam in 16 bits";
        let measures = [
            self.block_side
                .map(|side| format!("blocks of {side} pixels")),
            self.pairs.map(|pairs| format!("{pairs} pairs of L-BFGS")),
            self.responses_again.then(|| again.to_owned()),
            self.compact_means.then(|| compact.to_owned()),
            self.window_side
                .map(|side| format!("windows of {side} pixels")),
        ];
        let measures: Vec<String> = measures.into_iter().flatten().collect();
        f.write_str(&measures.join(", "))
    }
}

/// Watches a run and may stop it.
///
/// Closures from [`Progress`] to [`Control`] are observers. So is `()`, which watches nothing: pass
/// `&mut ()` where no observer is wanted.
///
/// ```
/// use ranvgg::{Control, Observer, Progress};
///
/// fn takes(_: &mut dyn Observer) {}
///
/// takes(&mut ());
/// takes(&mut |progress: &Progress<'_>| match progress.loss() < 0.01 {
///     true => Control::Stop,
///     false => Control::Continue,
/// });
/// ```
pub trait Observer {
    /// Called before a scale begins. Until its first evaluation, targets and weights are measured.
    /// A GPU also compiles kernels for sizes that it has not seen and tries out which are the
    /// fastest. This may take longer than the scale itself; see
    /// [`Outcome::preparing`](super::Outcome::preparing). The default does nothing.
    fn prepare(&mut self, _preparation: &Preparation) {}

    /// Called after each evaluation.
    fn observe(&mut self, progress: &Progress<'_>) -> Control;
}

impl<F: FnMut(&Progress<'_>) -> Control> Observer for F {
    fn observe(&mut self, progress: &Progress<'_>) -> Control {
        self(progress)
    }
}

impl Observer for () {
    fn observe(&mut self, _: &Progress<'_>) -> Control {
        Control::Continue
    }
}

/// Asserts that each evaluation of a run reads once at sizes that a GPU computes by resampled filters, but for the first of
/// a size and one in 25 after which the picture is read; and that evaluations on the host read nothing.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn reads_once_an_evaluation(run: impl FnOnce(&mut dyn Observer) -> super::Outcome) {
    use super::stochastic::MARGIN;
    use crate::resampled::FEWEST_PIXELS;
    let (mut on_host, mut on_device) = (Vec::new(), Vec::new());
    let mut before = None;
    let outcome = run(&mut |progress: &Progress<'_>| {
        let now = crate::backend::reads();
        let found = match progress.size.with_margin(MARGIN).pixels() {
            FEWEST_PIXELS.. => &mut on_device,
            _ => &mut on_host,
        };
        // What prepares a size is read before its first evaluation.
        if before.is_some_and(|(size, _)| size == progress.size) {
            found.extend(before.map(|(_, before)| now - before));
        }
        before = Some((progress.size, now));
        Control::Continue
    });
    println!("on a device {on_device:?}, on the host {on_host:?}");
    assert!(outcome.evaluations() > on_host.len() + on_device.len());
    assert!(on_host.iter().all(|reads| *reads == 0));
    assert!(on_device.len() >= 28);
    let twice = on_device.iter().filter(|reads| **reads == 2).count();
    let once = on_device.iter().filter(|reads| **reads == 1).count();
    assert_eq!(once + twice, on_device.len());
    assert_eq!(twice, (on_device.len() + 1) / 25);
}
