//! Minima of the cubic and quadratic interpolants of a line search.

use serde::{Deserialize, Serialize};

/// A step with the value and the slope there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) step: f64,
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// The minimum of the cubic through values and slopes at `a` and `b`.
pub(super) fn cubic_minimum(a: Sample, b: Sample) -> f64 {
    let (ratio, _) = cubic(a, b);
    a.step + ratio * (b.step - a.step)
}

/// The minimum of the cubic, if it lies beyond `a` as seen from `b`.
pub(super) fn cubic_beyond(a: Sample, b: Sample) -> Option<f64> {
    let (ratio, root) = cubic(a, b);
    (ratio < 0.0 && root > 0.0).then_some(a.step + ratio * (b.step - a.step))
}

/// The position of the cubic's minimum on a scale from `a` (0) to `b` (1), and the root of its
/// discriminant.
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

/// The zero of the slope, if it is linear between `a` and `b`.
pub(super) fn secant(a: Sample, b: Sample) -> f64 {
    a.step + a.slope / (a.slope - b.slope) * (b.step - a.step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minima_of_known_functions_are_found() {
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
}
