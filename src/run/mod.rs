//! The one loop: through the scales, and at each through evaluations until it is over.

mod kept;
mod observer;
mod outcome;

use std::time::Instant;

use serde::{Deserialize, Serialize};

pub use self::kept::Kept;
pub(crate) use self::kept::KeptPixels;
pub use self::observer::{Control, Observer, Progress, Term, Unobserved};
pub use self::outcome::{Outcome, Record};
use crate::error::{Error, Result, at_least_one};
use crate::imaging::{Format, Raster, Scales, Size};
use crate::kernels::Padding;
use crate::network::Vgg;
use crate::objective::Objective;
use crate::optim::{Lbfgs, LbfgsOptions, Next, StopReason};
use crate::random::{self, Purpose};

/// How long and through which sizes a task runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Evaluations of the objective in the whole run, over all scales. More give a lower loss;
    /// below about 100 the result is blurred. Each scale adds the cost of about two for measuring
    /// the weights of its terms.
    pub evaluations: usize,
    /// Seconds that a run may take at most; it ends earlier when its evaluations are used. Each
    /// scale gets the share of time that it would take of an unlimited run, so that the last is
    /// reached with time left. Default: none.
    pub seconds: Option<f64>,
    /// The sizes it goes through.
    pub scales: Scales,
    /// Seeds the starting noise; another seed gives another picture of the same kind. Default: 0.
    pub seed: u64,
    /// Amplitude of the starting noise around the mean colour, in units of the colour range.
    /// Default: 0.1.
    pub noise: f64,
    /// Keeps colours inside this range while optimising; without it they are clipped at the end.
    /// Default: none.
    pub bounds: Option<(f64, f64)>,
    /// Settings of the optimiser. Its evaluations, bounds and first step are set by the run.
    pub lbfgs: LbfgsOptions,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            evaluations: 300,
            seconds: None,
            scales: Scales::default(),
            seed: 0,
            noise: 0.1,
            bounds: None,
            lbfgs: LbfgsOptions::default(),
        }
    }
}

/// The first step of a scale moves colours by about this much (root mean square).
const FIRST_STEP: f64 = 0.02;

impl RunOptions {
    pub(crate) fn check(&self) -> Result<()> {
        at_least_one("evaluations", self.evaluations)?;
        if let Some(seconds) = self.seconds {
            crate::error::positive("seconds", seconds)?;
        }
        crate::error::not_negative("noise", self.noise)?;
        self.scales.check()?;
        self.optimiser(self.evaluations, 1).check()
    }

    /// The noise that a run starts from.
    pub(crate) fn starting_noise(&self, size: Size, mean: &[f32]) -> Raster {
        noise_image(size, mean, self.noise, (self.seed, Purpose::Noise, 0))
    }

    /// The optimiser's settings at a scale of so many values.
    fn optimiser(&self, evaluations: usize, values: usize) -> LbfgsOptions {
        LbfgsOptions {
            evaluations: Some(evaluations),
            first_step: FIRST_STEP * (values as f64).sqrt(),
            bounds: self.bounds,
            ..self.lbfgs.clone()
        }
    }
}

/// Evaluations of the next scale, of those left for `scales` scales: twice as many at the coarser
/// of two, three times at the coarsest of three and so on. What is settled where it is cheap need
/// not be mended where it is dear.
fn share(left: usize, scales: usize) -> usize {
    let parts = scales * (scales + 1) / 2;
    (left * scales).div_ceil(parts)
}

/// The share of the time left that belongs to the next of some scales, of which each has four times
/// the pixels of the one before and as many evaluations as [`share`] gives it.
fn share_of_time(scales: usize) -> f64 {
    // The next scale takes `scales` parts, the one after it 4 (scales - 1), and so on.
    let cost = |later: usize| 4f64.powi(later as i32) * (scales - later) as f64;
    cost(0) / (0..scales).map(cost).sum::<f64>()
}

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

/// Amplitude of the noise at which weights are measured; they hardly depend on it.
const MEASURING_NOISE: f64 = 0.1;

/// The way of a run through pictures.
pub(crate) struct Course {
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

/// Runs along a course. `objective` makes what is minimised at scale number `i`; its weights are
/// measured here, at noise.
pub(crate) fn run(
    vgg: &Vgg,
    course: Course,
    options: &RunOptions,
    observer: &mut dyn Observer,
    mut objective: impl FnMut(usize) -> Result<Objective>,
) -> Result<Outcome> {
    let begun = Instant::now();
    let Course {
        sizes,
        start,
        mean,
        formats,
        kept,
    } = course;
    let channels = start.channels();
    let enlarge = |picture: &Raster, size: Size| match vgg.padding() {
        Padding::Circular => picture.resized_periodic(size),
        _ => picture.resized(size),
    };
    let mut picture = start;
    let mut records = Vec::new();
    let mut names = Vec::new();
    let mut counts = Counts::default();
    let mut stop = StopReason::Evaluations;
    for (scale, &size) in sizes.iter().enumerate() {
        let left = options.evaluations - counts.evaluations;
        let share = share(left, sizes.len() - scale);
        if share == 0 {
            break;
        }
        let started = begun.elapsed().as_secs_f64();
        let until = options.seconds.map(|seconds| {
            let share = share_of_time(sizes.len() - scale);
            started + (seconds - started).max(0.0) * share
        });
        let mut objective = objective(scale)?;
        let measuring = (options.seed, Purpose::Measurement, scale as u32);
        let noise = noise_image(size, &mean, MEASURING_NOISE, measuring);
        objective.normalize(noise.to_tensor(vgg.device()))?;
        names = objective.names().map(str::to_owned).collect();
        picture = enlarge(&picture, size);
        let gate = kept
            .as_ref()
            .map(|kept| kept.put(&mut picture).to_tensor(vgg.device()));
        let values = size.pixels() * channels;
        let from = picture.to_tensor(vgg.device()).reshape([values]);
        let mut lbfgs = Lbfgs::new(from, options.optimiser(share, values))?;
        let shape = [1, channels, size.height, size.width];
        let reason = loop {
            let evaluation = objective.evaluate(lbfgs.ask().reshape(shape))?;
            let gradient = match &gate {
                Some(gate) => evaluation.gradient * gate.clone(),
                None => evaluation.gradient,
            };
            let next = lbfgs.tell(evaluation.values, gradient.reshape([values]))?;
            counts.evaluations += 1;
            records.push(Record {
                scale,
                evaluation: counts.evaluations,
                seconds: begun.elapsed().as_secs_f64(),
                terms: lbfgs.values().to_vec(),
            });
            let terms: Vec<Term> = names
                .iter()
                .zip(lbfgs.values())
                .map(|(name, &value)| Term { name, value })
                .collect();
            let progress = Progress {
                scale,
                scales: sizes.len(),
                size,
                evaluation: counts.evaluations,
                evaluations: options.evaluations,
                seconds: begun.elapsed().as_secs_f64(),
                terms: &terms,
                lbfgs: &lbfgs,
                channels,
            };
            let control = observer.observe(&progress);
            let late = until.is_some_and(|until| progress.seconds >= until);
            match next {
                Next::Stop(reason) => break reason,
                _ if control == Control::Stop => {
                    lbfgs.stop();
                    break StopReason::Asked;
                }
                // After two, so that every scale takes a step whatever the clock says.
                _ if late && lbfgs.evaluations() > 1 => break StopReason::Time,
                _ => {}
            }
        };
        counts.restarts += lbfgs.restarts();
        counts.iterations += lbfgs.iterations();
        if reason == StopReason::NotFinite {
            return Err(Error::NotFinite {
                what: format!("the objective at the start of scale {}", scale + 1),
                value: f32::NAN,
            });
        }
        picture = Raster::from_tensor(lbfgs.point().reshape(shape))?;
        stop = reason;
        if reason == StopReason::Asked {
            break;
        }
    }
    if let Some(&size) = sizes.last() {
        // Stopped before the last scale: the picture has the size asked for all the same.
        picture = enlarge(&picture, size);
        if let Some(kept) = &kept {
            kept.put(&mut picture);
        }
    }
    vgg.release_buffers();
    Ok(Outcome::new(
        (picture, formats),
        vgg.device().clone(),
        stop,
        counts,
        begun.elapsed().as_secs_f64(),
        names,
        records,
    ))
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) evaluations: usize,
    pub(crate) iterations: usize,
    pub(crate) restarts: usize,
}
