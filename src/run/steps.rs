//! A run by Adam: its picture, and the loop through the steps of one size.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::canvas::{add_noise, resized_within_margin, restore_kept};
use super::checkpoint::Keeper;
use super::on_host::stepper;
use super::saved::{SavedProgress, SavedRun};
use super::stochastic::{Estimate, Level, StochasticPlan};
use super::time::{Clock, TimePlan};
use super::{
    Control, Counts, Forecast, Observer, Point, Preparation, Progress, Record, RunOptions,
    StopReason, Term,
};
use crate::error::{Error, FileUse, Result};
use crate::imaging::{Raster, Size};
use crate::optim::{Adam, AdamOptions, Saved, Stepper, falling_rate};
use crate::random::Purpose;
use crate::resampled::Optimised;

/// The rates of the first steps of a size, and of its last one, in units of the colour range.
const RATES: (f64, f64) = (0.02, 0.004);

/// The share of a size's steps at the first rate; it falls to the last in the rest.
const HOLD: f64 = 0.7;

/// Amplitude of the noise that is added to an enlarged picture, in standard deviations of the
/// exemplars' colours. An enlarged picture has no fine grain; without noise it would get the same grain
/// everywhere.
const GRAIN: f64 = 0.15;

/// A run in progress.
pub(super) struct Stochastic<'a> {
    pub(super) plan: &'a StochasticPlan,
    pub(super) options: &'a RunOptions,
    pub(super) clock: Clock,
    pub(super) time: TimePlan,
    pub(super) keeper: Keeper,
    pub(super) margin: usize,
    /// The picture so far with its margin, at the size of the last level that was begun.
    pub(super) canvas: Raster,
    pub(super) counts: Counts,
    pub(super) records: Vec<Record>,
    /// What the run should take, until it was told.
    pub(super) forecast: Option<Forecast>,
}

/// Steps with one objective.
pub(super) struct Steps<'a> {
    pub(super) scale: usize,
    /// The size of the picture, and that with its margin.
    pub(super) size: Size,
    pub(super) whole: Size,
    /// The margin; 0 where the picture wraps or is a window.
    pub(super) margin: usize,
    /// The first step, and one after the last.
    pub(super) first: usize,
    pub(super) count: usize,
    /// The number of the draw of step 0.
    pub(super) draw: usize,
    pub(super) deadline: Option<Duration>,
    /// 0 at pixels that stay, and 1 elsewhere.
    pub(super) free: Option<&'a Raster>,
    /// Whether checkpoints are saved on the way.
    pub(super) saved: bool,
    pub(super) wraps: bool,
}

impl Stochastic<'_> {
    /// Takes the progress and the records of a saved run.
    pub(super) fn go_on(&mut self, saved: &mut SavedRun<'_>) -> Result<()> {
        let level = self.plan.levels.get(saved.progress.scale);
        saved.check(level.map(|level| level.size), self.canvas.channels())?;
        self.clock = Clock::new(self.plan.begun, saved.progress.elapsed);
        self.counts = saved.progress.counts;
        self.records = std::mem::take(&mut saved.records);
        Ok(())
    }

    /// One level, from the start or from a saved state, and why it ended.
    pub(super) fn level(
        &mut self,
        scale: usize,
        objective: &mut dyn FnMut(Level, &Raster) -> Box<dyn Estimate>,
        observer: &mut dyn Observer,
        saved: Option<SavedRun<'static>>,
    ) -> Result<StopReason> {
        let level = self.plan.levels[scale];
        let Level { size, steps, .. } = level;
        let deadline = self.time.deadline(scale, self.clock.elapsed());
        observer.prepare(&Preparation {
            scale,
            scales: self.plan.levels.len(),
            size,
            saving: self.plan.memory.saving(),
            forecast: self.forecast.take(),
        });
        let started = Instant::now();
        let state = match saved {
            Some(saved) => Some(self.take_start(saved, size)?),
            None => {
                self.begin(scale, size);
                None
            }
        };
        if let Some(grid) = self.plan.grid(size) {
            return self.level_by_windows(scale, (&grid, deadline), objective, observer);
        }
        let free = self.restore_kept();
        let estimate = objective(level, &self.canvas);
        let (whole, channels) = (self.canvas.size(), self.canvas.channels());
        let adam = match state {
            None => self.optimiser()?,
            Some((optimiser, memory)) => {
                if !estimate.recall(&memory, whole) {
                    let reason = "what its objective keeps from step to step is incomplete";
                    return Err(Error::content(FileUse::Checkpoint, reason));
                }
                Adam::restore(optimiser, whole.pixels() * channels)?
            }
        };
        self.counts.preparing += started.elapsed();
        let first = usize::try_from(adam.steps()).unwrap_or(steps);
        let steps = Steps {
            scale,
            size,
            whole,
            margin: self.margin,
            first,
            count: steps,
            draw: self.before(first)?,
            deadline,
            free: free.as_ref(),
            saved: true,
            wraps: self.margin == 0,
        };
        let mut stepper = self.stepper(&steps, adam, &*estimate);
        let stop = self.descend(&steps, &mut *stepper, &*estimate, observer);
        if stop.is_ok() {
            self.save(scale, &*stepper, &*estimate);
        }
        self.canvas = Raster::new(whole, channels, stepper.into_point());
        stop
    }

    /// The optimiser with the objective, where they are computed.
    pub(super) fn stepper<'e>(
        &self,
        steps: &Steps<'e>,
        adam: Adam,
        estimate: &'e dyn Estimate,
    ) -> Box<dyn Stepper + 'e> {
        let picture = Optimised {
            size: steps.size,
            whole: steps.whole,
            channels: self.canvas.channels(),
            wraps: steps.wraps,
            free: steps.free,
        };
        stepper(adam, estimate, picture)
    }

    /// Takes steps with one objective, and says why they ended. An error leaves the optimiser at the last good point.
    pub(super) fn descend(
        &mut self,
        steps: &Steps<'_>,
        stepper: &mut dyn Stepper,
        estimate: &dyn Estimate,
        observer: &mut dyn Observer,
    ) -> Result<StopReason> {
        let Steps { scale, size, .. } = *steps;
        let evaluations = self.plan.evaluations();
        let scales = self.plan.levels.len();
        let channels = self.canvas.channels();
        let stepping = Instant::now();
        for step in steps.first..steps.count {
            let rate = falling_rate(RATES, HOLD, step, steps.count);
            let values = stepper.step((steps.draw + step) as u32, rate)?;
            self.counts.evaluations += 1;
            self.counts.iterations += 1;
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
                point: Point::Last {
                    stepper: &*stepper,
                    margin: steps.margin,
                },
                channels,
            });
            if control == Control::Stop {
                return Ok(StopReason::Stopped);
            }
            // After two, so that every size takes a step whatever the clock says.
            self.time
                .measured(scale, step + 1 - steps.first, stepping.elapsed());
            if step > 0 && self.time.is_over(scale, steps.deadline, elapsed) {
                return Ok(StopReason::Time);
            }
            if steps.saved && self.keeper.is_due() {
                self.save(scale, &*stepper, estimate);
            }
        }
        Ok(StopReason::Evaluations)
    }

    /// The evaluations before a level of which `first` are made.
    fn before(&self, first: usize) -> Result<usize> {
        let before = self.counts.evaluations.checked_sub(first);
        before.ok_or_else(|| {
            let reason = "its optimiser has made more steps than the run";
            Error::content(FileUse::Checkpoint, reason)
        })
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
    fn take_start(
        &mut self,
        saved: SavedRun<'static>,
        size: Size,
    ) -> Result<(Saved<'static>, Vec<u32>)> {
        let (whole, channels) = (size.with_margin(self.margin), self.canvas.channels());
        let fits = |start: &Cow<'_, Raster>| start.size() == whole && start.channels() == channels;
        let Some(start) = saved.start.filter(fits) else {
            let reason = "the picture at the start of its scale is not there";
            return Err(Error::content(FileUse::Checkpoint, reason));
        };
        self.canvas = start.into_owned();
        Ok((saved.optimiser, saved.memory))
    }

    pub(super) fn resize(&mut self, size: Size) {
        if self.canvas.size() != size.with_margin(self.margin) {
            self.canvas = resized_within_margin(&self.canvas, size, self.margin);
        }
    }

    /// Restores the pixels that stay; see [`restore_kept`].
    pub(super) fn restore_kept(&mut self) -> Option<Raster> {
        let kept = self.plan.kept.as_ref()?;
        Some(restore_kept(kept, &mut self.canvas, self.margin))
    }

    /// The optimiser from the canvas on. The canvas stays only if a checkpoint is to have it.
    fn optimiser(&mut self) -> Result<Adam> {
        let values = match self.keeper.keeps() {
            true => self.canvas.values().to_vec(),
            false => {
                let empty = Raster::new(Size::square(0), self.canvas.channels(), Vec::new());
                std::mem::replace(&mut self.canvas, empty).into_values()
            }
        };
        self.optimiser_from(values)
    }

    pub(super) fn optimiser_from(&self, values: Vec<f32>) -> Result<Adam> {
        let options = AdamOptions {
            bounds: self.options.bounds,
            compact: self.plan.memory.compact,
            ..AdamOptions::default()
        };
        Adam::new(values, options)
    }

    fn save(&mut self, scale: usize, stepper: &dyn Stepper, estimate: &dyn Estimate) {
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
        keeper.save(|identity, write| {
            let adam = stepper.adam()?;
            let whole = Raster::new(canvas.size(), canvas.channels(), adam.ask().to_vec());
            let corner = (*margin as isize, *margin as isize);
            let inner = canvas.size().without_margin(*margin);
            write(SavedRun {
                identity,
                note: String::new(),
                progress: SavedProgress {
                    scale,
                    counts: *counts,
                    elapsed: clock.elapsed(),
                    names: plan.terms.iter().map(|name| (*name).to_owned()).collect(),
                },
                records: records.clone(),
                picture: Cow::Owned(whole.into_window(corner, inner)),
                start: Some(Cow::Borrowed(canvas)),
                optimiser: adam.save()?,
                memory: estimate.memory(),
            })
        });
    }
}
