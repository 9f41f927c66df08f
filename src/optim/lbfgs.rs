//! Limited-memory BFGS with a strong Wolfe line search, as a state machine on device vectors.

use std::collections::VecDeque;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::line_search::{LineSearch, LineSearchFailure, Verdict};
use super::options::{LbfgsOptions, StopReason};
use crate::backend::read;
use crate::error::{Error, Result};

/// A pair is kept only if the cosine between step and gradient change exceeds this.
const LEAST_CURVATURE: f64 = 1e-8;

/// What [`Lbfgs::tell`] wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An evaluation at [`Lbfgs::ask`]; the last one was a trial of a line search.
    Search,
    /// An evaluation at [`Lbfgs::ask`]; the last one was accepted as the new point.
    Step,
    /// Nothing: it is over.
    Stop(StopReason),
}

/// Minimises a function of a vector by L-BFGS (Nocedal and Wright, *Numerical Optimization*, 2nd
/// edition, algorithms 7.4 and 7.5) with the line search of Moré and Thuente.
///
/// It asks for evaluations and is told their results, so that whoever drives it owns time,
/// progress and cancelling. Vectors stay on their device; each evaluation costs one read, of all
/// its scalars packed together.
///
/// Values may be told in several terms: their sum is minimised, and each can be read back. What
/// other implementations do silently is explicit and counted here: pairs without positive
/// curvature are not stored ([`skipped`](Self::skipped)); a direction that does not descend, or a
/// failed search, clears the history and goes on along the gradient ([`restarts`](Self::restarts));
/// a step to where the value is not finite is shortened. Tolerances are relative and zero by
/// default, so that it does not stop early on functions of small values.
///
/// With [`bounds`](LbfgsOptions::bounds) trial points are projected into the box and components
/// that rest against it are left out of directions.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use ranvgg::optim::{LbfgsOptions, Next};
/// use ranvgg::Lbfgs;
///
/// // (x - 3)^2 + 10 (y + 1)^2
/// let centre = Tensor::<1>::from_floats([3.0, -1.0], &Device::flex());
/// let scale = Tensor::<1>::from_floats([1.0, 10.0], &Device::flex());
/// let mut lbfgs = Lbfgs::new(centre.zeros_like(), LbfgsOptions::default())?;
/// for _ in 0..30 {
///     let away = lbfgs.ask() - centre.clone();
///     let value = (scale.clone() * away.clone().square()).sum();
///     let gradient = scale.clone() * away * 2.0;
///     if let Next::Stop(_) = lbfgs.tell(value, gradient)? {
///         break;
///     }
/// }
/// assert!(lbfgs.value() < 1e-9);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs {
    pub(super) options: LbfgsOptions,
    /// The accepted point, with what was told there.
    pub(super) current: Point,
    /// Where an evaluation is wanted.
    pub(super) trial: Tensor<1>,
    pub(super) step: f64,
    pub(super) direction: Option<Tensor<1>>,
    pub(super) search: Option<LineSearch>,
    /// The best trial of the search under way that is lower than the accepted point.
    pub(super) candidate: Option<(Point, Curvature)>,
    /// Oldest first.
    pub(super) pairs: VecDeque<Pair>,
    pub(super) first_gradient: f64,
    pub(super) counts: Counts,
    pub(super) stopped: Option<StopReason>,
}

/// A point with value and gradient; before the first evaluation there is no gradient.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) position: Tensor<1>,
    pub(super) gradient: Option<Tensor<1>>,
    pub(super) values: Vec<f64>,
    pub(super) largest: f64,
    pub(super) norm: f64,
}

impl Point {
    fn value(&self) -> f64 {
        if self.values.is_empty() {
            f64::INFINITY
        } else {
            self.values.iter().sum()
        }
    }
}

/// A step `s` with the gradient change `y` along it; `inverse` is `1 / s.y`.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) step: Tensor<1>,
    pub(super) change: Tensor<1>,
    pub(super) inverse: f64,
    /// `s.y / y.y`, the size of the inverse Hessian along the step.
    pub(super) scale: f64,
}

/// Inner products of a step `s` and its gradient change `y`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Curvature {
    pub(super) step_change: f64,
    pub(super) change_change: f64,
    pub(super) step_step: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) evaluations: usize,
    pub(super) iterations: usize,
    pub(super) restarts: usize,
    pub(super) skipped: usize,
}

impl Lbfgs {
    /// Starts at `point`, projected into the bounds if there are any.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for settings outside of what is allowed.
    pub fn new(point: Tensor<1>, options: LbfgsOptions) -> Result<Self> {
        options.check()?;
        let position = project(point, &options);
        Ok(Self {
            trial: position.clone(),
            current: Point {
                position,
                gradient: None,
                values: Vec::new(),
                largest: 0.0,
                norm: 0.0,
            },
            options,
            step: 0.0,
            direction: None,
            search: None,
            candidate: None,
            pairs: VecDeque::new(),
            first_gradient: 0.0,
            counts: Counts::default(),
            stopped: None,
        })
    }

    /// Where an evaluation is wanted.
    #[must_use]
    pub fn ask(&self) -> Tensor<1> {
        self.trial.clone()
    }

    /// The best point so far.
    #[must_use]
    pub fn point(&self) -> Tensor<1> {
        self.lowest().position.clone()
    }

    /// The value at the best point; infinite before the first evaluation.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.lowest().value()
    }

    /// The terms of the value at the best point, as they were told.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.lowest().values
    }

    /// Evaluations told.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        self.counts.evaluations
    }

    /// Steps accepted.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.counts.iterations
    }

    /// Times the history was cleared.
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.counts.restarts
    }

    /// Pairs not stored for want of positive curvature.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.counts.skipped
    }

    /// Why it is over, if it is.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.stopped
    }

    /// Ends it here.
    pub fn stop(&mut self) {
        self.stopped.get_or_insert(StopReason::Asked);
    }

    fn lowest(&self) -> &Point {
        match &self.candidate {
            Some((point, _)) if point.value() < self.current.value() => point,
            _ => &self.current,
        }
    }

    /// Takes the terms of the value, `[k]`, and the gradient at the point asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for a gradient of another length, [`Error::Device`] if the read fails.
    pub fn tell(&mut self, values: Tensor<1>, gradient: Tensor<1>) -> Result<Next> {
        if gradient.dims() != self.trial.dims() {
            return Err(Error::Shape {
                what: "the gradient told to the optimiser".into(),
                found: gradient.dims().to_vec(),
                expected: format!("{:?}", self.trial.dims()),
            });
        }
        if let Some(reason) = self.stopped {
            return Ok(Next::Stop(reason));
        }
        self.counts.evaluations += 1;
        let read = self.read(values, &gradient)?;
        let next = match (&self.direction, &self.current.gradient) {
            (Some(_), Some(_)) => self.told_in_search(read, gradient),
            _ => self.told_at_start(read, gradient),
        };
        if let Next::Stop(reason) = next {
            self.stopped = Some(reason);
        } else if self
            .options
            .evaluations
            .is_some_and(|most| self.counts.evaluations >= most)
        {
            self.stopped = Some(StopReason::Evaluations);
            return Ok(Next::Stop(StopReason::Evaluations));
        }
        Ok(next)
    }

    /// Everything the host needs of an evaluation, in one read.
    fn read(&self, values: Tensor<1>, gradient: &Tensor<1>) -> Result<Read> {
        let [terms] = values.dims();
        let free = self.free(&self.trial, gradient);
        let mut packed = vec![values, free.clone().abs().max(), dot(&free, &free)];
        if let (Some(direction), Some(before)) = (&self.direction, &self.current.gradient) {
            let moving = self.moving(direction);
            let change = gradient.clone() - before.clone();
            let step = self.trial.clone() - self.current.position.clone();
            packed.extend([
                dot(gradient, &moving),
                dot(before, direction),
                dot(&step, &change),
                dot(&change, &change),
                dot(&step, &step),
            ]);
        }
        let numbers: Vec<f64> = read(Tensor::cat(packed, 0))?;
        let (values, rest) = numbers.split_at(terms);
        let at = |i: usize| rest.get(i).copied().unwrap_or(0.0);
        Ok(Read {
            values: values.to_vec(),
            largest: at(0),
            norm: at(1).sqrt(),
            slope: at(2),
            slope_before: at(3),
            curvature: Curvature {
                step_change: at(4),
                change_change: at(5),
                step_step: at(6),
            },
        })
    }

    fn told_at_start(&mut self, read: Read, gradient: Tensor<1>) -> Next {
        let Some(value) = read.finite_value() else {
            return Next::Stop(StopReason::NotFinite);
        };
        self.first_gradient = read.largest;
        self.current = read.into_point(self.trial.clone(), gradient);
        debug_assert!(value.is_finite());
        self.next_direction()
    }

    fn told_in_search(&mut self, read: Read, gradient: Tensor<1>) -> Next {
        let slope_before = read.slope_before;
        let search = match &mut self.search {
            Some(search) => search,
            None if slope_before < 0.0 => self.search.insert(LineSearch::new(
                self.options.settings.conditions(),
                self.current.value(),
                slope_before,
                self.step,
            )),
            // The history points uphill: a useless direction, known only now since its slope
            // comes with the first trial.
            None => return self.restart(LineSearchFailure::Precision),
        };
        let value = read.finite_value();
        let verdict = search.tell(value.unwrap_or(f64::NAN), read.slope);
        let curvature = read.curvature;
        if value.is_some_and(|value| value < self.lowest().value()) || verdict == Verdict::Accept {
            let point = read.into_point(self.trial.clone(), gradient);
            self.candidate = Some((point, curvature));
        }
        match verdict {
            Verdict::Try(step) => {
                self.step = step;
                self.place_trial();
                Next::Search
            }
            Verdict::Accept => self.accept(),
            Verdict::Fail(failure @ LineSearchFailure::LongestStep) => {
                // No end in sight: the function has no minimum along this line.
                self.accept();
                Next::Stop(StopReason::LineSearch(failure))
            }
            // Some trial was lower all the same: take it, and let its pair pass the guard.
            Verdict::Fail(_) if self.candidate.is_some() => self.accept(),
            Verdict::Fail(failure) => self.restart(failure),
        }
    }

    fn accept(&mut self) -> Next {
        let Some((point, curvature)) = self.candidate.take() else {
            return Next::Stop(StopReason::LineSearch(LineSearchFailure::Precision));
        };
        self.counts.iterations += 1;
        let Curvature {
            step_change,
            change_change,
            step_step,
        } = curvature;
        let guard = LEAST_CURVATURE * (step_step * change_change).sqrt();
        if let (true, Some(now), Some(before)) =
            (step_change > guard, &point.gradient, &self.current.gradient)
        {
            if self.pairs.len() == self.options.settings.history {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair {
                step: point.position.clone() - self.current.position.clone(),
                change: now.clone() - before.clone(),
                inverse: 1.0 / step_change,
                scale: step_change / change_change,
            });
        } else {
            self.counts.skipped += 1;
        }
        let (before, now) = (self.current.value(), point.value());
        self.current = point;
        let tolerance = self.options.settings.change_tolerance * before.abs().max(now.abs());
        if self.options.settings.change_tolerance > 0.0 && before - now <= tolerance {
            return Next::Stop(StopReason::Change);
        }
        self.next_direction()
    }

    fn restart(&mut self, failure: LineSearchFailure) -> Next {
        if self.pairs.is_empty() {
            return Next::Stop(StopReason::LineSearch(failure));
        }
        self.pairs.clear();
        self.counts.restarts += 1;
        self.next_direction()
    }

    /// Sets out from the accepted point.
    fn next_direction(&mut self) -> Next {
        self.search = None;
        self.candidate = None;
        let limit = self.options.settings.gradient_tolerance * self.first_gradient;
        let Some(gradient) = &self.current.gradient else {
            return Next::Stop(StopReason::NotFinite);
        };
        if self.current.largest <= limit {
            return Next::Stop(StopReason::Gradient);
        }
        let free = self.free(&self.current.position, gradient);
        self.step = if self.pairs.is_empty() {
            self.options.first_step / self.current.norm
        } else {
            1.0
        };
        let direction = self.times_inverse_hessian(-free);
        self.direction = Some(self.inward(direction));
        self.place_trial();
        Next::Step
    }

    fn place_trial(&mut self) {
        if let Some(direction) = &self.direction {
            let position = self.current.position.clone() + direction.clone().mul_scalar(self.step);
            self.trial = project(position, &self.options);
        }
    }

    /// The two-loop recursion. Its scalars stay on the device as tensors of one value.
    fn times_inverse_hessian(&self, vector: Tensor<1>) -> Tensor<1> {
        let Some(newest) = self.pairs.back() else {
            return vector;
        };
        let mut q = vector;
        let mut shares = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let share = dot(&pair.step, &q).mul_scalar(pair.inverse);
            q = q - pair.change.clone() * share.clone();
            shares.push(share);
        }
        let mut r = q.mul_scalar(newest.scale);
        for (pair, share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let back = dot(&pair.change, &r).mul_scalar(pair.inverse);
            r = r + pair.step.clone() * (share - back);
        }
        r
    }

    /// The gradient without the components that push a coordinate out of the box it rests against.
    fn free(&self, position: &Tensor<1>, gradient: &Tensor<1>) -> Tensor<1> {
        let Some((low, high)) = self.options.bounds else {
            return gradient.clone();
        };
        let at_low = position.clone().lower_equal_scalar(low);
        let at_high = position.clone().greater_equal_scalar(high);
        let held_low = at_low.bool_and(gradient.clone().greater_scalar(0.0));
        let held_high = at_high.bool_and(gradient.clone().lower_scalar(0.0));
        gradient.clone().mask_fill(held_low.bool_or(held_high), 0.0)
    }

    /// A direction without the components that leave the box at once.
    fn inward(&self, direction: Tensor<1>) -> Tensor<1> {
        self.free(&self.current.position, &-direction.clone()).neg()
    }

    /// The components of a direction that still move at the trial point, where projection has not
    /// stopped them.
    fn moving(&self, direction: &Tensor<1>) -> Tensor<1> {
        let Some((low, high)) = self.options.bounds else {
            return direction.clone();
        };
        let stopped = self
            .trial
            .clone()
            .lower_equal_scalar(low)
            .bool_or(self.trial.clone().greater_equal_scalar(high));
        direction.clone().mask_fill(stopped, 0.0)
    }
}

/// The scalars of one evaluation.
struct Read {
    values: Vec<f64>,
    largest: f64,
    norm: f64,
    slope: f64,
    slope_before: f64,
    curvature: Curvature,
}

impl Read {
    fn finite_value(&self) -> Option<f64> {
        let value: f64 = self.values.iter().sum();
        (value.is_finite() && self.norm.is_finite()).then_some(value)
    }

    fn into_point(self, position: Tensor<1>, gradient: Tensor<1>) -> Point {
        Point {
            position,
            gradient: Some(gradient),
            values: self.values,
            largest: self.largest,
            norm: self.norm,
        }
    }
}

fn project(position: Tensor<1>, options: &LbfgsOptions) -> Tensor<1> {
    match options.bounds {
        Some((low, high)) => position.clamp(low, high),
        None => position,
    }
}

fn dot(a: &Tensor<1>, b: &Tensor<1>) -> Tensor<1> {
    // Not a matrix product, which some devices compute at reduced precision.
    (a.clone() * b.clone()).sum_dim(0)
}
