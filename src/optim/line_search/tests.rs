//! The line search against functions whose minima are known.

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
