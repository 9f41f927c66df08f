//! The optimiser on named problems, against SciPy, and where users of others saw it fail.

use crate::common::flex;
use burn::tensor::{DType, Tensor, TensorData};
use ranvgg::optim::LineSearchFailure;
use ranvgg::optim::{LbfgsOptions, LbfgsSettings, LbfgsState, Next, Termination};
use ranvgg::{Error, Lbfgs};

type Problem = fn(&[f64]) -> (f64, Vec<f64>);

fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
    let mut value = 0.0;
    let mut gradient = Vec::new();
    for pair in x.chunks(2) {
        let (a, b) = (pair[0], pair[1]);
        value += 100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2);
        gradient.push(-400.0 * a * (b - a * a) - 2.0 * (1.0 - a));
        gradient.push(200.0 * (b - a * a));
    }
    (value, gradient)
}

fn beale(x: &[f64]) -> (f64, Vec<f64>) {
    let (mut value, mut gradient) = (0.0, vec![0.0; 2]);
    for (i, c) in [(1, 1.5), (2, 2.25), (3, 2.625)] {
        let residual = c - x[0] * (1.0 - x[1].powi(i));
        value += residual * residual;
        gradient[0] += 2.0 * residual * (x[1].powi(i) - 1.0);
        gradient[1] += 2.0 * residual * f64::from(i) * x[0] * x[1].powi(i - 1);
    }
    (value, gradient)
}

fn himmelblau(x: &[f64]) -> (f64, Vec<f64>) {
    let (a, b) = (x[0] * x[0] + x[1] - 11.0, x[0] + x[1] * x[1] - 7.0);
    (
        a * a + b * b,
        vec![4.0 * a * x[0] + 2.0 * b, 2.0 * a + 4.0 * b * x[1]],
    )
}

fn quadratic(condition: f64, x: &[f64]) -> (f64, Vec<f64>) {
    let last = (x.len() - 1) as f64;
    let scale = |i: usize| condition.powf(i as f64 / last);
    let value: f64 = x
        .iter()
        .enumerate()
        .map(|(i, x)| scale(i) * (x - 1.0).powi(2))
        .sum();
    (
        value / 2.0,
        x.iter()
            .enumerate()
            .map(|(i, x)| scale(i) * (x - 1.0))
            .collect(),
    )
}

fn vector(values: &[f64]) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&flex(), DType::F64))
}

fn host(tensor: Tensor<1>) -> Vec<f64> {
    tensor.try_into_vec_as().unwrap()
}

fn evaluate(lbfgs: &mut Lbfgs, problem: Problem) -> Next {
    let (value, gradient) = problem(&host(lbfgs.ask()));
    lbfgs.tell(vector(&[value]), vector(&gradient)).unwrap()
}

/// Evaluations until the value is below `accuracy`.
fn evaluations(problem: Problem, start: &[f64], accuracy: f64) -> usize {
    let mut lbfgs = Lbfgs::new(vector(start), LbfgsOptions::default()).unwrap();
    while lbfgs.value() >= accuracy {
        if let Next::Stop(reason) = evaluate(&mut lbfgs, problem) {
            panic!("{reason:?} at {}", lbfgs.value());
        }
    }
    lbfgs.evaluations()
}

fn golden() -> serde_json::Value {
    serde_json::from_str(include_str!("../golden/minimise.json")).unwrap()
}

#[test]
fn no_more_evaluations_than_1_3_times_scipys() {
    let golden = golden();
    let problems: [(&str, Problem, Vec<f64>); 6] = [
        ("rosenbrock 2", rosenbrock, vec![-1.2, 1.0]),
        ("rosenbrock 20", rosenbrock, [-1.2, 1.0].repeat(10)),
        ("beale", beale, vec![1.0, 1.0]),
        ("himmelblau", himmelblau, vec![0.0, 0.0]),
        ("quadratic 1e2", |x| quadratic(1e2, x), vec![0.0; 50]),
        ("quadratic 1e4", |x| quadratic(1e4, x), vec![0.0; 50]),
    ];
    for (name, problem, start) in problems {
        let expected = golden[name]["evaluations"].as_f64().unwrap();
        let accuracy = golden[name]["accuracy"].as_f64().unwrap();
        let count = evaluations(problem, &start, accuracy);
        println!("{name}: {count} evaluations, SciPy {expected}");
        assert!(
            count as f64 <= 1.3 * expected,
            "{name}: {count} > 1.3 * {expected}"
        );
    }
}

#[test]
fn a_box_keeps_the_point_inside_and_finds_scipys_solution() {
    let golden = golden();
    let options = LbfgsOptions::default().with_bounds((-0.5, 0.5));
    let mut lbfgs = Lbfgs::new(vector(&[-0.4, 0.4]), options).unwrap();
    for _ in 0..200 {
        assert!(host(lbfgs.ask()).iter().all(|x| (-0.5..=0.5).contains(x)));
        if let Next::Stop(_) = evaluate(&mut lbfgs, rosenbrock) {
            break;
        }
    }
    let expected = &golden["rosenbrock in a box"];
    assert!((lbfgs.value() - expected["value"].as_f64().unwrap()).abs() < 1e-9);
    for (found, expected) in host(lbfgs.point())
        .iter()
        .zip(expected["point"].as_array().unwrap())
    {
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-5);
    }
}

/// Optimisers of neural style stop after two iterations when losses are tiny (neural-style #179,
/// neural-style-tf #39), since their tolerances are absolute.
#[test]
fn tiny_and_huge_values_take_the_same_path() {
    let scaled = |factor: f64| {
        let mut lbfgs = Lbfgs::new(vector(&[-1.2, 1.0]), LbfgsOptions::default()).unwrap();
        let mut points = Vec::new();
        for _ in 0..40 {
            let (value, gradient) = rosenbrock(&host(lbfgs.ask()));
            let gradient: Vec<f64> = gradient.iter().map(|g| g * factor).collect();
            let next = lbfgs
                .tell(vector(&[value * factor]), vector(&gradient))
                .unwrap();
            assert!(!matches!(next, Next::Stop(_)), "{next:?}");
            points.push(host(lbfgs.point()));
        }
        points
    };
    let plain = scaled(1.0);
    for factor in [2f64.powi(-70), 2f64.powi(60)] {
        assert_eq!(scaled(factor), plain);
    }
}

/// crowsonkb/style_transfer #18: a loss that explodes half-way.
#[test]
fn an_infinite_trial_is_taken_back() {
    // Finite only where x < 1; the first step along the gradient lands beyond.
    let barrier: Problem = |x| {
        if x[0] >= 1.0 {
            (f64::INFINITY, vec![f64::NAN])
        } else {
            (
                -(1.0 - x[0]).ln() - 3.0 * x[0],
                vec![1.0 / (1.0 - x[0]) - 3.0],
            )
        }
    };
    let options = LbfgsOptions::default().with_first_step(5.0);
    let mut lbfgs = Lbfgs::new(vector(&[0.0]), options).unwrap();
    for _ in 0..30 {
        if let Next::Stop(_) = evaluate(&mut lbfgs, barrier) {
            break;
        }
        assert!(host(lbfgs.point())[0] < 1.0);
    }
    assert!((host(lbfgs.point())[0] - 2.0 / 3.0).abs() < 1e-6);
}

#[test]
fn it_says_why_it_stopped() {
    let stop = |options: LbfgsOptions, problem: Problem| {
        let mut lbfgs = Lbfgs::new(vector(&[-1.2, 1.0]), options).unwrap();
        for _ in 0..1000 {
            if let Next::Stop(reason) = evaluate(&mut lbfgs, problem) {
                assert_eq!(lbfgs.termination(), Some(reason));
                return reason;
            }
        }
        panic!("it did not stop");
    };
    let default = LbfgsOptions::default;
    let gradient = default().with_settings(LbfgsSettings::default().with_gradient_tolerance(1e-6));
    assert_eq!(stop(gradient, rosenbrock), Termination::Gradient);
    assert_eq!(
        stop(default(), |x| (1.0, vec![0.0; x.len()])),
        Termination::Gradient
    );
    let change = default().with_settings(LbfgsSettings::default().with_change_tolerance(1e-2));
    assert_eq!(stop(change, beale), Termination::Change);
    let few = default().with_evaluations(7);
    assert_eq!(stop(few, rosenbrock), Termination::Evaluations);
    assert_eq!(
        stop(default(), |x| (f64::NAN, vec![0.0; x.len()])),
        Termination::NotFinite
    );
    assert_eq!(
        stop(default(), |x| (0.0, vec![f64::NAN; x.len()])),
        Termination::NotFinite
    );
    // The gradient points the wrong way: no step along it descends.
    let liar: Problem = |x| (x[0] * x[0], vec![-2.0 * x[0], 0.0]);
    assert!(matches!(stop(default(), liar), Termination::LineSearch(_)));
    let slope: Problem = |x| (x[0], vec![1.0, 0.0]);
    assert_eq!(
        stop(default(), slope),
        Termination::LineSearch(LineSearchFailure::LongestStep)
    );
}

#[test]
fn the_best_point_survives_a_bad_last_trial() {
    let mut lbfgs = Lbfgs::new(vector(&[-1.2, 1.0]), LbfgsOptions::default()).unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..60 {
        let at = host(lbfgs.ask());
        best = best.min(rosenbrock(&at).0);
        evaluate(&mut lbfgs, rosenbrock);
        assert_eq!(lbfgs.value(), best);
        assert_eq!(rosenbrock(&host(lbfgs.point())).0, best);
    }
}

#[test]
fn terms_are_summed_and_read_back() {
    let mut lbfgs = Lbfgs::new(vector(&[3.0, 4.0]), LbfgsOptions::default()).unwrap();
    lbfgs
        .tell(vector(&[9.0, 16.0]), vector(&[6.0, 8.0]))
        .unwrap();
    assert_eq!(lbfgs.values(), [9.0, 16.0]);
    assert_eq!(lbfgs.value(), 25.0);
}

/// More evaluations, allowed after all were used, change nothing of what they find.
#[test]
fn an_optimiser_with_more_evaluations_goes_on() {
    let start = || vector(&[-1.2, 1.0]);
    let few = LbfgsOptions::default().with_evaluations(7);
    let mut lbfgs = Lbfgs::new(start(), few).unwrap();
    while !matches!(evaluate(&mut lbfgs, rosenbrock), Next::Stop(_)) {}
    assert_eq!(lbfgs.termination(), Some(Termination::Evaluations));
    lbfgs.set_evaluations(Some(20));
    assert_eq!(lbfgs.termination(), None);
    let mut whole = Lbfgs::new(start(), LbfgsOptions::default()).unwrap();
    (0..20).for_each(|_| {
        evaluate(&mut whole, rosenbrock);
    });
    while !matches!(evaluate(&mut lbfgs, rosenbrock), Next::Stop(_)) {}
    assert_eq!(lbfgs.evaluations(), 20);
    assert_eq!(host(lbfgs.point()), host(whole.point()));
    lbfgs.set_evaluations(Some(5));
    assert_eq!(lbfgs.termination(), Some(Termination::Evaluations));
}

/// Saved in the middle of a line search or between two, it goes on as if nothing had happened.
#[test]
fn a_resumed_optimiser_asks_for_the_same_points() {
    for saved_after in 1..25 {
        let mut lbfgs = Lbfgs::new(vector(&[-1.2, 1.0]), LbfgsOptions::default()).unwrap();
        for _ in 0..saved_after {
            evaluate(&mut lbfgs, rosenbrock);
        }
        let saved = serde_json::to_string(&lbfgs.state().unwrap()).unwrap();
        let state: LbfgsState = serde_json::from_str(&saved).unwrap();
        let mut resumed = Lbfgs::resume(state, &flex()).unwrap();
        for _ in 0..20 {
            assert_eq!(
                host(resumed.ask()),
                host(lbfgs.ask()),
                "after {saved_after}"
            );
            assert_eq!(
                evaluate(&mut resumed, rosenbrock),
                evaluate(&mut lbfgs, rosenbrock)
            );
        }
        assert_eq!(resumed.evaluations(), lbfgs.evaluations());
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let default = LbfgsOptions::default;
    let refused = [
        (
            "history",
            default().with_settings(LbfgsSettings::default().with_history(0)),
        ),
        (
            "line search evaluations",
            default().with_settings(LbfgsSettings::default().with_line_search_evaluations(0)),
        ),
        (
            "gradient tolerance",
            default().with_settings(LbfgsSettings::default().with_gradient_tolerance(-1.0)),
        ),
        (
            "change tolerance",
            default().with_settings(LbfgsSettings::default().with_change_tolerance(f64::NAN)),
        ),
        ("first step", default().with_first_step(0.0)),
        (
            "curvature",
            default().with_settings(LbfgsSettings::default().with_curvature(1.0)),
        ),
        ("bounds", default().with_bounds((1.0, 0.0))),
        ("bounds", default().with_bounds((f64::NAN, 0.0))),
    ];
    for (expected, options) in refused {
        match Lbfgs::new(vector(&[0.0]), options) {
            Err(Error::InvalidOption { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let mut lbfgs = Lbfgs::new(vector(&[0.0, 0.0]), default()).unwrap();
    let wrong = lbfgs.tell(vector(&[1.0]), vector(&[1.0]));
    assert!(matches!(wrong, Err(Error::Shape { .. })));
}
