//! A run by L-BFGS: its picture, and the loop through the evaluations of one scale.

use std::borrow::Cow;
use std::time::Instant;

use burn::tensor::Tensor;

use super::canvas::{noise_image, resized};
use super::checkpoint::Keeper;
use super::saved::{SavedProgress, SavedRun};
use super::time::{Clock, TimePlan};
use super::{
    Control, Counts, KeptPixels, Observer, Point, Preparation, Progress, Record, RunOptions,
    Saving, StopReason, Term,
};
use crate::backend::guarded;
use crate::engine::Padding;
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size};
use crate::network::Vgg;
use crate::objective::Objective;
use crate::optim::{Lbfgs, Next, Saved, Termination};
use crate::random::Purpose;

/// How many of the evaluations left the next scale gets, when `scales` scales are to come. Of two
/// scales the coarser gets twice as many as the finer, of three the coarsest three times as many as
/// the finest. Evaluations of coarse scales are cheap, and what they settle need not be done again.
pub(super) fn share(left: usize, scales: usize) -> usize {
    let parts = (scales * (scales + 1) / 2) as u128;
    // At most what is left.
    (left as u128 * scales as u128).div_ceil(parts) as usize
}

/// Amplitude of the noise at which weights are measured; they hardly depend on it.
const MEASURING_NOISE: f64 = 0.1;

/// Evaluations between two reads of the picture. A device that fails loses no more than these.
const READ_EVERY: usize = 25;

/// A run in progress.
pub(super) struct Descent<'a> {
    pub(super) vgg: &'a Vgg,
    pub(super) options: &'a RunOptions,
    pub(super) clock: Clock,
    pub(super) time: TimePlan,
    pub(super) keeper: Keeper,
    pub(super) scales: usize,
    /// The colour around which weights are measured.
    pub(super) mean: Vec<f32>,
    pub(super) kept: Option<KeptPixels>,
    /// The picture so far, at the size of the last scale that was begun.
    pub(super) picture: Raster,
    /// Whether the picture was made by evaluations, and is not the one that the run started from.
    pub(super) made: bool,
    pub(super) names: Vec<String>,
    pub(super) counts: Counts,
    pub(super) records: Vec<Record>,
}

impl Descent<'_> {
    /// Resizes the picture and restores its kept pixels; see [`KeptPixels::restore`] for what is
    /// returned.
    pub(super) fn resize(&mut self, size: Size) -> Option<Raster> {
        let wraps = self.vgg.padding() == Padding::Circular;
        self.picture = resized(&self.picture, size, wraps);
        let kept = self.kept.as_ref()?;
        Some(kept.restore(&mut self.picture))
    }

    /// One scale, from the start or from the `saved` state of its optimiser, and why it ended; none if
    /// no evaluations are left for it.
    pub(super) fn scale(
        &mut self,
        scale: usize,
        size: Size,
        objective: &mut dyn FnMut(usize, Objective) -> Result<Objective>,
        observer: &mut dyn Observer,
        saved: Option<Saved<'_>>,
    ) -> Result<Option<StopReason>> {
        let deadline = self.time.deadline(scale, self.clock.elapsed());
        let started = Instant::now();
        let device = self.vgg.device();
        let channels = self.picture.channels();
        let values = size.pixels() * channels;
        let shape = [1, channels, size.height, size.width];
        let allowed = self.options.evaluations_of_lbfgs();
        let saved = match saved {
            Some(saved) => Some(guarded(|| Lbfgs::restore(saved, values, device))?),
            None => None,
        };
        // The share is that of the beginning of the scale, also for a run that goes on within it.
        let made = saved.as_ref().map_or(0, Lbfgs::evaluations);
        let left = allowed.saturating_add(made);
        let left = left.saturating_sub(self.counts.evaluations);
        let share = share(left, self.scales - scale);
        let restored = match saved {
            None if share == 0 => return Ok(None),
            None => None,
            Some(mut lbfgs) => {
                lbfgs.set_evaluations(Some(share));
                if let Some(termination) = lbfgs.termination() {
                    self.save(scale, &lbfgs, shape);
                    return self.ended(&lbfgs, shape, termination.into()).map(Some);
                }
                Some(lbfgs)
            }
        };
        let plan = self.options.memory_plan(size, channels)?;
        let asked = self.options.lbfgs.history;
        observer.prepare(&Preparation {
            scale,
            scales: self.scales,
            size,
            saving: Saving {
                block_side: plan.block_side,
                pairs: (plan.history < asked).then_some(plan.history),
                ..Saving::default()
            },
            forecast: None,
        });
        let objective = self.objective(scale, size, plan.block_side, objective)?;
        self.names = objective.names().map(str::to_owned).collect();
        let free = self.resize(size);
        let gate = guarded(|| Ok(free.map(|free| free.to_tensor(device))))?;
        let mut lbfgs = match restored {
            Some(lbfgs) => lbfgs,
            None => guarded(|| {
                let from = self.picture.to_tensor(device).reshape([values]);
                let mut options = self.options.optimiser(share, values);
                options.settings.history = plan.history;
                Lbfgs::new(from, options)
            })?,
        };
        let mut prepared = None;
        let first = lbfgs.evaluations();
        let reason = loop {
            let next = guarded(|| step(&objective, &mut lbfgs, shape, gate.as_ref()))?;
            self.counts.evaluations += 1;
            if prepared.is_none() {
                self.counts.preparing += started.elapsed();
                prepared = Some(Instant::now());
            }
            if let Some(prepared) = prepared {
                let after_first = lbfgs.evaluations() - first - 1;
                self.time.measured(scale, after_first, prepared.elapsed());
            }
            let elapsed = self.clock.elapsed();
            self.records.push(Record {
                scale,
                evaluation: self.counts.evaluations,
                elapsed,
                terms: lbfgs.values().to_vec(),
            });
            let terms: Vec<Term> = self
                .names
                .iter()
                .zip(lbfgs.values())
                .map(|(name, &value)| Term { name, value })
                .collect();
            let progress = Progress {
                scale,
                scales: self.scales,
                size,
                evaluation: self.counts.evaluations,
                evaluations: allowed,
                elapsed,
                terms: &terms,
                point: Point::Best(&lbfgs),
                channels,
            };
            let control = observer.observe(&progress);
            match next {
                Next::Stop(Termination::NotFinite) => {
                    return Err(Error::NotFinite {
                        what: format!("the objective at the start of scale {}", scale + 1),
                        value: f32::NAN,
                    });
                }
                Next::Stop(termination) => break termination.into(),
                _ if control == Control::Stop => break StopReason::Stopped,
                // After two, so that every scale takes a step whatever the clock says.
                _ if lbfgs.evaluations() > 1 && self.time.is_over(scale, deadline, elapsed) => {
                    break StopReason::Time;
                }
                _ if lbfgs.evaluations() % READ_EVERY == 0 => self.read(&lbfgs, shape)?,
                _ => {}
            }
            if self.keeper.is_due() {
                self.save(scale, &lbfgs, shape);
            }
        };
        self.save(scale, &lbfgs, shape);
        self.ended(&lbfgs, shape, reason).map(Some)
    }

    /// The objective of a scale, its weights measured at noise.
    fn objective(
        &self,
        scale: usize,
        size: Size,
        block_side: Option<usize>,
        objective: &mut dyn FnMut(usize, Objective) -> Result<Objective>,
    ) -> Result<Objective> {
        let measuring = (self.options.seed, Purpose::Measurement, scale as u32);
        let noise = noise_image(size, &self.mean, MEASURING_NOISE, measuring);
        guarded(|| {
            let mut empty = Objective::new(self.vgg);
            // Where a map of the whole image fits into no buffer, blocks of it do.
            let sides = block_side.into_iter().chain(self.vgg.largest_side());
            if let Some(side) = sides.min() {
                empty = empty.with_block_side(side);
            }
            let mut objective = objective(scale, empty)?;
            objective.normalize(noise.to_tensor(self.vgg.device()))?;
            Ok(objective)
        })
    }

    /// The end of a scale: its best point is the picture.
    fn ended(
        &mut self,
        lbfgs: &Lbfgs,
        shape: [usize; 4],
        reason: StopReason,
    ) -> Result<StopReason> {
        self.counts.restarts += lbfgs.restarts();
        self.counts.iterations += lbfgs.iterations();
        self.read(lbfgs, shape)?;
        Ok(reason)
    }

    /// Takes the best point so far as the picture.
    fn read(&mut self, lbfgs: &Lbfgs, shape: [usize; 4]) -> Result<()> {
        self.picture = best(lbfgs, shape)?;
        self.made = true;
        Ok(())
    }

    fn save(&mut self, scale: usize, lbfgs: &Lbfgs, shape: [usize; 4]) {
        let Self {
            keeper,
            counts,
            clock,
            names,
            records,
            ..
        } = self;
        keeper.save(|identity, write| {
            guarded(|| {
                write(SavedRun {
                    identity,
                    note: String::new(),
                    progress: SavedProgress {
                        scale,
                        counts: *counts,
                        elapsed: clock.elapsed(),
                        names: names.clone(),
                    },
                    records: records.clone(),
                    picture: Cow::Owned(best(lbfgs, shape)?),
                    start: None,
                    optimiser: lbfgs.save()?,
                    memory: Vec::new(),
                })
            })
        });
    }
}

/// The best point so far as a picture.
fn best(lbfgs: &Lbfgs, shape: [usize; 4]) -> Result<Raster> {
    guarded(|| Raster::from_tensor(lbfgs.point().reshape(shape)))
}

/// One evaluation, told to the optimiser.
fn step(
    objective: &Objective,
    lbfgs: &mut Lbfgs,
    shape: [usize; 4],
    gate: Option<&Tensor<4>>,
) -> Result<Next> {
    let evaluation = objective.evaluate(lbfgs.ask().reshape(shape))?;
    let gradient = match gate {
        Some(gate) => evaluation.gradient * gate.clone(),
        None => evaluation.gradient,
    };
    let values = shape.iter().product::<usize>();
    lbfgs.tell(evaluation.values, gradient.reshape([values]))
}
