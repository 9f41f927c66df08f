//! Limited-memory BFGS with a line search for the strong Wolfe conditions: a state machine on vectors of
//! a device.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::line_search::{LineSearch, LineSearchFailure, Verdict};
use super::options::{LbfgsOptions, Termination};
use super::pairs::{Curvature, Pair, times_inverse_hessian};
use crate::backend::read;
use crate::engine::{inner_product, largest_absolute};
use crate::error::{Error, Result};

/// The answer of [`Lbfgs::tell`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An evaluation at [`Lbfgs::ask`]. The last one was a trial of the line search and was not accepted.
    Search,
    /// An evaluation at [`Lbfgs::ask`]. The last one was accepted as the new point.
    Step,
    /// Nothing: the minimisation is over.
    Stop(Termination),
}

/// Minimises a function of a vector by L-BFGS (Nocedal and Wright, *Numerical Optimization*, 2nd
/// edition, algorithms 7.4 and 7.5) with the line search of Moré and Thuente.
///
/// The optimiser asks for evaluations and is told their results, so the caller controls time and
/// progress, and cancels by asking no more. Vectors stay on their device. Each evaluation costs one read, of all its scalars packed
/// together.
///
/// A value may consist of several terms. The optimiser minimises their sum and remembers each of them.
///
/// These events are explicit and counted:
///
/// - A curvature pair without positive curvature is not stored ([`skipped`](Self::skipped)).
/// - A direction that does not descend, or a failed line search, clears the history, and the minimisation
///   continues along the gradient ([`restarts`](Self::restarts)).
/// - A step to a point whose value is not finite is shortened.
///
/// Tolerances are relative and zero by default, so functions of small values are not stopped early. A function
/// whose gradient at the start is so small or so large that squares of it leave the range of f32 is
/// minimised in other units.
///
/// With [`bounds`](LbfgsOptions::bounds) trial points are projected onto the box. Directions have no
/// components that push a variable out of it.
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
    /// The last accepted point.
    pub(super) current: Point,
    /// The point of the next evaluation.
    pub(super) trial: Tensor<1>,
    /// The trial is `step` times the direction away from the accepted point.
    pub(super) step: f64,
    pub(super) direction: Option<Tensor<1>>,
    pub(super) search: Option<LineSearch>,
    /// The best trial of the present line search that is lower than the accepted point.
    pub(super) candidate: Option<(Point, Curvature)>,
    /// The history, oldest pair first.
    pub(super) pairs: VecDeque<Pair>,
    /// The largest absolute component of the free gradient at the start.
    pub(super) first_gradient: f64,
    /// Values and gradients are multiplied by two to the power of this; see [`unit_of`].
    pub(super) unit: i32,
    pub(super) counts: Counts,
    pub(super) stopped: Option<Termination>,
}

/// A point with its value and gradient. Before the first evaluation there is no gradient.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) position: Tensor<1>,
    /// In units of the optimiser, as all that is computed from it.
    pub(super) gradient: Option<Tensor<1>>,
    /// The terms of the value.
    pub(super) values: Vec<f64>,
    /// The largest absolute component of the free gradient; see [`Bounds::free`].
    pub(super) largest: f64,
    /// The Euclidean norm of the free gradient.
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) evaluations: usize,
    pub(super) iterations: usize,
    pub(super) restarts: usize,
    pub(super) skipped: usize,
}

impl Lbfgs {
    /// Starts at `point`, projected onto the bounds if there are any.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for a setting out of range.
    pub fn new(point: Tensor<1>, options: LbfgsOptions) -> Result<Self> {
        options.check()?;
        let position = Bounds(options.bounds).project(point);
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
            unit: 0,
            counts: Counts::default(),
            stopped: None,
        })
    }

    /// The point of the next evaluation.
    #[must_use]
    pub fn ask(&self) -> Tensor<1> {
        self.trial.clone()
    }

    /// The best point so far.
    #[must_use]
    pub fn point(&self) -> Tensor<1> {
        self.lowest().position.clone()
    }

    /// The value at the best point. It is infinite before the first evaluation.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.lowest().value()
    }

    /// The terms of the value at the best point.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.lowest().values
    }

    /// Evaluations so far.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        self.counts.evaluations
    }

    /// Accepted steps.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.counts.iterations
    }

    /// How often the history was cleared.
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.counts.restarts
    }

    /// Pairs that were not stored because their curvature is not positive.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.counts.skipped
    }

    /// Why the minimisation is over, or nothing while it is not.
    #[must_use]
    pub fn termination(&self) -> Option<Termination> {
        self.stopped
    }

    /// Allows another number of evaluations. A minimisation that ended because all were used goes on
    /// if there are more now, with the same numbers as if they had been allowed from the start.
    pub fn set_evaluations(&mut self, evaluations: Option<usize>) {
        self.options.evaluations = evaluations;
        let used = evaluations.is_some_and(|most| self.counts.evaluations >= most);
        match self.stopped {
            Some(Termination::Evaluations) if !used => self.stopped = None,
            None if used => self.stopped = Some(Termination::Evaluations),
            _ => {}
        }
    }

    fn lowest(&self) -> &Point {
        match &self.candidate {
            Some((point, _)) if point.value() < self.current.value() => point,
            _ => &self.current,
        }
    }

    /// Takes the terms of the value, `[k]`, and the gradient at [`ask`](Self::ask), and answers what to do
    /// next.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for a gradient of another length or for no values, [`Error::DeviceMismatch`] for another device than
    /// that of the point, [`Error::Device`] if the read fails.
    pub fn tell(&mut self, values: Tensor<1>, gradient: Tensor<1>) -> Result<Next> {
        if gradient.dims() != self.trial.dims() {
            return Err(Error::Shape {
                what: "the gradient told to the optimiser".into(),
                found: gradient.dims().to_vec(),
                expected: format!("{:?}", self.trial.dims()),
            });
        }
        if values.dims() == [0] {
            return Err(Error::Shape {
                what: "the values told to the optimiser".into(),
                found: vec![0],
                expected: "[k], k at least 1".into(),
            });
        }
        let expected = self.trial.device();
        for (what, found) in [("value", values.device()), ("gradient", gradient.device())] {
            if found != expected {
                return Err(Error::DeviceMismatch {
                    what: format!("the {what} told to the optimiser"),
                    found: format!("{found:?}"),
                    expected: format!("{expected:?}"),
                });
            }
        }
        if let Some(reason) = self.stopped {
            return Ok(Next::Stop(reason));
        }
        self.counts.evaluations += 1;
        let (gradient, evaluation) = self.in_units(values, gradient)?;
        let next = match (&self.direction, &self.current.gradient) {
            (Some(_), Some(_)) => self.told_in_search(evaluation, gradient),
            _ => self.told_at_start(evaluation, gradient),
        };
        if let Next::Stop(reason) = next {
            self.stopped = Some(reason);
            return Ok(next);
        }
        self.set_evaluations(self.options.evaluations);
        Ok(self.stopped.map_or(next, Next::Stop))
    }

    /// The gradient and the scalars of an evaluation in the optimiser's units, which the first evaluation
    /// decides.
    fn in_units(
        &mut self,
        values: Tensor<1>,
        gradient: Tensor<1>,
    ) -> Result<(Tensor<1>, Evaluation)> {
        let scaled = |unit: i32| match unit {
            0 => gradient.clone(),
            _ => gradient.clone().mul_scalar(f64::from(unit).exp2()),
        };
        let gradient = scaled(self.unit);
        let evaluation = self.read_evaluation(values.clone(), &gradient)?;
        let unit = unit_of(evaluation.largest);
        if self.current.gradient.is_some() || unit == 0 {
            return Ok((gradient, evaluation));
        }
        self.unit = unit;
        let gradient = scaled(unit);
        let evaluation = self.read_evaluation(values, &gradient)?;
        Ok((gradient, evaluation))
    }

    /// Computes all scalars of an evaluation and reads them at once.
    fn read_evaluation(&self, values: Tensor<1>, gradient: &Tensor<1>) -> Result<Evaluation> {
        let [terms] = values.dims();
        let bounds = Bounds(self.options.bounds);
        let free = bounds.free(gradient, &self.trial);
        let largest = largest_absolute(free.clone());
        let mut packed = vec![values, largest, inner_product(&free, &free)];
        if let (Some(direction), Some(before)) = (&self.direction, &self.current.gradient) {
            let moving = bounds.moving(direction, &self.trial);
            let change = gradient.clone() - before.clone();
            let step = self.trial.clone() - self.current.position.clone();
            packed.extend([
                inner_product(gradient, &moving),
                inner_product(before, direction),
                inner_product(&step, &change),
                inner_product(&change, &change),
                inner_product(&step, &step),
            ]);
        }
        let numbers: Vec<f64> = read(Tensor::cat(packed, 0))?;
        let (values, scalars) = numbers.split_at(terms);
        let scalar = |i: usize| scalars.get(i).copied().unwrap_or(0.0);
        Ok(Evaluation {
            values: values.to_vec(),
            largest: scalar(0),
            norm: scalar(1).sqrt(),
            slope: scalar(2),
            slope_before: scalar(3),
            curvature: Curvature {
                step_change: scalar(4),
                change_change: scalar(5),
                step_step: scalar(6),
            },
        })
    }

    fn told_at_start(&mut self, evaluation: Evaluation, gradient: Tensor<1>) -> Next {
        if evaluation.finite_value().is_none() {
            return Next::Stop(Termination::NotFinite);
        }
        self.first_gradient = evaluation.largest;
        self.current = evaluation.into_point(self.trial.clone(), gradient);
        self.next_direction()
    }

    fn told_in_search(&mut self, evaluation: Evaluation, gradient: Tensor<1>) -> Next {
        let slope_before = evaluation.slope_before;
        let unit = f64::from(self.unit).exp2();
        let search = match &mut self.search {
            Some(search) => search,
            None if slope_before < 0.0 => self.search.insert(LineSearch::new(
                self.options.settings.conditions(),
                self.current.value() * unit,
                slope_before,
                self.step,
            )),
            // The direction points uphill. This is known only now, because its slope is read with the
            // first trial.
            None => return self.restart(LineSearchFailure::Precision),
        };
        let value = evaluation.finite_value();
        let verdict = search.tell(value.unwrap_or(f64::NAN) * unit, evaluation.slope);
        let curvature = evaluation.curvature;
        if value.is_some_and(|value| value < self.lowest().value()) || verdict == Verdict::Accept {
            let point = evaluation.into_point(self.trial.clone(), gradient);
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
                // The function seems to have no minimum along this line.
                self.accept();
                Next::Stop(Termination::LineSearch(failure))
            }
            // A trial was lower although none satisfies the conditions.
            Verdict::Fail(_) if self.candidate.is_some() => self.accept(),
            Verdict::Fail(failure) => self.restart(failure),
        }
    }

    fn accept(&mut self) -> Next {
        let Some((point, curvature)) = self.candidate.take() else {
            return Next::Stop(Termination::LineSearch(LineSearchFailure::Precision));
        };
        self.counts.iterations += 1;
        if let (true, Some(now), Some(before)) = (
            curvature.is_positive(),
            &point.gradient,
            &self.current.gradient,
        ) {
            if self.pairs.len() == self.options.settings.history {
                self.pairs.pop_front();
            }
            let step = point.position.clone() - self.current.position.clone();
            let change = now.clone() - before.clone();
            self.pairs.push_back(Pair::new(step, change, curvature));
        } else {
            self.counts.skipped += 1;
        }
        let (before, now) = (self.current.value(), point.value());
        self.current = point;
        let tolerance = self.options.settings.change_tolerance * before.abs().max(now.abs());
        if self.options.settings.change_tolerance > 0.0 && before - now <= tolerance {
            return Next::Stop(Termination::Change);
        }
        self.next_direction()
    }

    fn restart(&mut self, failure: LineSearchFailure) -> Next {
        if self.pairs.is_empty() {
            return Next::Stop(Termination::LineSearch(failure));
        }
        self.pairs.clear();
        self.counts.restarts += 1;
        self.next_direction()
    }

    /// Starts a line search from the accepted point.
    fn next_direction(&mut self) -> Next {
        self.search = None;
        self.candidate = None;
        let limit = self.options.settings.gradient_tolerance * self.first_gradient;
        let Some(gradient) = &self.current.gradient else {
            return Next::Stop(Termination::NotFinite);
        };
        // The norm of the smallest numbers is zero, since their squares are.
        let longest = f64::from(f32::MAX) * self.current.norm;
        let vanishes = self.pairs.is_empty() && self.options.first_step >= longest;
        if self.current.largest <= limit || vanishes {
            return Next::Stop(Termination::Gradient);
        }
        let bounds = Bounds(self.options.bounds);
        let free = bounds.free(gradient, &self.current.position);
        self.step = if self.pairs.is_empty() {
            self.options.first_step / self.current.norm
        } else {
            1.0
        };
        let direction = times_inverse_hessian(&self.pairs, -free);
        self.direction = Some(bounds.inward(direction, &self.current.position));
        self.place_trial();
        Next::Step
    }

    fn place_trial(&mut self) {
        if let Some(direction) = &self.direction {
            let position = self.current.position.clone() + direction.clone().mul_scalar(self.step);
            self.trial = Bounds(self.options.bounds).project(position);
        }
    }
}

/// The exponents of two of the largest components that need no other unit. Their squares, and those of
/// gradients that have fallen to a millionth, are normal numbers of f32.
const USUAL: RangeInclusive<f64> = -40.0..=40.0;

/// The exponent of the unit of gradients whose largest component is this: of two, so that a function times a
/// power of two is minimised along the same path, bit for bit.
fn unit_of(largest: f64) -> i32 {
    let exponent = largest.log2().floor();
    if !exponent.is_finite() || USUAL.contains(&exponent) {
        return 0;
    }
    // Powers that f32 holds.
    (-exponent).clamp(-126.0, 126.0) as i32
}

/// The scalars of one evaluation.
struct Evaluation {
    values: Vec<f64>,
    largest: f64,
    norm: f64,
    /// The directional derivative at the trial point.
    slope: f64,
    /// The directional derivative at the accepted point.
    slope_before: f64,
    /// Inner products of the step from the accepted point to the trial.
    curvature: Curvature,
}

impl Evaluation {
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
