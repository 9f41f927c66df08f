//! Runs: what an observer is told and an outcome records.
//!
//! Every task runs from coarse to fine, and at each scale through evaluations of its objective.
//! [`RunOptions`] says how long, an [`Observer`] watches, and an
//! [`Outcome`] is the result.

mod descent;
pub(crate) mod inpainting;
pub(crate) mod observer;
pub(crate) mod options;
pub(crate) mod outcome;
mod schedule;
mod stochastic;

use std::time::{Duration, Instant};

use self::descent::Descent;
pub(crate) use self::inpainting::{Inpainting, KeptPixels};
use self::observer::Point;
pub(crate) use self::observer::{Control, Observer, Progress};
pub use self::observer::{Preparation, Term};
pub(crate) use self::options::{RunOptions, run_setters};
pub(crate) use self::outcome::Outcome;
pub use self::outcome::Record;
pub(crate) use self::schedule::Schedule;
pub(crate) use self::stochastic::{MARGIN, StochasticPlan, run_stochastic};
use crate::error::{Error, Result};
use crate::imaging::{Format, Raster, Size};
use crate::network::Vgg;
use crate::objective::Objective;
use crate::optim::StopReason;
use crate::random::{self, Purpose};

/// Noise around a mean colour: where runs start, and where weights are measured.
fn noise_image(
    size: Size,
    mean: &[f32],
    amplitude: f64,
    (seed, purpose, index): (u64, Purpose, u32),
) -> Raster {
    let numbers = random::normal(seed, purpose, index, size.pixels() * mean.len());
    let values = numbers
        .into_iter()
        .zip(mean.iter().cycle())
        .map(|(number, mean)| mean + amplitude as f32 * number)
        .collect();
    Raster::new(size, mean.len(), values)
}

/// When a scale ends, counted from the beginning of the run: it has `share` of what is left of `limit`.
fn deadline(limit: Duration, elapsed: Duration, share: f64) -> Duration {
    let left = limit.saturating_sub(elapsed).as_secs_f64();
    Duration::try_from_secs_f64(elapsed.as_secs_f64() + left * share).unwrap_or(Duration::MAX)
}

/// A picture brought to another size; one that `wraps` is resized as if it repeated without end.
fn enlarged(picture: &Raster, size: Size, wraps: bool) -> Raster {
    match wraps {
        true => picture.resized_periodic(size),
        false => picture.resized(size),
    }
}

/// What a run by L-BFGS goes through.
pub(crate) struct RunPlan {
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
}

/// Runs as planned. `objective` makes what is minimised at scale number `i`; its weights are
/// measured here, at noise.
///
/// If the device fails during the run, the run ends with the last picture that was read from it, if
/// there is one: [`StopReason::Device`].
pub(crate) fn run(
    vgg: &Vgg,
    plan: RunPlan,
    options: &RunOptions,
    observer: &mut dyn Observer,
    mut objective: impl FnMut(usize) -> Result<Objective>,
) -> Result<Outcome> {
    let begun = Instant::now();
    let RunPlan {
        sizes,
        start,
        mean,
        formats,
        kept,
    } = plan;
    let mut descent = Descent {
        vgg,
        options,
        begun,
        scales: sizes.len(),
        mean,
        kept,
        picture: start,
        read: false,
        names: Vec::new(),
        counts: Counts::default(),
        records: Vec::new(),
    };
    let mut stop = StopReason::Evaluations;
    let mut failure = None;
    for (scale, &size) in sizes.iter().enumerate() {
        match descent.scale(scale, size, &mut objective, observer) {
            Ok(None) => break,
            Ok(Some(reason)) => stop = reason,
            Err(Error::Device(reason)) if descent.read => {
                stop = StopReason::Device;
                failure = Some(reason);
            }
            Err(error) => return Err(error),
        }
        if matches!(stop, StopReason::Asked | StopReason::Device) {
            break;
        }
    }
    if let Some(&size) = sizes.last() {
        // Stopped before the last scale: the picture has the size asked for all the same.
        descent.enlarge(size);
    }
    vgg.release_buffers();
    Ok(Outcome::new(
        (descent.picture, formats),
        vgg.device().clone(),
        (stop, failure),
        descent.counts,
        begun.elapsed(),
        descent.names,
        descent.records,
    ))
}

#[derive(Clone, Copy, Debug, Default)]
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
    use crate::loss::{Loss, Measured, Observation, TotalVariation};
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

    fn failing_after(good: usize) -> Result<Outcome> {
        let vgg = RandomVgg::vgg16().init(&crate::device::by_name("flex")?)?;
        let size = Size::new(12, 10);
        let options = RunOptions {
            evaluations: Some(200),
            ..RunOptions::default()
        };
        let plan = RunPlan {
            sizes: vec![size.halved(1), size],
            start: options.starting_noise(size.halved(1), &[0.5; 3]),
            mean: vec![0.5; 3],
            formats: Vec::new(),
            kept: None,
        };
        let measured = Arc::new(AtomicUsize::new(0));
        run(&vgg, plan, &options, &mut (), |_| {
            let measured = Arc::clone(&measured);
            let loss = Failing { measured, good };
            Ok(Objective::new(&vgg).at_image("failing", 1.0, loss))
        })
    }

    #[test]
    fn a_run_whose_device_fails_keeps_its_last_picture() {
        // The first scale may use two thirds of 200 evaluations, and one more measures weights.
        for good in [30, 100, 150] {
            let outcome = failing_after(good).unwrap();
            assert_eq!(outcome.stop_reason(), StopReason::Device);
            assert_eq!(outcome.failure(), Some("the device is lost"));
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
        assert_eq!(failing_after(usize::MAX).unwrap().failure(), None);
    }
}
