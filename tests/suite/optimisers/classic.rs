//! L-BFGS on the classic test problems, against SciPy's; see `tests/golden/classic.py` for when a problem
//! counts as solved, and how single precision is compared.

use burn::tensor::DType;
use ranvgg::Lbfgs;
use ranvgg::optim::{LbfgsOptions, Next, Termination};
use serde_json::Value;

use super::dual::squares;
use super::problems::{PROBLEMS, Residuals};
use super::{host, vector};

/// Evaluations of one run. SciPy had as many.
const MOST: usize = 2000;

struct Classic {
    name: &'static str,
    residuals: Residuals,
    golden: Value,
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../golden/classic.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap()).collect()
}

fn all() -> Vec<Classic> {
    let golden = golden();
    let problems = PROBLEMS.iter().map(|(name, residuals)| Classic {
        name,
        residuals: *residuals,
        golden: golden["problems"][name].clone(),
    });
    problems.collect()
}

impl Classic {
    fn start(&self) -> Vec<f64> {
        numbers(&self.golden["start"])
    }

    fn evaluate(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let golden = golden();
        let data = |name: &str| numbers(&golden["data"][name]);
        squares(|x| (self.residuals)(x, &data), x)
    }

    /// The values of all evaluations, and why they ended.
    fn minimise(&self, dtype: DType) -> (Vec<f64>, Termination) {
        let options = LbfgsOptions::default().with_evaluations(MOST);
        let mut lbfgs = Lbfgs::new(vector(&self.start(), dtype), options).unwrap();
        let mut values = Vec::new();
        loop {
            let asked = host(lbfgs.ask());
            assert!(asked.iter().all(|x| x.is_finite()), "{}", self.name);
            let (value, gradient) = self.evaluate(&asked);
            values.push(value);
            let told = lbfgs.tell(vector(&[value], dtype), vector(&gradient, dtype));
            if let Next::Stop(reason) = told.unwrap() {
                assert!(host(lbfgs.point()).iter().all(|x| x.is_finite()));
                return (values, reason);
            }
        }
    }
}

#[test]
fn problems_are_those_of_the_other_program() {
    for problem in all() {
        let (value, gradient) = problem.evaluate(&problem.start());
        let expected = problem.golden["value"].as_f64().unwrap();
        let close = |a: f64, b: f64, size: f64| (a - b).abs() <= 1e-10 * size;
        assert!(close(value, expected, expected), "{}", problem.name);
        let expected = numbers(&problem.golden["gradient"]);
        let size = expected.iter().fold(0f64, |most, g| most.max(g.abs()));
        for (found, expected) in gradient.iter().zip(expected) {
            assert!(close(*found, expected, size), "{}", problem.name);
        }
    }
}

/// The most evaluations, in units of SciPy's.
const RATIO: f64 = 1.3;

#[test]
fn no_more_evaluations_than_1_3_times_scipys() {
    let shares = numbers(&golden()["shares"]);
    let (mut compared, mut wrong) = (0, Vec::new());
    for problem in all() {
        let least = problem.golden["least"].as_f64().unwrap();
        for (dtype, precision) in [(DType::F64, "double"), (DType::F32, "single")] {
            let (values, reason) = problem.minimise(dtype);
            let first = values[0];
            let mut line = format!(
                "{}, {precision}: {} evaluations, {reason:?};",
                problem.name,
                values.len()
            );
            let golden = problem.golden[precision].as_array().unwrap();
            for (share, expected) in shares.iter().zip(golden) {
                let target = least + share * (first - least);
                let found = values
                    .iter()
                    .position(|value| *value <= target)
                    .map(|i| i + 1);
                line += &format!(" {found:?}/{expected}");
                let Some(expected) = expected.as_u64() else {
                    continue;
                };
                compared += 1;
                let ratio = found.map_or(f64::INFINITY, |found| found as f64 / expected as f64);
                if ratio > RATIO {
                    wrong.push(format!(
                        "{}, {precision}, {share}: {ratio:.2}",
                        problem.name
                    ));
                }
            }
            println!("{}", line.replace("Some(", "").replace(')', ""));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // All but the few that SciPy does not solve.
    assert!(compared > 170, "{compared}");
}
