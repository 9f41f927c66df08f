//! The residuals of `tests/golden/classic.py`, of the problems of Moré, Garbow and Hillstrom, "Testing
//! Unconstrained Optimization Software", ACM TOMS 7 (1981).

use std::f64::consts::PI;

use super::dual::Dual;

pub(super) type Residuals = fn(&[Dual], &dyn Fn(&str) -> Vec<f64>) -> Vec<Dual>;

pub(super) const PROBLEMS: [(&str, Residuals); 32] = [
    ("rosenbrock", |x, _| rosenbrock(x)),
    ("freudenstein roth", |x, _| {
        let (a, b) = (x[0], x[1]);
        vec![
            a + ((5.0 - b) * b - 2.0) * b - 13.0,
            a + ((b + 1.0) * b - 14.0) * b - 29.0,
        ]
    }),
    ("powell badly scaled", |x, _| {
        let sum = (-x[0]).exp() + (-x[1]).exp();
        vec![1e4 * x[0] * x[1] - 1.0, sum - 1.0001]
    }),
    ("brown badly scaled", |x, _| {
        vec![x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0]
    }),
    ("beale", |x, _| {
        let powers = [x[1], x[1].square(), x[1].square() * x[1]];
        let constants = [1.5, 2.25, 2.625].into_iter().zip(powers);
        constants.map(|(c, p)| c - x[0] * (1.0 - p)).collect()
    }),
    ("jennrich sampson", |x, _| {
        let residual = |i: f64| 2.0 + 2.0 * i - ((i * x[0]).exp() + (i * x[1]).exp());
        count(10).map(residual).collect()
    }),
    ("helical valley", |x, _| {
        let turn = if x[0].value < 0.0 { 0.5 } else { 0.0 };
        let angle = (x[1] / x[0]).atan() / (2.0 * PI) + turn;
        let radius = (x[0].square() + x[1].square()).sqrt();
        vec![10.0 * (x[2] - 10.0 * angle), 10.0 * (radius - 1.0), x[2]]
    }),
    ("bard", |x, data| {
        let residual = |(u, y): (f64, f64)| {
            let v = 16.0 - u;
            y - (x[0] + u / (v * x[1] + u.min(v) * x[2]))
        };
        count(15).zip(data("bard")).map(residual).collect()
    }),
    ("gaussian", |x, data| {
        let residual = |(i, y): (f64, f64)| {
            let away = (8.0 - i) / 2.0 - x[2];
            x[0] * (-x[1] * away.square() / 2.0).exp() - y
        };
        count(15).zip(data("gaussian")).map(residual).collect()
    }),
    ("meyer", |x, data| {
        let residual = |(i, y): (f64, f64)| x[0] * (x[1] / (45.0 + 5.0 * i + x[2])).exp() - y;
        count(16).zip(data("meyer")).map(residual).collect()
    }),
    ("gulf", |x, _| {
        let residual = |i: f64| {
            let t = i / 100.0;
            let away = 25.0 + (-50.0 * t.ln()).powf(2.0 / 3.0) - x[1];
            (-(x[2] * away.abs().ln()).exp() / x[0]).exp() - t
        };
        count(99).map(residual).collect()
    }),
    ("box", |x, _| {
        let residual = |i: f64| {
            let t = i / 10.0;
            let target = (-t).exp() - (-10.0 * t).exp();
            (-t * x[0]).exp() - (-t * x[1]).exp() - x[2] * target
        };
        count(10).map(residual).collect()
    }),
    ("powell singular", |x, _| powell_singular(x)),
    ("wood", |x, _| {
        let (a, b, c, d) = (x[0], x[1], x[2], x[3]);
        vec![
            10.0 * (b - a.square()),
            1.0 - a,
            90f64.sqrt() * (d - c.square()),
            1.0 - c,
            10f64.sqrt() * (b + d - 2.0),
            (b - d) / 10f64.sqrt(),
        ]
    }),
    ("kowalik osborne", |x, data| {
        let residual =
            |(u, y): (f64, f64)| y - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3]);
        let measured = data("kowalik u").into_iter().zip(data("kowalik y"));
        measured.map(residual).collect()
    }),
    ("brown dennis", |x, _| {
        let residual = |i: f64| {
            let t = i / 5.0;
            let a = x[0] + t * x[1] - t.exp();
            let b = x[2] + x[3] * t.sin() - t.cos();
            a.square() + b.square()
        };
        count(20).map(residual).collect()
    }),
    ("osborne 1", |x, data| {
        let residual = |(i, y): (f64, f64)| {
            let t = 10.0 * (i - 1.0);
            y - (x[0] + x[1] * (-t * x[3]).exp() + x[2] * (-t * x[4]).exp())
        };
        count(33).zip(data("osborne 1")).map(residual).collect()
    }),
    ("biggs", |x, _| {
        let residual = |i: f64| {
            let t = i / 10.0;
            let y = (-t).exp() - 5.0 * (-10.0 * t).exp() + 3.0 * (-4.0 * t).exp();
            let decays = x[2] * (-t * x[0]).exp() - x[3] * (-t * x[1]).exp();
            decays + x[5] * (-t * x[4]).exp() - y
        };
        count(13).map(residual).collect()
    }),
    ("osborne 2", |x, data| {
        let residual = |(i, y): (f64, f64)| {
            let t = (i - 1.0) / 10.0;
            let bump = |i: usize| x[i] * (-(t - x[i + 7]).square() * x[i + 4]).exp();
            y - (x[0] * (-t * x[4]).exp() + bump(1) + bump(2) + bump(3))
        };
        count(65).zip(data("osborne 2")).map(residual).collect()
    }),
    ("watson", |x, _| {
        let residual = |i: f64| {
            let t = i / 29.0;
            let (mut slope, mut value) = (Dual::from(0.0), Dual::from(0.0));
            for (power, x) in x.iter().enumerate() {
                value = value + *x * t.powi(power as i32);
                if power > 0 {
                    slope = slope + power as f64 * *x * t.powi(power as i32 - 1);
                }
            }
            slope - value.square() - 1.0
        };
        let last = [x[0], x[1] - x[0].square() - 1.0];
        count(29).map(residual).chain(last).collect()
    }),
    ("extended rosenbrock", |x, _| rosenbrock(x)),
    ("extended powell", |x, _| powell_singular(x)),
    ("penalty 1", |x, _| {
        let squares: Dual = x.iter().map(|x| x.square()).sum();
        let near = x.iter().map(|x| 1e-5f64.sqrt() * (*x - 1.0));
        near.chain([squares - 0.25]).collect()
    }),
    ("penalty 2", |x, _| {
        let root = 1e-5f64.sqrt();
        let exp = |x: Dual| (x / 10.0).exp();
        let mut residuals = vec![x[0] - 0.2];
        for i in 1..x.len() {
            let y = ((i + 1) as f64 / 10.0).exp() + (i as f64 / 10.0).exp();
            residuals.push(root * (exp(x[i]) + exp(x[i - 1]) - y));
            residuals.push(root * (exp(x[i]) - (-0.1f64).exp()));
        }
        let weighted = x.iter().rev().zip(count(x.len()));
        let sum: Dual = weighted.map(|(x, weight)| weight * x.square()).sum();
        residuals.push(sum - 1.0);
        residuals
    }),
    ("variably dimensioned", |x, _| {
        let weighted = x.iter().zip(count(x.len()));
        let total: Dual = weighted.map(|(x, i)| i * (*x - 1.0)).sum();
        let plain = x.iter().map(|x| *x - 1.0);
        plain.chain([total, total.square()]).collect()
    }),
    ("trigonometric", |x, _| {
        let cosines: Dual = x.iter().map(|x| x.cos()).sum();
        let rest = x.len() as f64 - cosines;
        let residual = |(x, i): (&Dual, f64)| rest + i * (1.0 - x.cos()) - x.sin();
        x.iter().zip(count(x.len())).map(residual).collect()
    }),
    ("brown almost linear", |x, _| {
        let n = x.len();
        let sum: Dual = x.iter().copied().sum();
        let product = x.iter().fold(Dual::from(1.0), |product, x| product * *x);
        let linear = x[..n - 1].iter().map(|x| *x + sum - (n + 1) as f64);
        linear.chain([product - 1.0]).collect()
    }),
    ("boundary value", |x, _| {
        let h = 1.0 / (x.len() + 1) as f64;
        let residual = |i: usize| {
            let inner = x[i] + h * (i + 1) as f64 + 1.0;
            let cube = inner.square() * inner;
            2.0 * x[i] - at(x, i, -1) - at(x, i, 1) + h * h * cube / 2.0
        };
        (0..x.len()).map(residual).collect()
    }),
    ("integral equation", |x, _| {
        let h = 1.0 / (x.len() + 1) as f64;
        let t = |i: usize| h * (i + 1) as f64;
        let cube = |i: usize| {
            let inner = x[i] + t(i) + 1.0;
            inner.square() * inner
        };
        let residual = |i: usize| {
            let before: Dual = (0..=i).map(|j| t(j) * cube(j)).sum();
            let after: Dual = (i + 1..x.len()).map(|j| (1.0 - t(j)) * cube(j)).sum();
            x[i] + h * ((1.0 - t(i)) * before + t(i) * after) / 2.0
        };
        (0..x.len()).map(residual).collect()
    }),
    ("broyden tridiagonal", |x, _| {
        let residual =
            |i: usize| (3.0 - 2.0 * x[i]) * x[i] - at(x, i, -1) - 2.0 * at(x, i, 1) + 1.0;
        (0..x.len()).map(residual).collect()
    }),
    ("broyden banded", |x, _| {
        let residual = |i: usize| {
            let near = (i.saturating_sub(5)..(i + 2).min(x.len())).filter(|j| *j != i);
            let sum: Dual = near.map(|j| x[j] * (1.0 + x[j])).sum();
            x[i] * (2.0 + 5.0 * x[i].square()) + 1.0 - sum
        };
        (0..x.len()).map(residual).collect()
    }),
    ("chebyquad", |x, _| {
        let n = x.len();
        let mut before = vec![Dual::from(1.0); n];
        let mut now: Vec<Dual> = x.iter().map(|x| 2.0 * *x - 1.0).collect();
        let mut residuals = Vec::new();
        for i in 1..=n {
            let integral = if i % 2 == 0 {
                1.0 / (1.0 - (i * i) as f64)
            } else {
                0.0
            };
            let mean = now.iter().copied().sum::<Dual>() / n as f64;
            residuals.push(mean - integral);
            let next = (0..n).map(|j| 2.0 * (2.0 * x[j] - 1.0) * now[j] - before[j]);
            let next = next.collect();
            before = std::mem::replace(&mut now, next);
        }
        residuals
    }),
];

/// 1, 2, ... n.
fn count(n: usize) -> impl Iterator<Item = f64> {
    (1..=n).map(|i| i as f64)
}

/// A neighbour, or zero beyond the ends.
fn at(x: &[Dual], i: usize, by: isize) -> Dual {
    let neighbour = i.checked_add_signed(by).and_then(|i| x.get(i));
    neighbour.copied().unwrap_or(Dual::from(0.0))
}

fn rosenbrock(x: &[Dual]) -> Vec<Dual> {
    let residuals = |pair: &[Dual]| [10.0 * (pair[1] - pair[0].square()), 1.0 - pair[0]];
    x.chunks(2).flat_map(residuals).collect()
}

fn powell_singular(x: &[Dual]) -> Vec<Dual> {
    let residuals = |four: &[Dual]| {
        let (a, b, c, d) = (four[0], four[1], four[2], four[3]);
        [
            a + 10.0 * b,
            5f64.sqrt() * (c - d),
            (b - 2.0 * c).square(),
            10f64.sqrt() * (a - d).square(),
        ]
    };
    x.chunks(4).flat_map(residuals).collect()
}
