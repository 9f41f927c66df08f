//! A step length that satisfies the strong Wolfe conditions.
//!
//! For `phi(t) = f(x + t d)` with `phi'(0) < 0`, a step `t` is accepted when
//!
//! ```text
//! phi(t) <= phi(0) + c1 t phi'(0)       sufficient decrease
//! |phi'(t)| <= c2 |phi'(0)|             curvature
//! ```
//!
//! The search is that of Moré and Thuente, "Line Search Algorithms with Guaranteed Sufficient
//! Decrease", ACM TOMS 20 (1994), sections 2 to 4, as a state machine: it takes the value and the slope at
//! its last step and answers with the next step.

use serde::{Deserialize, Serialize};

use super::interpolation::{Sample, cubic_beyond, cubic_minimum, secant};

/// Why no acceptable step was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LineSearchFailure {
    /// Values and slopes contradict each other: rounding errors exceed the decrease.
    Precision,
    /// The number of evaluations reached its limit.
    Evaluations,
    /// The value or slope was not finite at the last step that the limit of evaluations allows.
    NotFinite,
    /// The function still descends at the longest step.
    LongestStep,
}

/// The search's answer to an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Evaluate this step next.
    Try(f64),
    /// The last step satisfies the conditions.
    Accept,
    /// No acceptable step was found.
    Fail(LineSearchFailure),
}

/// When a step is accepted, and when the search ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Conditions {
    /// `c1`, of sufficient decrease.
    pub(super) decrease: f64,
    /// `c2`, of curvature.
    pub(super) curvature: f64,
    /// Relative rounding error of a value. Smaller differences are noise.
    pub(super) noise: f64,
    /// The most evaluations of one search.
    pub(super) evaluations: usize,
}

/// The shortest bracket, relative to its upper end.
const SHORTEST_BRACKET: f64 = 1e-12;
/// The longest step, in units of the first.
const LONGEST_STEP: f64 = 1e10;
/// Without a bracket, the next step extends the distance from the best step to the last one by a factor
/// between these.
const EXTRAPOLATION: (f64, f64) = (1.1, 4.0);
/// A bracket that does not shrink by this factor in two steps is bisected.
const SHRINKAGE: f64 = 0.66;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LineSearch {
    conditions: Conditions,
    start: Sample,
    /// The step with the least value so far: one end of the bracket.
    best: Sample,
    /// The other end of the bracket.
    other: Sample,
    bracketed: bool,
    /// Stage one lasts until a step has a sufficient decrease and a slope that is not negative. It compares
    /// values after subtracting the line of sufficient decrease.
    first_stage: bool,
    /// The step that is to be evaluated.
    step: f64,
    /// The interval of the next step.
    lower: f64,
    upper: f64,
    longest: f64,
    /// Width of the bracket, and its width one step before.
    width: f64,
    width_before: f64,
    evaluations: usize,
}

impl LineSearch {
    /// Starts from `value` and the negative `slope` at step 0. `step` is the first one to evaluate.
    pub(super) fn new(conditions: Conditions, value: f64, slope: f64, step: f64) -> Self {
        let start = Sample {
            step: 0.0,
            value,
            slope,
        };
        let longest = LONGEST_STEP * step;
        Self {
            conditions,
            start,
            best: start,
            other: start,
            bracketed: false,
            first_stage: true,
            step,
            lower: 0.0,
            upper: step + EXTRAPOLATION.1 * step,
            longest,
            width: longest,
            width_before: 2.0 * longest,
            evaluations: 0,
        }
    }

    /// Takes the value and the slope at the present step.
    pub(super) fn tell(&mut self, value: f64, slope: f64) -> Verdict {
        self.evaluations += 1;
        if !(value.is_finite() && slope.is_finite()) {
            return self.shorten();
        }
        let Conditions {
            decrease,
            curvature,
            noise,
            evaluations,
        } = self.conditions;
        let line = decrease * self.start.slope;
        let sufficient = self.start.value + self.step * line;
        let flat = slope.abs() <= curvature * -self.start.slope;
        if flat && value <= sufficient {
            return Verdict::Accept;
        }
        // Near a minimum the decrease is below the rounding error of values, while slopes are still
        // accurate: the approximate Wolfe condition of Hager and Zhang, SIAM J. Optim. 16 (2005), eq. 2.8.
        if flat && (value - self.start.value).abs() <= noise * self.start.value.abs() {
            return Verdict::Accept;
        }
        let out_of_room = self.bracketed
            && (self.step <= self.lower
                || self.step >= self.upper
                || self.upper - self.lower <= SHORTEST_BRACKET * self.upper);
        if out_of_room {
            return Verdict::Fail(LineSearchFailure::Precision);
        }
        if self.step >= self.longest && value <= sufficient && slope <= line {
            return Verdict::Fail(LineSearchFailure::LongestStep);
        }
        if self.evaluations >= evaluations {
            return Verdict::Fail(LineSearchFailure::Evaluations);
        }
        if self.first_stage && value <= sufficient && slope >= 0.0 {
            self.first_stage = false;
        }
        let sample = Sample {
            step: self.step,
            value,
            slope,
        };
        if self.first_stage && value <= self.best.value && value > sufficient {
            let subtract_line = |sample: Sample, sign: f64| Sample {
                value: sample.value - sign * sample.step * line,
                slope: sample.slope - sign * line,
                ..sample
            };
            self.best = subtract_line(self.best, 1.0);
            self.other = subtract_line(self.other, 1.0);
            self.update(subtract_line(sample, 1.0));
            self.best = subtract_line(self.best, -1.0);
            self.other = subtract_line(self.other, -1.0);
        } else {
            self.update(sample);
        }
        self.restrict();
        Verdict::Try(self.step)
    }

    /// After a step that is too long, because its value is not finite: tries a quarter of the way to it.
    fn shorten(&mut self) -> Verdict {
        if self.evaluations >= self.conditions.evaluations {
            return Verdict::Fail(LineSearchFailure::NotFinite);
        }
        self.longest = self.step;
        self.step = self.best.step + 0.25 * (self.step - self.best.step);
        self.upper = self.upper.min(self.longest);
        Verdict::Try(self.step)
    }

    /// Bisects a bracket that shrinks too slowly, and sets the interval of the next step.
    fn restrict(&mut self) {
        if self.bracketed {
            let stretch = self.other.step - self.best.step;
            if stretch.abs() >= SHRINKAGE * self.width_before {
                self.step = self.best.step + 0.5 * stretch;
            }
            self.width_before = self.width;
            self.width = stretch.abs();
            self.lower = self.best.step.min(self.other.step);
            self.upper = self.best.step.max(self.other.step);
        } else {
            let stretch = self.step - self.best.step;
            self.lower = self.step + EXTRAPOLATION.0 * stretch;
            self.upper = self.step + EXTRAPOLATION.1 * stretch;
        }
        self.step = self.step.clamp(0.0, self.longest);
    }

    /// Updates the bracket by the sample at the present step, and takes the next step from the cubic and
    /// quadratic interpolants (section 4 of the paper).
    fn update(&mut self, now: Sample) {
        let (best, other) = (self.best, self.other);
        let opposite = now.slope * best.slope.signum() < 0.0;
        let nearer_and_farther = |cubic: f64, quadratic: f64| {
            if (cubic - now.step).abs() < (quadratic - now.step).abs() {
                (cubic, quadratic)
            } else {
                (quadratic, cubic)
            }
        };
        let next;
        if now.value > best.value {
            // Case 1: a higher value, which brackets a minimum. The cubic step if it is nearer, else the
            // mean of both steps.
            let cubic = cubic_minimum(best, now);
            let slope = (best.value - now.value) / (now.step - best.step) + best.slope;
            let quadratic = best.step + best.slope / slope / 2.0 * (now.step - best.step);
            next = if (cubic - best.step).abs() < (quadratic - best.step).abs() {
                cubic
            } else {
                cubic + (quadratic - cubic) / 2.0
            };
            self.bracketed = true;
        } else if opposite {
            // Case 2: a lower value and a slope of the other sign, which bracket a minimum. The farther step.
            let cubic = cubic_minimum(now, best);
            let quadratic = secant(now, best);
            next = nearer_and_farther(cubic, quadratic).1;
            self.bracketed = true;
        } else if now.slope.abs() < best.slope.abs() {
            // Case 3: a lower value, and a smaller slope of the same sign.
            let cubic = cubic_beyond(now, best).unwrap_or(if now.step > best.step {
                self.upper
            } else {
                self.lower
            });
            let (nearer, farther) = nearer_and_farther(cubic, secant(now, best));
            next = if self.bracketed {
                let limit = now.step + SHRINKAGE * (other.step - now.step);
                if now.step > best.step {
                    nearer.min(limit)
                } else {
                    nearer.max(limit)
                }
            } else {
                farther.clamp(self.lower.min(self.upper), self.upper.max(self.lower))
            };
        } else if self.bracketed {
            // Case 4: a lower value, and a slope of the same sign that is not smaller.
            next = cubic_minimum(now, other);
        } else {
            next = if now.step > best.step {
                self.upper
            } else {
                self.lower
            };
        }
        if now.value > best.value {
            self.other = now;
        } else {
            if opposite {
                self.other = best;
            }
            self.best = now;
        }
        self.step = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOSE: Conditions = Conditions {
        decrease: 1e-4,
        curvature: 0.9,
        noise: 0.0,
        evaluations: 40,
    };

    /// Searches `phi` from `step`; the accepted step and the number of evaluations.
    fn search(
        conditions: Conditions,
        step: f64,
        phi: impl Fn(f64) -> (f64, f64),
    ) -> Result<(f64, usize), LineSearchFailure> {
        let (value, slope) = phi(0.0);
        let mut search = LineSearch::new(conditions, value, slope, step);
        let mut step = step;
        for count in 1.. {
            let (value, slope) = phi(step);
            match search.tell(value, slope) {
                Verdict::Try(next) => step = next,
                Verdict::Accept => return Ok((step, count)),
                Verdict::Fail(failure) => return Err(failure),
            }
        }
        unreachable!()
    }

    /// Functions (5.1) to (5.3) of Moré and Thuente with their tolerances and starting steps,
    /// and the numbers of evaluations of their tables I to III.
    #[test]
    fn the_published_test_functions() {
        let first = |t: f64| (-t / (t * t + 2.0), (t * t - 2.0) / (t * t + 2.0).powi(2));
        let second = |t: f64| {
            let u = t + 0.004;
            (
                u.powi(5) - 2.0 * u.powi(4),
                5.0 * u.powi(4) - 8.0 * u.powi(3),
            )
        };
        let tolerances = |decrease, curvature| Conditions {
            decrease,
            curvature,
            noise: 0.0,
            evaluations: 100,
        };
        for (start, evaluations) in [(1e-3, 6), (1e-1, 3), (1e1, 1), (1e3, 4)] {
            let (step, count) = search(tolerances(1e-3, 1e-1), start, first).unwrap();
            assert!(first(step).1.abs() <= 0.1 * 0.5, "{start}: {step}");
            assert_eq!(count, evaluations, "{start}");
        }
        for (start, evaluations) in [(1e-3, 12), (1e-1, 8), (1e1, 8), (1e3, 11)] {
            let (step, count) = search(tolerances(0.1, 0.1), start, second).unwrap();
            assert!((step - 1.596).abs() < 1e-2, "{start}: {step}");
            assert_eq!(count, evaluations, "{start}");
        }
    }

    #[test]
    fn a_step_into_infinity_is_taken_back() {
        // -log(1 - t) - 3 t is infinite from 1 on; minimum at 2/3.
        let barrier = |t: f64| {
            if t >= 1.0 {
                (f64::INFINITY, f64::NAN)
            } else {
                (-(1.0 - t).ln() - 3.0 * t, 1.0 / (1.0 - t) - 3.0)
            }
        };
        let (step, _) = search(LOOSE, 8.0, barrier).unwrap();
        assert!(step < 1.0 && barrier(step).1.abs() <= 0.9 * 2.0);
        let nowhere = |t: f64| {
            if t > 0.0 {
                (f64::NAN, f64::NAN)
            } else {
                (0.0, -1.0)
            }
        };
        assert_eq!(
            search(LOOSE, 1.0, nowhere),
            Err(LineSearchFailure::NotFinite)
        );
    }

    #[test]
    fn a_function_without_minimum_ends_at_the_longest_step() {
        let result = search(LOOSE, 1.0, |t| (-t, -1.0));
        assert_eq!(result, Err(LineSearchFailure::LongestStep));
    }

    #[test]
    fn rounding_noise_does_not_stop_a_search_that_has_arrived() {
        // The decrease is 1e-12 of the value and rounds to a rise; slopes are exact.
        let noisy = |t: f64| (1.0 + 1e-9 * t, 1e-12 * (t - 1.0));
        let conditions = Conditions {
            noise: 1e-7,
            ..LOOSE
        };
        assert!(search(conditions, 1.0, noisy).is_ok());
    }
}
