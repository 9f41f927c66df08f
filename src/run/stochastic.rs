//! The loop of objectives that are another estimate at each step: Adam from coarse to fine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::canvas::{add_noise, resized_within_margin, restore_kept};
use super::checkpoint::Keeper;
use super::saved::{SavedProgress, SavedRun};
use super::time::{Clock, Cost, TimePlan};
use super::{
    Control, Counts, Identity, KeptPixels, Observer, Outcome, Point, Preparation, Progress, Record,
    RunOptions, StopReason, Term, is_of_checkpoint,
};
use crate::error::{Error, FileUse, Result, all_finite};
use crate::imaging::{Format, Raster, Size};
use crate::optim::{Adam, AdamOptions, Saved, falling_rate};
use crate::random::Purpose;
use crate::resampled::Planes;

/// The rates of the first steps of a size, and of its last one, in units of the colour range.
const RATES: (f64, f64) = (0.02, 0.004);

/// The share of a size's steps at the first rate; it falls to the last in the rest.
const HOLD: f64 = 0.7;

/// Amplitude of the noise that is added to an enlarged picture, in standard deviations of the
/// exemplars' colours. An enlarged picture has no fine grain; without noise it would get the same grain
/// everywhere.
const GRAIN: f64 = 0.15;

/// Width of the margin that is made around the picture and cut off at the end. Fewer patches cover a
/// pixel at the border than inside; the outermost belongs to one patch and stays noise.
pub(crate) const MARGIN: usize = 5;

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
}

/// An objective of one size that is another estimate at each step.
pub(crate) trait Estimate {
    /// The terms at an image in the step of that number, and the gradient of their sum.
    fn estimate(&self, image: &Planes, step: u32) -> (Vec<f64>, Planes);

    /// What is kept from one step to the next, for a checkpoint.
    fn memory(&self) -> Vec<u32>;

    /// Goes on from what [`memory`](Self::memory) gave; false if that does not fit.
    fn recall(&self, memory: &[u32]) -> bool;
}

/// Runs as planned. `objective` makes what is minimised at a level that begins with the
/// picture that it is given, margin and all. All of it happens in host memory; the outcome's tensors
/// are on `device`.
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
    let margin = if plan.wraps { 0 } else { MARGIN };
    let costs = plan.levels.iter().map(|level| Cost {
        pixels: level.size.pixels(),
        evaluations: level.steps,
    });
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
    };
    if let Some(saved) = &mut resumed {
        run.go_on(saved)?;
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
            Err(error) => return Err(error),
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
    Ok(Outcome {
        picture: run.canvas.without_margin(margin),
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

/// A run in progress.
struct Stochastic<'a> {
    plan: &'a StochasticPlan,
    options: &'a RunOptions,
    clock: Clock,
    time: TimePlan,
    keeper: Keeper,
    margin: usize,
    /// The picture so far with its margin, at the size of the last level that was begun.
    canvas: Raster,
    counts: Counts,
    records: Vec<Record>,
}

impl Stochastic<'_> {
    /// Takes the progress and the records of a saved run.
    fn go_on(&mut self, saved: &mut SavedRun) -> Result<()> {
        let level = self.plan.levels.get(saved.progress.scale);
        saved.check(level.map(|level| level.size), self.canvas.channels())?;
        self.clock = Clock::new(self.plan.begun, saved.progress.elapsed);
        self.counts = saved.progress.counts;
        self.records = std::mem::take(&mut saved.records);
        Ok(())
    }

    /// One level, from the start or from a saved state, and why it ended.
    fn level(
        &mut self,
        scale: usize,
        objective: &mut dyn FnMut(Level, &Raster) -> Box<dyn Estimate>,
        observer: &mut dyn Observer,
        saved: Option<SavedRun>,
    ) -> Result<StopReason> {
        let level = self.plan.levels[scale];
        let Level { size, steps, .. } = level;
        let deadline = self.time.deadline(scale, self.clock.elapsed());
        let scales = self.plan.levels.len();
        observer.prepare(&Preparation {
            scale,
            scales,
            size,
        });
        let started = Instant::now();
        let state = match saved {
            Some(saved) => Some(self.take_start(saved, size)?),
            None => {
                self.begin(scale, size);
                None
            }
        };
        let free = self.restore_kept();
        let estimate = objective(level, &self.canvas);
        let channels = self.canvas.channels();
        let mut adam = match state {
            None => self.optimiser()?,
            Some((optimiser, memory)) => {
                if !estimate.recall(&memory) {
                    let reason = "what its objective keeps from step to step is incomplete";
                    return Err(Error::content(FileUse::Checkpoint, reason));
                }
                Adam::restore(optimiser, self.canvas.values().len())?
            }
        };
        self.counts.preparing += started.elapsed();
        let evaluations = self.plan.levels.iter().map(|level| level.steps).sum();
        let stepping = Instant::now();
        let first = usize::try_from(adam.steps()).unwrap_or(steps);
        let mut stop = StopReason::Evaluations;
        for step in first..steps {
            let values = match self.step(&*estimate, &mut adam, (size, step, steps), free.as_ref())
            {
                Ok(values) => values,
                Err(error) => {
                    self.canvas = Raster::new(self.canvas.size(), channels, adam.into_point());
                    return Err(error);
                }
            };
            let elapsed = self.clock.elapsed();
            self.records.push(Record {
                scale,
                evaluation: self.counts.evaluations,
                elapsed,
                terms: values.clone(),
            });
            let terms = self.plan.terms.iter().zip(&values);
            let terms: Vec<Term<'_>> = terms
                .map(|(name, value)| Term {
                    name,
                    value: *value,
                })
                .collect();
            let control = observer.observe(&Progress {
                scale,
                scales,
                size,
                evaluation: self.counts.evaluations,
                evaluations,
                elapsed,
                terms: &terms,
                point: Point::Pixels {
                    values: adam.ask(),
                    margin: self.margin,
                },
                channels,
            });
            if control == Control::Stop {
                stop = StopReason::Stopped;
                break;
            }
            // After two, so that every size takes a step whatever the clock says.
            self.time
                .measured(scale, step + 1 - first, stepping.elapsed());
            if step > 0 && self.time.is_over(scale, deadline, elapsed) {
                stop = StopReason::Time;
                break;
            }
            if self.keeper.is_due() {
                self.save(scale, &adam, &*estimate);
            }
        }
        self.save(scale, &adam, &*estimate);
        self.canvas = Raster::new(self.canvas.size(), channels, adam.into_point());
        Ok(stop)
    }

    /// Brings the picture to the size of a level that begins.
    fn begin(&mut self, scale: usize, size: Size) {
        self.resize(size);
        if scale > 0 {
            let stream = (self.options.seed, Purpose::Grain, scale as u32);
            add_noise(&mut self.canvas, GRAIN * self.plan.deviation, stream);
        }
    }

    /// Takes the picture with which a saved level began. Returns the states of its optimiser and its
    /// objective.
    fn take_start(&mut self, saved: SavedRun, size: Size) -> Result<(Saved, Vec<u32>)> {
        let (whole, channels) = (size.with_margin(self.margin), self.canvas.channels());
        let fits = |start: &Raster| start.size() == whole && start.channels() == channels;
        let Some(start) = saved.start.filter(fits) else {
            let reason = "the picture at the start of its scale is not there";
            return Err(Error::content(FileUse::Checkpoint, reason));
        };
        self.canvas = start;
        Ok((saved.optimiser, saved.memory))
    }

    fn resize(&mut self, size: Size) {
        self.canvas = resized_within_margin(&self.canvas, size, self.margin);
    }

    /// Restores the pixels that stay; see [`restore_kept`].
    fn restore_kept(&mut self) -> Option<Raster> {
        let kept = self.plan.kept.as_ref()?;
        Some(restore_kept(kept, &mut self.canvas, self.margin))
    }

    fn optimiser(&self) -> Result<Adam> {
        let options = AdamOptions {
            bounds: self.options.bounds,
            ..AdamOptions::default()
        };
        Adam::new(self.canvas.values().to_vec(), options)
    }

    /// One step of the optimiser; the terms before it. An error leaves the point where it was.
    fn step(
        &mut self,
        estimate: &dyn Estimate,
        adam: &mut Adam,
        (size, step, steps): (Size, usize, usize),
        free: Option<&Raster>,
    ) -> Result<Vec<f64>> {
        let channels = self.canvas.channels();
        let Size { width, height } = self.canvas.size();
        let image = Planes::from_pixels(channels, height, width, adam.ask());
        let (values, gradient) = estimate.estimate(&image, self.counts.evaluations as u32);
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::NotFinite {
                what: format!("the objective at size {size}"),
                value: *value as f32,
            });
        }
        let mut gradient = gradient.to_pixels();
        all_finite(format!("the gradient at size {size}"), &gradient)?;
        if let Some(free) = free {
            let pixels = gradient.chunks_exact_mut(channels).zip(free.values());
            pixels.for_each(|(pixel, free)| pixel.iter_mut().for_each(|g| *g *= free));
        }
        adam.tell(&gradient, falling_rate(RATES, HOLD, step, steps))?;
        self.counts.evaluations += 1;
        self.counts.iterations += 1;
        Ok(values)
    }

    fn save(&mut self, scale: usize, adam: &Adam, estimate: &dyn Estimate) {
        let Self {
            plan,
            keeper,
            counts,
            clock,
            records,
            canvas,
            margin,
            ..
        } = self;
        keeper.save(|identity| {
            let whole = Raster::new(canvas.size(), canvas.channels(), adam.ask().to_vec());
            Ok(SavedRun {
                identity,
                progress: SavedProgress {
                    scale,
                    counts: *counts,
                    elapsed: clock.elapsed(),
                    names: plan.terms.iter().map(|name| (*name).to_owned()).collect(),
                },
                records: records.clone(),
                picture: whole.without_margin(*margin),
                start: Some(canvas.clone()),
                optimiser: adam.save()?,
                memory: estimate.memory(),
            })
        });
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// Pulls all values to a half, until its value or its gradient is not a number.
    struct Failing {
        steps: Rc<Cell<usize>>,
        good: usize,
        in_gradient: bool,
    }

    impl Estimate for Failing {
        fn estimate(&self, image: &Planes, _: u32) -> (Vec<f64>, Planes) {
            self.steps.set(self.steps.get() + 1);
            let failed = self.steps.get() > self.good;
            let mut pixels = image.to_pixels();
            pixels.iter_mut().for_each(|value| *value -= 0.5);
            if failed && self.in_gradient {
                pixels[7] = f32::NAN;
            }
            let value = if failed && !self.in_gradient {
                f64::NAN
            } else {
                1.0
            };
            let gradient = Planes::from_pixels(image.channels, image.height, image.width, &pixels);
            (vec![value], gradient)
        }

        fn memory(&self) -> Vec<u32> {
            Vec::new()
        }

        fn recall(&self, memory: &[u32]) -> bool {
            memory.is_empty()
        }
    }

    fn failing_after(good: usize, in_gradient: bool) -> Result<Outcome> {
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
        };
        let device = crate::device::by_name("flex")?;
        let steps = Rc::new(Cell::new(0));
        run_stochastic(&device, plan, &options, &mut (), |_, _| {
            Box::new(Failing {
                steps: Rc::clone(&steps),
                good,
                in_gradient,
            })
        })
    }

    #[test]
    fn a_run_that_fails_keeps_its_last_picture() {
        for in_gradient in [false, true] {
            for good in [1, 9, 10, 15] {
                let outcome = failing_after(good, in_gradient).unwrap();
                assert_eq!(outcome.stop_reason(), StopReason::Failed);
                assert!(matches!(outcome.failure(), Some(Error::NotFinite { .. })));
                assert_eq!(outcome.evaluations(), good);
                let picture = outcome.picture();
                assert_eq!(picture.width(), 20);
                assert!(picture.as_raw().iter().all(|value| value.is_finite()));
            }
            // Nothing was made yet.
            let error = failing_after(0, in_gradient).unwrap_err();
            assert!(matches!(error, Error::NotFinite { .. }));
            assert!(failing_after(20, in_gradient).unwrap().failure().is_none());
        }
    }
}
