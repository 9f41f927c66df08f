//! Runs of objectives that are another estimate at each step: Adam from coarse to fine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::checkpoint::Keeper;
use super::forecast::forecast;
use super::host_memory::HostMemory;
use super::saved::SavedRun;
use super::steps::Stochastic;
use super::time::{Clock, Cost, TimePlan};
use super::windows::Grid;
use super::{
    Counts, Identity, KeptPixels, Observer, Outcome, RunOptions, StopReason, is_of_checkpoint,
};
use crate::error::Result;
use crate::imaging::{Format, Raster, Size};
use crate::optim::{Adam, Stepper};
use crate::resampled::{Canvas, Optimised};

/// Width of the margin that is made around the picture and cut off at the end. Fewer patches cover a
/// pixel at the border than inside; the outermost belongs to one patch and stays noise.
pub(super) const MARGIN: usize = 5;

/// How many steps take as long as preparing a size.
const PREPARING: f64 = 1.0;

/// One size of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    pub(crate) size: Size,
    /// This size as a factor of the last one.
    pub(crate) factor: f64,
    pub(crate) steps: usize,
}

/// What a run by Adam goes through.
pub(crate) struct StochasticPlan {
    /// When the task began.
    pub(crate) begun: Instant,
    /// Coarse to fine.
    pub(crate) levels: Vec<Level>,
    /// What it starts from.
    pub(crate) start: Raster,
    /// The files that could hold the result.
    pub(crate) formats: Vec<Format>,
    /// Pixels that stay as they are, of the last size.
    pub(crate) kept: Option<KeptPixels>,
    /// Whether the picture repeats without end. If not, the objective sees it with `MARGIN` pixels on
    /// every side.
    pub(crate) wraps: bool,
    /// The standard deviation of colours.
    pub(crate) deviation: f64,
    /// What the objective's terms are called.
    pub(crate) terms: Vec<&'static str>,
    /// What the run is given beside what it starts from and keeps, if it is saved or resumed.
    pub(crate) identity: Option<Identity>,
    /// What the run does for its memory.
    pub(crate) memory: HostMemory,
}

impl StochasticPlan {
    /// The margin around the picture.
    pub(crate) fn margin(&self) -> usize {
        if self.wraps { 0 } else { MARGIN }
    }

    /// The windows of a size, if it is made in windows.
    pub(super) fn grid(&self, size: Size) -> Option<Grid> {
        let whole = size.with_margin(self.margin());
        Grid::new(whole, self.memory.window_side?, self.wraps)
    }

    /// What a level costs.
    pub(super) fn cost(&self, level: &Level) -> Cost {
        match self.grid(level.size) {
            None => Cost {
                pixels: level.size.pixels(),
                evaluations: level.steps,
            },
            Some(grid) => Cost {
                pixels: grid.window_pixels(),
                evaluations: level.steps * grid.count(),
            },
        }
    }

    /// Evaluations of the whole run.
    pub(super) fn evaluations(&self) -> usize {
        let costs = self.levels.iter().map(|level| self.cost(level));
        costs.map(|cost| cost.evaluations).sum()
    }
}

/// An objective of one size that is another estimate at each step.
pub(crate) trait Estimate: Send + Sync {
    /// The terms at an image in the step of that number. Adds the gradient of their sum to `gradient`,
    /// `[H, W, C]`.
    fn estimate(&self, image: Canvas<'_>, step: u32, gradient: &mut [f32]) -> Vec<f64>;

    /// Steps from a state of the optimiser on, all on a device. None: the host computes.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    fn on_device<'e>(
        &'e self,
        _adam: &Adam,
        _picture: Optimised<'_>,
    ) -> Result<Option<Box<dyn Stepper + 'e>>> {
        Ok(None)
    }

    /// What is kept from one step to the next, for a checkpoint.
    fn memory(&self) -> Vec<u32>;

    /// Goes on from what [`memory`](Self::memory) gave for an image of that size; false if that does not fit.
    fn recall(&self, memory: &[u32], image: Size) -> bool;
}

/// Runs as planned. `objective` makes what is minimised at a level that begins with the
/// picture that it is given, margin and all. The outcome's tensors are on `device`.
///
/// An error after the first step ends the run with the picture of the last step:
/// [`StopReason::Failed`].
pub(crate) fn run_stochastic(
    device: &Device,
    plan: StochasticPlan,
    options: &RunOptions,
    observer: &mut dyn Observer,
    mut objective: impl FnMut(Level, &Raster) -> Box<dyn Estimate>,
) -> Result<Outcome> {
    let identity = plan.identity.clone();
    let identity = identity.map(|identity| identity.with_pictures(&plan.start, plan.kept.as_ref()));
    let mut resumed = SavedRun::to_resume(options, identity.as_ref())?;
    let margin = plan.margin();
    let costs = plan.levels.iter().map(|level| plan.cost(level));
    let mut run = Stochastic {
        options,
        clock: Clock::new(plan.begun, Duration::ZERO),
        time: TimePlan::new(options.time_limit, costs.collect(), PREPARING),
        keeper: Keeper::new(options.checkpoint.as_ref(), identity)?,
        margin,
        // With its margin, from the first size on.
        canvas: plan.start.with_margin(margin),
        counts: Counts::default(),
        records: Vec::new(),
        plan: &plan,
        forecast: None,
    };
    if resumed.is_none() {
        let started = Instant::now();
        run.forecast = forecast(&plan, options.time_limit, &mut objective)?;
        run.counts.preparing += started.elapsed();
    }
    if let Some(saved) = &mut resumed {
        run.go_on(saved)
            .map_err(|error| SavedRun::named(error, options))?;
    }
    let first = resumed.as_ref().map_or(0, |saved| saved.progress.scale);
    let mut stop = StopReason::Evaluations;
    let mut failure = None;
    for scale in first..plan.levels.len() {
        let state = resumed.take();
        if state.is_none() && !run.time.affords(scale, run.clock.elapsed()) {
            stop = StopReason::Time;
            break;
        }
        match run.level(scale, &mut objective, observer, state) {
            // The stop reason is that of the last size.
            Ok(reason) => stop = reason,
            Err(error) if run.counts.evaluations > 0 && !is_of_checkpoint(&error) => {
                stop = StopReason::Failed;
                failure = Some(Arc::new(error));
            }
            Err(error) => return Err(SavedRun::named(error, options)),
        }
        if matches!(stop, StopReason::Stopped | StopReason::Failed) {
            break;
        }
    }
    if let Some(last) = plan.levels.last() {
        // Stopped before the last size: the picture has the size asked for all the same.
        run.resize(last.size);
        run.restore_kept();
    }
    let names = plan.terms.iter().map(|name| (*name).to_owned()).collect();
    let inner = run.canvas.size().without_margin(margin);
    let corner = (margin as isize, margin as isize);
    Ok(Outcome {
        picture: run.canvas.into_window(corner, inner),
        formats: plan.formats.clone(),
        device: device.clone(),
        stop,
        failure,
        checkpoint_failure: run.keeper.into_failure().map(Arc::new),
        counts: run.counts,
        elapsed: run.clock.elapsed(),
        names,
        records: run.records,
    })
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::borrow::Cow;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Error;

    /// How an objective fails.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Failure {
        Value,
        Gradient,
        /// A device, in a step and at the beginning of a size.
        DeviceStep,
        DeviceStart,
    }

    /// Pulls all values to a half, until it fails.
    struct Failing {
        steps: Arc<AtomicUsize>,
        good: usize,
        failure: Failure,
    }

    /// The same on a device, whose point cannot be read any more once it has failed.
    struct OnDevice<'f> {
        target: &'f Failing,
        adam: Adam,
    }

    impl Stepper for OnDevice<'_> {
        fn step(&mut self, _: u32, rate: f64) -> Result<Vec<f64>> {
            if self.target.has_failed() {
                return Err(Error::device("it is lost"));
            }
            let gradient: Vec<f32> = self.adam.ask().iter().map(|value| value - 0.5).collect();
            self.adam.tell(&gradient, rate)?;
            Ok(vec![1.0])
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

    impl Failing {
        fn has_failed(&self) -> bool {
            self.steps.fetch_add(1, Ordering::Relaxed) >= self.good
        }
    }

    impl Estimate for Failing {
        fn estimate(&self, image: Canvas<'_>, _: u32, gradient: &mut [f32]) -> Vec<f64> {
            let failed = self.has_failed();
            let pixels = gradient.iter_mut().zip(image.values());
            pixels.for_each(|(gradient, value)| *gradient += value - 0.5);
            if failed && self.failure == Failure::Gradient {
                gradient[7] = f32::NAN;
            }
            let value = if failed && self.failure == Failure::Value {
                f64::NAN
            } else {
                1.0
            };
            vec![value]
        }

        fn on_device<'e>(
            &'e self,
            adam: &Adam,
            _: Optimised<'_>,
        ) -> Result<Option<Box<dyn Stepper + 'e>>> {
            match self.failure {
                Failure::Value | Failure::Gradient => Ok(None),
                Failure::DeviceStep => Ok(Some(Box::new(OnDevice {
                    target: self,
                    adam: adam.clone(),
                }))),
                Failure::DeviceStart if self.steps.load(Ordering::Relaxed) < self.good => Ok(None),
                Failure::DeviceStart => Err(Error::device("it is lost")),
            }
        }

        fn memory(&self) -> Vec<u32> {
            Vec::new()
        }

        fn recall(&self, memory: &[u32], _: Size) -> bool {
            memory.is_empty()
        }
    }

    fn failing_after(good: usize, failure: Failure) -> Result<Outcome> {
        let level = |side: usize| Level {
            size: Size::square(side),
            factor: side as f64 / 20.0,
            steps: 10,
        };
        let options = RunOptions::default();
        let plan = StochasticPlan {
            begun: Instant::now(),
            levels: vec![level(12), level(20)],
            start: options.starting_noise(Size::square(12), &[0.2; 3]),
            formats: Vec::new(),
            kept: None,
            wraps: false,
            deviation: 0.1,
            terms: vec!["failing"],
            identity: None,
            memory: HostMemory::UNBOUNDED,
        };
        let device = crate::device::by_name("flex")?;
        let steps = Arc::new(AtomicUsize::new(0));
        run_stochastic(&device, plan, &options, &mut (), |_, _| {
            Box::new(Failing {
                steps: Arc::clone(&steps),
                good,
                failure,
            })
        })
    }

    #[test]
    fn a_run_that_fails_keeps_its_last_picture() {
        for failure in [Failure::Value, Failure::Gradient, Failure::DeviceStep] {
            let is_expected = |error: &Error| match failure {
                Failure::Value | Failure::Gradient => matches!(error, Error::NotFinite { .. }),
                _ => matches!(error, Error::Device(_)),
            };
            for good in [1, 9, 10, 15] {
                let outcome = failing_after(good, failure).unwrap();
                assert_eq!(outcome.stop_reason(), StopReason::Failed);
                assert!(outcome.failure().is_some_and(is_expected));
                assert_eq!(outcome.evaluations(), good);
                let picture = outcome.picture();
                assert_eq!(picture.width(), 20);
                assert!(picture.as_raw().iter().all(|value| value.is_finite()));
            }
            // Nothing was made yet.
            assert!(is_expected(&failing_after(0, failure).unwrap_err()));
            assert!(failing_after(20, failure).unwrap().failure().is_none());
        }
        // The second of two sizes does not begin: the picture is that of the first, enlarged.
        let outcome = failing_after(10, Failure::DeviceStart).unwrap();
        assert!(matches!(outcome.failure(), Some(Error::Device(_))));
        assert_eq!((outcome.evaluations(), outcome.picture().width()), (10, 20));
        let finite = |value: &f32| value.is_finite();
        assert!(outcome.picture().as_raw().iter().all(finite));
    }
}
