//! A step length that satisfies the strong Wolfe conditions.
//!
//! For `phi(t) = f(x + t d)` with `phi'(0) < 0`, a step `t` is accepted when
//!
//! ```text
//! phi(t) <= phi(0) + c1 t phi'(0)       it decreases enough
//! |phi'(t)| <= c2 |phi'(0)|             and is near a stationary point of phi
//! ```
//!
//! The search is that of Moré and Thuente, "Line Search Algorithms with Guaranteed Sufficient
//! Decrease", ACM TOMS 20 (1994), sections 2 to 4, turned inside out: it is told the value and
//! slope at its last step and answers with the next. It knows numbers only.

use serde::{Deserialize, Serialize};

/// Why no acceptable step was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LineSearchFailure {
    /// Values and slopes contradict each other at the resolution of the numbers.
    Precision,
    /// As many steps were tried as allowed.
    Evaluations,
    /// Every step tried gave a value that is not finite.
    NotFinite,
    /// The longest step allowed still descends.
    LongestStep,
}

/// What to do after a step was evaluated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Evaluate at this step next.
    Try(f64),
    /// The last step satisfies the conditions.
    Accept,
    /// None will.
    Fail(LineSearchFailure),
}

/// Constants of a search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Conditions {
    /// Sufficient decrease, `c1`.
    pub(super) decrease: f64,
    /// Curvature, `c2`.
    pub(super) curvature: f64,
    /// Relative error of a value: differences below it mean nothing.
    pub(super) noise: f64,
    /// Most evaluations of one search.
    pub(super) evaluations: usize,
}

/// A bracket is given up when it is this short compared with its upper end.
const SHORTEST_BRACKET: f64 = 1e-12;
/// Longest step, in units of the first.
const LONGEST_STEP: f64 = 1e10;
/// Without a bracket, the next step lies between these multiples of the last stretch.
const EXTRAPOLATION: (f64, f64) = (1.1, 4.0);
/// A bracket must shrink by this factor in two steps, else it is halved.
const SHRINKAGE: f64 = 0.66;

/// A step with the value and slope there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    step: f64,
    value: f64,
    slope: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LineSearch {
    conditions: Conditions,
    start: Sample,
    /// The step with the least value so far.
    best: Sample,
    /// The other end of the bracket.
    other: Sample,
    bracketed: bool,
    /// Until a step decreases enough with a rising slope, values are compared after subtracting
    /// the line of sufficient decrease.
    first_stage: bool,
    step: f64,
    lower: f64,
    upper: f64,
    longest: f64,
    width: f64,
    width_before: f64,
    evaluations: usize,
}

impl LineSearch {
    /// A search from `value` and `slope` (negative) at step 0; `step` is the first to evaluate.
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

    /// Takes value and slope at the current step.
    pub(super) fn tell(&mut self, value: f64, slope: f64) -> Verdict {
        self.evaluations += 1;
        if !(value.is_finite() && slope.is_finite()) {
            return self.retreat();
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
        // Near a minimum the decrease drowns in rounding while slopes are still good: the
        // approximate condition of Hager and Zhang, SIAM J. Optim. 16 (2005), eq. 2.8.
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
            let tilt = |sample: Sample, sign: f64| Sample {
                value: sample.value - sign * sample.step * line,
                slope: sample.slope - sign * line,
                ..sample
            };
            self.best = tilt(self.best, 1.0);
            self.other = tilt(self.other, 1.0);
            self.update(tilt(sample, 1.0));
            self.best = tilt(self.best, -1.0);
            self.other = tilt(self.other, -1.0);
        } else {
            self.update(sample);
        }
        self.restrict();
        Verdict::Try(self.step)
    }

    /// A step whose value is not finite is too long: try a quarter of the way to it.
    fn retreat(&mut self) -> Verdict {
        if self.evaluations >= self.conditions.evaluations {
            return Verdict::Fail(LineSearchFailure::NotFinite);
        }
        self.longest = self.step;
        self.step = self.best.step + 0.25 * (self.step - self.best.step);
        self.upper = self.upper.min(self.longest);
        Verdict::Try(self.step)
    }

    /// Keeps the next step inside the bracket, and the bracket shrinking.
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

    /// Moves the bracket by the sample at the current step and picks the next step from the cubic
    /// and quadratic interpolants (section 4 of the paper).
    fn update(&mut self, now: Sample) {
        let (best, other) = (self.best, self.other);
        let opposite = now.slope * best.slope.signum() < 0.0;
        let towards = |cubic: f64, quadratic: f64| {
            if (cubic - now.step).abs() < (quadratic - now.step).abs() {
                (cubic, quadratic)
            } else {
                (quadratic, cubic)
            }
        };
        let next;
        if now.value > best.value {
            // Case 1: a higher value. The minimum is bracketed; cubic if it is nearer, else the
            // mean of both.
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
            // Case 2: a lower value and a slope of the other sign. Bracketed; the farther one.
            let cubic = cubic_minimum(now, best);
            let quadratic = secant(now, best);
            next = towards(cubic, quadratic).1;
            self.bracketed = true;
        } else if now.slope.abs() < best.slope.abs() {
            // Case 3: a lower value, a slope of the same sign that flattens.
            let cubic = cubic_beyond(now, best).unwrap_or(if now.step > best.step {
                self.upper
            } else {
                self.lower
            });
            let (nearer, farther) = towards(cubic, secant(now, best));
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
            // Case 4: a lower value, a slope that does not flatten.
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

/// The minimum of the cubic through values and slopes at `a` and `b`, seen from `a`.
fn cubic_minimum(a: Sample, b: Sample) -> f64 {
    let (ratio, _) = cubic(a, b);
    a.step + ratio * (b.step - a.step)
}

/// The minimum of the cubic if it lies on the far side of `a` as seen from `b`.
fn cubic_beyond(a: Sample, b: Sample) -> Option<f64> {
    let (ratio, root) = cubic(a, b);
    (ratio < 0.0 && root > 0.0).then_some(a.step + ratio * (b.step - a.step))
}

/// Place of the cubic's minimum between `a` (0) and `b` (1), and the root of its discriminant.
fn cubic(a: Sample, b: Sample) -> (f64, f64) {
    let theta = 3.0 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
    let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
    let square = (theta / scale).powi(2) - (a.slope / scale) * (b.slope / scale);
    let root = scale * square.max(0.0).sqrt();
    let signed = if b.step < a.step { -root } else { root };
    let p = signed - a.slope + theta;
    let q = signed - a.slope + signed + b.slope;
    (p / q, root)
}

/// Where the slope would vanish, were it linear between `a` and `b`.
fn secant(a: Sample, b: Sample) -> f64 {
    a.step + a.slope / (a.slope - b.slope) * (b.step - a.step)
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

    #[test]
    fn the_cubic_of_three_known_functions() {
        // t^2 between 0 and 3, minimum of (t - 1)^2 at 1; t^3 - 3 t has its minimum at 1.
        let sample = |step: f64, f: fn(f64) -> (f64, f64)| Sample {
            step,
            value: f(step).0,
            slope: f(step).1,
        };
        let square: fn(f64) -> (f64, f64) = |t| ((t - 1.0) * (t - 1.0), 2.0 * (t - 1.0));
        let cubic: fn(f64) -> (f64, f64) = |t| (t * t * t - 3.0 * t, 3.0 * t * t - 3.0);
        for f in [square, cubic] {
            assert!((cubic_minimum(sample(0.0, f), sample(3.0, f)) - 1.0).abs() < 1e-12);
            assert!((cubic_minimum(sample(3.0, f), sample(0.0, f)) - 1.0).abs() < 1e-12);
        }
        assert!((secant(sample(0.0, square), sample(3.0, square)) - 1.0).abs() < 1e-12);
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
