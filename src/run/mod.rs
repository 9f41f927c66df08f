//! Runs: what an observer is told and an outcome records.
//!
//! Every task runs from coarse to fine, and at each scale through evaluations of its objective.
//! [`RunOptions`] says how long, an [`Observer`] watches, and an
//! [`Outcome`] is the result.

mod canvas;
mod checkpoint;
mod descent;
mod forecast;
pub(crate) mod host_memory;
mod identity;
pub(crate) mod inpainting;
mod memory;
pub(crate) mod observer;
mod on_host;
pub(crate) mod options;
pub(crate) mod outcome;
mod saved;
mod schedule;
mod state_file;
mod steps;
mod stochastic;
mod stop_reason;
mod time;
mod windows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::checkpoint::Checkpoint;
use self::checkpoint::Keeper;
use self::descent::Descent;
pub(crate) use self::identity::Identity;
pub(crate) use self::inpainting::{Inpainting, KeptPixels};
use self::observer::Point;
#[cfg(all(test, feature = "wgpu"))]
pub(crate) use self::observer::reads_once_an_evaluation;
pub(crate) use self::observer::{Control, Observer, Progress};
pub use self::observer::{Forecast, Preparation, Saving, Term};
pub(crate) use self::options::{RunOptions, run_setters};
pub(crate) use self::outcome::Outcome;
pub use self::outcome::Record;
use self::saved::SavedRun;
pub(crate) use self::schedule::Schedule;
pub(crate) use self::stochastic::{Estimate, StochasticPlan, run_stochastic};
pub use self::stop_reason::StopReason;
use self::time::{Clock, Cost, TimePlan};
use crate::error::{Error, FileUse, Result};
use crate::imaging::{Format, Raster, Size};
use crate::network::Vgg;
use crate::objective::Objective;

/// What a run by L-BFGS goes through.
pub(crate) struct RunPlan {
    /// When the task began.
    pub(crate) begun: Instant,
    /// The sizes it goes through, coarse to fine.
    pub(crate) sizes: Vec<Size>,
    /// What it starts from.
    pub(crate) start: Raster,
    /// The colour around which weights are measured.
    pub(crate) mean: Vec<f32>,
    /// The files that could hold the result.
    pub(crate) formats: Vec<Format>,
    /// Pixels that stay as they are, of the last size.
    pub(crate) kept: Option<KeptPixels>,
    /// What the run is given beside what it starts from and keeps, if it is saved or resumed.
    pub(crate) identity: Option<Identity>,
}

/// How many evaluations of an objective of networks take as long as preparing it: weights are measured
/// in about two, and targets in the forward halves of some more.
const PREPARING: f64 = 4.0;

/// Runs as planned. `objective` adds the terms of scale number `i` to an objective without terms;
/// their weights are measured here, at noise.
///
/// An error after a picture was made ends the run with the last picture that was read from the device:
/// [`StopReason::Failed`].
pub(crate) fn run(
    vgg: &Vgg,
    plan: RunPlan,
    options: &RunOptions,
    observer: &mut dyn Observer,
    mut objective: impl FnMut(usize, Objective) -> Result<Objective>,
) -> Result<Outcome> {
    let RunPlan {
        begun,
        sizes,
        start,
        mean,
        formats,
        kept,
        identity,
    } = plan;
    if let Some(size) = sizes.last() {
        options.memory_plan(*size, start.channels())?;
    }
    let identity = identity.map(|identity| identity.with_pictures(&start, kept.as_ref()));
    let saved = SavedRun::to_resume(options, identity.as_ref())?;
    let scales = sizes.len();
    let mut descent = Descent {
        vgg,
        options,
        clock: Clock::new(begun, Duration::ZERO),
        time: time_plan(options, &sizes),
        keeper: Keeper::new(options.checkpoint.as_ref(), identity)?,
        scales,
        mean,
        kept,
        picture: start,
        made: false,
        names: Vec::new(),
        counts: Counts::default(),
        records: Vec::new(),
    };
    let mut resumed = None;
    if let Some(saved) = saved {
        let size = sizes.get(saved.progress.scale).copied();
        let checked = saved.check(size, descent.picture.channels());
        checked.map_err(|error| SavedRun::named(error, options))?;
        let progress = saved.progress;
        descent.clock = Clock::new(begun, progress.elapsed);
        (descent.picture, descent.made) = (saved.picture.into_owned(), true);
        (descent.names, descent.counts) = (progress.names, progress.counts);
        descent.records = saved.records;
        resumed = Some((progress.scale, saved.optimiser));
    }
    let first = resumed.as_ref().map_or(0, |(scale, _)| *scale);
    let mut stop = StopReason::Evaluations;
    let mut failure = None;
    for (scale, &size) in sizes.iter().enumerate().skip(first) {
        let state = resumed.take().map(|(_, optimiser)| optimiser);
        if state.is_none() && !descent.time.affords(scale, descent.clock.elapsed()) {
            stop = StopReason::Time;
            break;
        }
        match descent.scale(scale, size, &mut objective, observer, state) {
            Ok(None) => break,
            Ok(Some(reason)) => stop = reason,
            Err(error) if descent.made && !is_of_checkpoint(&error) => {
                stop = StopReason::Failed;
                failure = Some(Arc::new(error));
            }
            Err(error) => return Err(SavedRun::named(error, options)),
        }
        if matches!(stop, StopReason::Stopped | StopReason::Failed) {
            break;
        }
    }
    if let Some(&size) = sizes.last() {
        // Stopped before the last scale: the picture has the size asked for all the same.
        descent.resize(size);
    }
    vgg.release_buffers();
    Ok(Outcome {
        picture: descent.picture,
        formats,
        device: vgg.device().clone(),
        stop,
        failure,
        checkpoint_failure: descent.keeper.into_failure().map(Arc::new),
        counts: descent.counts,
        elapsed: descent.clock.elapsed(),
        names: descent.names,
        records: descent.records,
    })
}

/// Whether a run that is to go on could not begin, which no picture makes up for.
fn is_of_checkpoint(error: &Error) -> bool {
    let wanted = FileUse::Checkpoint;
    matches!(error, Error::File { wanted: found, .. } if *found == wanted)
}

/// The time limit of a run, shared out by the evaluations that scales get if none is cut short.
fn time_plan(options: &RunOptions, sizes: &[Size]) -> TimePlan {
    let mut left = options.evaluations_of_lbfgs();
    let costs = sizes.iter().enumerate().map(|(scale, size)| {
        let evaluations = descent::share(left, sizes.len() - scale);
        left -= evaluations;
        Cost {
            pixels: size.pixels(),
            evaluations,
        }
    });
    TimePlan::new(options.time_limit, costs.collect(), PREPARING)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) evaluations: usize,
    pub(crate) iterations: usize,
    pub(crate) restarts: usize,
    /// Time from the beginnings of scales to their first evaluations.
    pub(crate) preparing: Duration,
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::loss::{Custom, Loss, Measured, Observation, TotalVariation};
    use crate::network::RandomVgg;

    /// Counts how often it is measured, and panics from then on as a backend does whose device is
    /// lost.
    struct Failing {
        measured: Arc<AtomicUsize>,
        good: usize,
    }

    impl Loss for Failing {
        fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
            let number = self.measured.fetch_add(1, Ordering::Relaxed);
            assert!(number < self.good, "the device is lost");
            TotalVariation.measure(observation, weight)
        }
    }

    fn two_scales(objective: impl Fn(&Vgg, usize) -> Result<Objective>) -> Result<Outcome> {
        let vgg = RandomVgg::vgg16().init(&crate::device::by_name("flex")?)?;
        let size = Size::new(12, 10);
        let options = RunOptions {
            evaluations: Some(200),
            ..RunOptions::default()
        };
        let plan = RunPlan {
            begun: Instant::now(),
            sizes: vec![size.halved(1), size],
            start: options.starting_noise(size.halved(1), &[0.5; 3]),
            mean: vec![0.5; 3],
            formats: Vec::new(),
            kept: None,
            identity: None,
        };
        run(&vgg, plan, &options, &mut (), |scale, _| {
            objective(&vgg, scale)
        })
    }

    fn failing_after(good: usize) -> Result<Outcome> {
        let measured = Arc::new(AtomicUsize::new(0));
        two_scales(|vgg, _| {
            let measured = Arc::clone(&measured);
            let loss = Failing { measured, good };
            Ok(Objective::new(vgg).at_image("failing", 1.0, loss))
        })
    }

    /// An error of a user's loss, and values that are not finite, at the second scale.
    #[test]
    fn a_run_that_fails_at_a_later_scale_keeps_the_scale_before() {
        let refusing = |scale: usize| match scale {
            0 => Ok(()),
            _ => Err(Error::option("a loss", "refusing", "others")),
        };
        let not_finite = || Custom::new(|map| map.sum().mul_scalar(f32::NAN));
        for refuses in [true, false] {
            let outcome = two_scales(|vgg, scale| {
                if refuses {
                    refusing(scale)?;
                }
                let objective = Objective::new(vgg).at_image("variation", 1.0, TotalVariation);
                Ok(match scale {
                    0 => objective,
                    _ => objective.at_image("not finite", 1.0, not_finite()),
                })
            })
            .unwrap();
            assert_eq!(outcome.stop_reason(), StopReason::Failed);
            let failure = outcome.failure().unwrap();
            match refuses {
                true => assert!(matches!(failure, Error::InvalidOption { .. })),
                false => assert!(matches!(failure, Error::NotFinite { .. }), "{failure}"),
            }
            assert_eq!(outcome.picture().width(), 12);
            assert!(
                outcome
                    .picture()
                    .as_raw()
                    .iter()
                    .all(|value| value.is_finite())
            );
        }
    }

    #[test]
    fn a_run_whose_device_fails_keeps_its_last_picture() {
        // The first scale may use two thirds of 200 evaluations, and one more measures weights.
        for good in [30, 100, 150] {
            let outcome = failing_after(good).unwrap();
            assert_eq!(outcome.stop_reason(), StopReason::Failed);
            let failure = outcome.failure().unwrap();
            assert_eq!(failure.to_string(), "the device failed: the device is lost");
            assert!(outcome.evaluations() < good && outcome.evaluations() + 3 >= good);
            let picture = outcome.picture();
            assert_eq!((picture.width(), picture.height()), (12, 10));
            assert!(picture.as_raw().iter().all(|value| value.is_finite()));
            // Smoother than the noise it came from: something was done.
            let deviation = |values: &[f32]| {
                let mean = values.iter().sum::<f32>() / values.len() as f32;
                let squares: f32 = values.iter().map(|value| (value - mean).powi(2)).sum();
                (squares / values.len() as f32).sqrt()
            };
            assert!(deviation(picture.as_raw()) < 0.05);
        }
        // Nothing was made yet.
        for good in [0, 10] {
            assert!(
                matches!(failing_after(good), Err(Error::Device(_))),
                "{good}"
            );
        }
        assert!(failing_after(usize::MAX).unwrap().failure().is_none());
    }
}
