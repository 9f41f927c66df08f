//! Functions that are made to break optimisers: every minimisation ends with a reason, after a bounded
//! number of evaluations, at a finite point that is no worse than the start.

use burn::tensor::DType;
use ranvgg::optim::{Adam, AdamOptions, LbfgsOptions, Next, Termination};
use ranvgg::{Error, Lbfgs};

use super::{host, vector};

type Function = fn(&[f64], usize) -> (f64, Vec<f64>);

/// Evaluations that a run may use. SciPy's L-BFGS-B needs 6 for the quadratic function below.
const MOST: usize = 300;

fn radius(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// `sum i (x - 3)^2`, times a factor.
fn bowl(x: &[f64], factor: f64) -> (f64, Vec<f64>) {
    let weights = (1..).map(f64::from);
    let away = x.iter().zip(weights).map(|(x, weight)| (x - 3.0, weight));
    let value: f64 = away
        .clone()
        .map(|(away, weight)| weight * away * away)
        .sum();
    let gradient = away.map(|(away, weight)| 2.0 * weight * away * factor);
    (value * factor, gradient.collect())
}

/// A number in -1..1 that another evaluation has otherwise.
fn noise(number: usize, index: usize) -> f64 {
    (number as f64 * 12.9898 + index as f64 * 78.233).sin()
}

/// What the function is, the function of a point and of the number of the evaluation, and the start.
const FUNCTIONS: [(&str, Function, &[f64]); 20] = [
    (
        "no number beyond a radius",
        |x, _| match radius(x) {
            r if r > 2.5 => (f64::NAN, vec![f64::NAN; x.len()]),
            _ => bowl(x, 1.0),
        },
        &[0.0, 0.5],
    ),
    (
        "infinite beyond a radius",
        |x, _| match radius(x) {
            r if r > 2.5 => (f64::INFINITY, vec![f64::INFINITY; x.len()]),
            _ => bowl(x, 1.0),
        },
        &[0.0, 0.5],
    ),
    (
        "a gradient that is no number beyond a radius",
        |x, _| match radius(x) {
            r if r > 2.5 => (bowl(x, 1.0).0, vec![f64::NAN; x.len()]),
            _ => bowl(x, 1.0),
        },
        &[0.0, 0.5],
    ),
    (
        "minus infinity at the first step",
        |x, number| match number {
            0 => bowl(x, 1.0),
            _ => (f64::NEG_INFINITY, vec![1.0; x.len()]),
        },
        &[0.0, 0.5],
    ),
    (
        "no number at the start",
        |x, _| (f64::NAN, vec![1.0; x.len()]),
        &[1.0, 2.0],
    ),
    (
        "no number from the tenth evaluation on",
        |x, number| match number {
            0..10 => rosenbrock(x),
            _ => (f64::NAN, vec![f64::NAN; x.len()]),
        },
        &[-1.2, 1.0],
    ),
    (
        "a plateau around the minimum",
        |x, _| {
            let beyond = (radius(x) - 1.0).max(0.0);
            let factor = if beyond > 0.0 {
                2.0 * beyond / radius(x)
            } else {
                0.0
            };
            (beyond * beyond, x.iter().map(|x| factor * x).collect())
        },
        &[4.0, -3.0],
    ),
    (
        "a plateau that falls off far away",
        |x, _| {
            let value = (radius(x) - 40.0).tanh();
            let slope = (1.0 - value * value) / radius(x);
            (value, x.iter().map(|x| slope * x).collect())
        },
        &[43.0, 5.0],
    ),
    (
        "steps",
        |x, _| ((bowl(x, 4.0).0).floor() / 4.0, bowl(x, 1.0).1),
        &[0.0, 0.5],
    ),
    ("values of 1e30", |x, _| bowl(x, 1e30), &[0.0, 0.5, 1.0]),
    ("values of 1e-30", |x, _| bowl(x, 1e-30), &[0.0, 0.5, 1.0]),
    (
        "variables of 1e15",
        |x, _| {
            let small: Vec<f64> = x.iter().map(|x| x * 1e-15).collect();
            let (value, gradient) = bowl(&small, 1.0);
            (value, gradient.iter().map(|g| g * 1e-15).collect())
        },
        &[1e15, -1e15],
    ),
    (
        "noise",
        |x, number| {
            let (value, gradient) = bowl(x, 1.0);
            let rough = gradient.iter().enumerate();
            let rough = rough.map(|(i, g)| g + noise(number, i + 1)).collect();
            (value + noise(number, 0), rough)
        },
        &[0.0, 0.5],
    ),
    (
        "unbounded below",
        |x, _| {
            (
                -x.iter().map(|x| x * x).sum::<f64>(),
                x.iter().map(|x| -2.0 * x).collect(),
            )
        },
        &[0.1, 0.2],
    ),
    (
        "unbounded below and steep",
        |x, _| (-x[0].exp(), vec![-x[0].exp()]),
        &[1.0],
    ),
    (
        "a gradient of the wrong sign",
        |x, _| {
            let (value, gradient) = bowl(x, 1.0);
            (value, gradient.iter().map(|g| -g).collect())
        },
        &[0.0, 0.5],
    ),
    (
        "a gradient of another function",
        |x, _| (rosenbrock(x).0, bowl(x, 1.0).1),
        &[-1.2, 1.0],
    ),
    ("no gradient at the start", |x, _| bowl(x, 1.0), &[3.0, 3.0]),
    ("one variable", |x, _| bowl(x, 1.0), &[-8.0]),
    (
        "a kink",
        |x, _| {
            (
                x.iter().map(|x| x.abs()).sum(),
                x.iter().map(|x| x.signum()).collect(),
            )
        },
        &[1.3, -0.7],
    ),
];

fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
    let (a, b) = (x[0], x[1]);
    let value = 100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2);
    let gradient = vec![
        -400.0 * a * (b - a * a) - 2.0 * (1.0 - a),
        200.0 * (b - a * a),
    ];
    (value, gradient)
}

/// The best point, the evaluations and the reason.
fn minimise(
    what: &str,
    function: Function,
    start: &[f64],
    bounds: Option<(f64, f64)>,
    dtype: DType,
) -> (Vec<f64>, usize, Termination) {
    let mut options = LbfgsOptions::default().with_evaluations(MOST);
    options.bounds = bounds;
    let mut lbfgs = Lbfgs::new(vector(start, dtype), options).unwrap();
    for number in 0..=MOST {
        let asked = host(lbfgs.ask());
        assert!(
            asked.iter().all(|x| x.is_finite()),
            "{what}: {asked:?} is asked for"
        );
        if let Some((low, high)) = bounds {
            assert!(
                asked.iter().all(|x| (low..=high).contains(x)),
                "{what}: {asked:?}"
            );
        }
        let (value, gradient) = function(&asked, number);
        let told = lbfgs.tell(vector(&[value], dtype), vector(&gradient, dtype));
        if let Next::Stop(reason) = told.unwrap() {
            assert_eq!(lbfgs.termination(), Some(reason));
            let point = host(lbfgs.point());
            assert!(
                point.iter().all(|x| x.is_finite()),
                "{what}: ends at {point:?}"
            );
            return (point, lbfgs.evaluations(), reason);
        }
    }
    panic!("{what}: it goes on");
}

#[test]
fn every_minimisation_ends_with_a_reason_at_a_finite_point() {
    for (what, function, start) in FUNCTIONS {
        for dtype in [DType::F64, DType::F32] {
            for bounds in [None, Some((-1e16, 1e16))] {
                let (point, evaluations, reason) = minimise(what, function, start, bounds, dtype);
                println!("{what}, {dtype:?}: {reason:?} after {evaluations} at {point:?}");
                let (first, last) = (function(start, 0).0, function(&point, 0).0);
                assert!(last <= first || first.is_nan(), "{what}: {first} to {last}");
            }
        }
    }
}

/// Those that have a minimum that can be found.
#[test]
fn what_can_be_solved_is_solved() {
    let solvable = [
        ("values of 1e30", 3.0),
        ("values of 1e-30", 3.0),
        ("one variable", 3.0),
        ("no gradient at the start", 3.0),
    ];
    for (wanted, solution) in solvable {
        let (what, function, start) = FUNCTIONS.iter().find(|(what, ..)| *what == wanted).unwrap();
        for dtype in [DType::F64, DType::F32] {
            let (point, evaluations, _) = minimise(what, *function, start, None, dtype);
            for x in &point {
                assert!(
                    (x / solution - 1.0).abs() < 1e-3,
                    "{what} {dtype:?}: {point:?}"
                );
            }
            println!("{what}, {dtype:?}: {evaluations} evaluations");
        }
    }
}

/// As runs of resampled filters use it: what is not finite is an error, and the point stays.
#[test]
fn adam_keeps_a_finite_point_whatever_it_is_told() {
    for (what, function, start) in FUNCTIONS {
        for bounds in [None, Some((-10.0, 10.0))] {
            let start: Vec<f32> = start.iter().map(|x| *x as f32).collect();
            let mut options = AdamOptions::default();
            options.bounds = bounds;
            let mut adam = Adam::new(start, options).unwrap();
            let mut refused = 0;
            for number in 0..MOST {
                let at: Vec<f64> = adam.ask().iter().map(|x| f64::from(*x)).collect();
                let (_, gradient) = function(&at, number);
                let gradient: Vec<f32> = gradient.iter().map(|g| *g as f32).collect();
                let before = adam.clone();
                match adam.tell(&gradient, 0.02) {
                    Ok(()) => assert_eq!(adam.steps(), before.steps() + 1),
                    Err(Error::NotFinite { .. }) => {
                        assert_eq!(adam, before, "{what}");
                        refused += 1;
                    }
                    Err(other) => panic!("{what}: {other}"),
                }
                assert!(
                    adam.ask().iter().all(|x| x.is_finite()),
                    "{what}: {:?}",
                    adam.ask()
                );
                if let Some((low, high)) = bounds.filter(|_| number > 0) {
                    let inside = |x: &f32| (low..=high).contains(&f64::from(*x));
                    assert!(adam.ask().iter().all(inside), "{what}");
                }
            }
            println!("{what}: {refused} refused, ends at {:?}", adam.ask());
        }
    }
}

#[test]
fn adam_refuses_what_would_break_it() {
    let start = || Adam::new(vec![1.0, 2.0], AdamOptions::default()).unwrap();
    for rate in [f64::NAN, f64::INFINITY, -0.1] {
        let mut adam = start();
        let refused = adam.tell(&[1.0, 1.0], rate);
        assert!(
            matches!(refused, Err(Error::InvalidOption { .. })),
            "{rate}"
        );
        assert_eq!(adam, start());
    }
    // A share that is 1 in single precision, in which the sums are.
    let mut options = AdamOptions::default();
    options.beta2 = 1.0 - 1e-12;
    assert!(Adam::new(vec![1.0], options).is_err());
    // The smallest epsilon that is allowed is not zero there.
    let mut options = AdamOptions::default();
    options.epsilon = 1e-300;
    let mut adam = Adam::new(vec![1.0, 2.0], options).unwrap();
    adam.tell(&[0.0, 1.0], 0.5).unwrap();
    assert_eq!(adam.ask()[0], 1.0);
    assert!((adam.ask()[1] - 1.5).abs() < 1e-4);
}

/// The formulas of [`Adam`] in f64, which holds all squares of f32.
fn adam_in_f64(gradients: &[Vec<f32>], rate: f64, epsilon: f64) -> Vec<Vec<f64>> {
    let count = gradients[0].len();
    let (mut x, mut m, mut v) = (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
    let mut path = Vec::new();
    for (step, gradient) in gradients.iter().enumerate() {
        let t = step as i32 + 1;
        for (i, g) in gradient.iter().map(|g| f64::from(*g)).enumerate() {
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.999 * v[i] + 0.001 * g * g;
            let mean: f64 = m[i] / (1.0 - 0.9f64.powi(t));
            let square: f64 = v[i] / (1.0 - 0.999f64.powi(t));
            x[i] -= rate * mean / (square.sqrt() + epsilon);
        }
        path.push(x.clone());
    }
    path
}

/// A function in another unit has the same path, up to the largest numbers that f32 holds.
#[test]
fn adam_steps_by_gradients_whose_squares_overflow() {
    let gradient = |step: usize, factor: f32| -> Vec<f32> {
        let wave = |phase: f32| (step as f32 * 0.7 + phase).sin() * 3.0;
        vec![
            wave(0.0) * factor,
            (wave(1.0) + 2.0) * factor,
            0.25 * factor,
        ]
    };
    let path = |power: i32, epsilon: f64| {
        let mut options = AdamOptions::default();
        options.epsilon = epsilon * f64::from(power).exp2();
        let mut adam = Adam::new(vec![0.0; 3], options).unwrap();
        let factor = f64::from(power).exp2() as f32;
        let steps = 0..60;
        steps
            .map(|step| {
                adam.tell(&gradient(step, factor), 0.02).unwrap();
                adam.ask().to_vec()
            })
            .collect::<Vec<_>>()
    };
    let usual = path(0, 1e-8);
    for power in [40, 62, 63, 64, 65, 80, 110, 125] {
        assert_eq!(path(power, 1e-8), usual, "2^{power}");
    }
    // Gradients that grow on the way, beside some that do not.
    for growth in [1e3, 1e10, 1e25, 1e37] {
        let gradients: Vec<Vec<f32>> = (0..60)
            .map(|step| {
                let mut told = gradient(step, 1.0);
                told[1] *= f32::powf(growth, step as f32 / 60.0);
                told[2] *= if step < 30 { 1.0 } else { growth };
                told
            })
            .collect();
        let mut adam = Adam::new(vec![0.0; 3], AdamOptions::default()).unwrap();
        for (told, expected) in gradients.iter().zip(adam_in_f64(&gradients, 0.02, 1e-8)) {
            adam.tell(told, 0.02).unwrap();
            for (variable, (found, expected)) in adam.ask().iter().zip(expected).enumerate() {
                // Beside one that is 1e18 times as large, or more, a gradient is too small to be squared.
                if variable > 0 || growth < 1e25 {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error < 1e-5, "{growth}, {variable}: {found} for {expected}");
                }
            }
        }
        // It moves no further than a usual one.
        assert!(
            adam.ask()[0].abs() < 60.0 * 0.2,
            "{growth}: {:?}",
            adam.ask()
        );
    }
}
