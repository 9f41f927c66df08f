//! A run in progress: its picture, and the loop through the evaluations of one scale.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use super::{
    Control, Counts, KeptPixels, Observer, Point, Preparation, Progress, Record, RunOptions, Term,
    deadline, enlarged, noise_image,
};
use crate::backend::guarded;
use crate::engine::Padding;
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size};
use crate::network::Vgg;
use crate::objective::Objective;
use crate::optim::{Lbfgs, Next, StopReason};
use crate::random::Purpose;

/// How many of the evaluations left the next scale gets, when `scales` scales are to come. Of two
/// scales the coarser gets twice as many as the finer, of three the coarsest three times as many as
/// the finest. Evaluations of coarse scales are cheap, and what they settle need not be done again.
fn share(left: usize, scales: usize) -> usize {
    let parts = scales * (scales + 1) / 2;
    (left * scales).div_ceil(parts)
}

/// The share of the time left that the next of `scales` scales gets. Each scale has four times the
/// pixels of the one before, and as many evaluations as [`share`] gives it.
fn share_of_time(scales: usize) -> f64 {
    // The next scale takes `scales` parts, the one after it 4 (scales - 1), and so on.
    let cost = |later: usize| 4f64.powi(later as i32) * (scales - later) as f64;
    cost(0) / (0..scales).map(cost).sum::<f64>()
}

/// Amplitude of the noise at which weights are measured; they hardly depend on it.
const MEASURING_NOISE: f64 = 0.1;

/// Evaluations between two reads of the picture. A device that fails loses no more than these.
const READ_EVERY: usize = 25;

/// A run in progress.
pub(super) struct Descent<'a> {
    pub(super) vgg: &'a Vgg,
    pub(super) options: &'a RunOptions,
    pub(super) begun: Instant,
    pub(super) scales: usize,
    /// The colour around which weights are measured.
    pub(super) mean: Vec<f32>,
    pub(super) kept: Option<KeptPixels>,
    /// The picture so far, at the size of the last scale that was begun.
    pub(super) picture: Raster,
    /// Whether the picture was read from the device, and is not the one that the run started from.
    pub(super) read: bool,
    pub(super) names: Vec<String>,
    pub(super) counts: Counts,
    pub(super) records: Vec<Record>,
}

impl Descent<'_> {
    /// Brings the picture to `size` and restores its kept pixels; see [`KeptPixels::put`] for what is
    /// returned.
    pub(super) fn enlarge(&mut self, size: Size) -> Option<Raster> {
        let wraps = self.vgg.padding() == Padding::Circular;
        self.picture = enlarged(&self.picture, size, wraps);
        let kept = self.kept.as_ref()?;
        Some(kept.put(&mut self.picture))
    }

    /// One scale, and why it ended; none if no evaluations are left for it.
    pub(super) fn scale(
        &mut self,
        scale: usize,
        size: Size,
        objective: &mut dyn FnMut(usize) -> Result<Objective>,
        observer: &mut dyn Observer,
    ) -> Result<Option<StopReason>> {
        let left = self.options.evaluations_of_lbfgs() - self.counts.evaluations;
        let share = share(left, self.scales - scale);
        if share == 0 {
            return Ok(None);
        }
        let until = self.until(scale);
        let started = Instant::now();
        observer.prepare(&Preparation {
            scale,
            scales: self.scales,
            size,
        });
        let device = self.vgg.device();
        let channels = self.picture.channels();
        let measuring = (self.options.seed, Purpose::Measurement, scale as u32);
        let noise = noise_image(size, &self.mean, MEASURING_NOISE, measuring);
        let objective = guarded(|| {
            let mut objective = objective(scale)?;
            objective.normalize(noise.to_tensor(device))?;
            Ok(objective)
        })?;
        self.names = objective.names().map(str::to_owned).collect();
        let free = self.enlarge(size);
        let values = size.pixels() * channels;
        let shape = [1, channels, size.height, size.width];
        let (mut lbfgs, gate) = guarded(|| {
            let from = self.picture.to_tensor(device).reshape([values]);
            let lbfgs = Lbfgs::new(from, self.options.optimiser(share, values))?;
            Ok((lbfgs, free.map(|free| free.to_tensor(device))))
        })?;
        let reason = loop {
            let next = guarded(|| step(&objective, &mut lbfgs, shape, gate.as_ref()))?;
            self.counts.evaluations += 1;
            if lbfgs.evaluations() == 1 {
                self.counts.preparing += started.elapsed();
            }
            self.records.push(Record {
                scale,
                evaluation: self.counts.evaluations,
                elapsed: self.begun.elapsed(),
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
                evaluations: self.options.evaluations_of_lbfgs(),
                elapsed: self.begun.elapsed(),
                terms: &terms,
                point: Point::Best(&lbfgs),
                channels,
            };
            let control = observer.observe(&progress);
            let late = until.is_some_and(|until| progress.elapsed >= until);
            match next {
                Next::Stop(reason) => break reason,
                _ if control == Control::Stop => {
                    lbfgs.stop();
                    break StopReason::Asked;
                }
                // After two, so that every scale takes a step whatever the clock says.
                _ if late && lbfgs.evaluations() > 1 => break StopReason::Time,
                _ if lbfgs.evaluations() % READ_EVERY == 0 => self.read(&lbfgs, shape)?,
                _ => {}
            }
        };
        self.counts.restarts += lbfgs.restarts();
        self.counts.iterations += lbfgs.iterations();
        if reason == StopReason::NotFinite {
            return Err(Error::NotFinite {
                what: format!("the objective at the start of scale {}", scale + 1),
                value: f32::NAN,
            });
        }
        self.read(&lbfgs, shape)?;
        Ok(Some(reason))
    }

    /// When a scale is to end, counted from the beginning of the run.
    fn until(&self, scale: usize) -> Option<Duration> {
        let share = share_of_time(self.scales - scale);
        let limit = self.options.time_limit?;
        Some(deadline(limit, self.begun.elapsed(), share))
    }

    /// Takes the best point so far as the picture.
    fn read(&mut self, lbfgs: &Lbfgs, shape: [usize; 4]) -> Result<()> {
        self.picture = guarded(|| Raster::from_tensor(lbfgs.point().reshape(shape)))?;
        self.read = true;
        Ok(())
    }
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
