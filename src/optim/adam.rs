//! Adam: stochastic gradient descent with a step size for each variable.

use derive_setters::Setters;
use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::options::check_bounds;
use super::saved::Saved;
use crate::error::{Error, Result, all_finite, not_negative, positive};

/// Variables that one thread steps at a time.
const CHUNK: usize = 16 * 1024;

/// Options of [`Adam`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_", strip_option)]
#[non_exhaustive]
pub struct AdamOptions {
    /// Decay of the mean of gradients, below 1. Default: 0.9.
    pub beta1: f64,
    /// Decay of the mean of squared gradients, below 1. Default: 0.999.
    pub beta2: f64,
    /// Added to the root of the mean square that a step is divided by. Default: 1e-8.
    pub epsilon: f64,
    /// Keeps every variable in this range. Default: none.
    pub bounds: Option<(f64, f64)>,
}

impl Default for AdamOptions {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            bounds: None,
        }
    }
}

impl AdamOptions {
    /// Checks every option.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for one that is out of range.
    pub fn check(&self) -> Result<()> {
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            // In the precision of the sums.
            if !(0.0..1.0).contains(&(beta as f32)) {
                return Err(Error::option(name, beta, "at least 0 and less than 1"));
            }
        }
        positive("epsilon", self.epsilon)?;
        check_bounds(self.bounds)
    }
}

/// Minimises a function from stochastic gradients. It is asked for a point, and then told a gradient there.
///
/// With the gradient `g`, the step number `t` from 1 and the rate `a`, each variable `x` becomes
///
/// ```text
/// m = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g^2
/// x = x - a (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// ```
///
/// (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.) A variable
/// whose gradient was always zero does not move. The state lies in host memory and can be serialised. An
/// optimiser that is read back continues with the same numbers.
///
/// ```
/// use ranvgg::optim::{Adam, AdamOptions};
///
/// let mut adam = Adam::new(vec![3.0], AdamOptions::default())?;
/// for _ in 0..200 {
///     let gradient = vec![2.0 * adam.ask()[0]];
///     adam.tell(&gradient, 0.1)?;
/// }
/// assert!(adam.ask()[0].abs() < 0.1);
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    point: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: u64,
    options: AdamOptions,
}

impl Adam {
    /// Starts at a point.
    ///
    /// # Errors
    ///
    /// Those of [`AdamOptions::check`].
    pub fn new(point: Vec<f32>, options: AdamOptions) -> Result<Self> {
        options.check()?;
        let count = point.len();
        Ok(Self {
            point,
            mean: vec![0.0; count],
            square: vec![0.0; count],
            steps: 0,
            options,
        })
    }

    /// The point of the next gradient.
    #[must_use]
    pub fn ask(&self) -> &[f32] {
        &self.point
    }

    /// Takes one step of about `rate` in each variable.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for a gradient of another length, [`Error::NotFinite`] for one that is not finite,
    /// [`Error::InvalidOption`] for a rate that is negative or no number. They leave the state as it was.
    pub fn tell(&mut self, gradient: &[f32], rate: f64) -> Result<()> {
        if gradient.len() != self.point.len() {
            return Err(Error::Shape {
                what: "a gradient".into(),
                found: vec![gradient.len()],
                expected: format!("[{}]", self.point.len()),
            });
        }
        not_negative("rate", rate)?;
        all_finite("a gradient", gradient)?;
        self.steps += 1;
        let AdamOptions {
            beta1,
            beta2,
            epsilon,
            bounds,
        } = self.options;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        // Both bias corrections are moved into the rate and epsilon, so that the loop has one division.
        let root = (1.0 - beta2.powi(steps)).sqrt();
        let rate = (rate * root / (1.0 - beta1.powi(steps))) as f32;
        let epsilon = ((epsilon * root) as f32).max(f32::MIN_POSITIVE);
        let (beta1, beta2) = (beta1 as f32, beta2 as f32);
        let (low, high) = bounds.map_or((f32::MIN, f32::MAX), |(low, high)| {
            (low as f32, high as f32)
        });
        let step = |point: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]| {
            let state = mean.iter_mut().zip(square);
            for ((x, g), (m, v)) in point.iter_mut().zip(gradient).zip(state) {
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                *x = (*x - rate * *m / (v.sqrt() + epsilon)).clamp(low, high);
            }
        };
        let state = self
            .mean
            .par_chunks_mut(CHUNK)
            .zip(self.square.par_chunks_mut(CHUNK));
        self.point
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(state)
            .for_each(|((point, gradient), (mean, square))| {
                Arch::new().dispatch(|| step(point, gradient, mean, square));
            });
        Ok(())
    }

    /// Steps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state for a file.
    pub(crate) fn save(&self) -> Result<Saved> {
        let numbers = Self {
            point: Vec::new(),
            mean: Vec::new(),
            square: Vec::new(),
            steps: self.steps,
            options: self.options.clone(),
        };
        let vectors = [&self.point, &self.mean, &self.square];
        Saved::new(&numbers, vectors.map(Clone::clone).into())
    }

    /// Continues from a state of `count` variables.
    pub(crate) fn restore(saved: Saved, count: usize) -> Result<Self> {
        let (mut adam, vectors): (Self, _) = saved.into_parts(count)?;
        let [point, mean, square] = vectors.try_into().map_err(|_| Saved::incomplete())?;
        (adam.point, adam.mean, adam.square) = (point, mean, square);
        Ok(adam)
    }

    /// The last point.
    #[must_use]
    pub fn into_point(self) -> Vec<f32> {
        self.point
    }
}

/// The rate of step number `step` of `steps`, counted from 0. It is the first rate for a share `hold` of
/// the steps, and then falls along half a cosine to the last rate.
///
/// Large steps find the picture. Small steps at the end remove the noise that stochastic gradients leave.
pub(crate) fn falling_rate((first, last): (f64, f64), hold: f64, step: usize, steps: usize) -> f64 {
    let done = (step as f64 + 0.5) / steps.max(1) as f64;
    let falling = ((done - hold) / (1.0 - hold)).clamp(0.0, 1.0);
    last + (first - last) * 0.5 * (1.0 + (std::f64::consts::PI * falling).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gradient of `tests/golden/resampled.py`.
    fn gradient(x: &[f32], step: usize) -> Vec<f32> {
        let step = step as f64;
        let noise = [step.sin(), (2.0 * step).cos(), (3.0 * step).sin(), 0.0];
        let scale = [1.0, 1.0, 100.0, 0.0];
        let x = x.iter().zip(noise.iter().zip(scale));
        x.map(|(x, (noise, scale))| ((2.0 * f64::from(*x) + noise) * scale) as f32)
            .collect()
    }

    fn rate(step: usize) -> f64 {
        0.1 / (1.0 + 0.1 * step as f64)
    }

    fn start() -> Adam {
        Adam::new(vec![0.5, -1.5, 2.0, 0.0], AdamOptions::default()).unwrap()
    }

    #[test]
    fn steps_are_those_of_another_program() {
        let text = include_str!("../../tests/golden/resampled.json");
        let golden: serde_json::Value = serde_json::from_str(text).unwrap();
        let path = golden["adam"]["path"].as_array().unwrap();
        let mut adam = start();
        for (step, expected) in path.iter().enumerate() {
            adam.tell(&gradient(adam.ask(), step), rate(step)).unwrap();
            for (found, expected) in adam.ask().iter().zip(expected.as_array().unwrap()) {
                assert!((f64::from(*found) - expected.as_f64().unwrap()).abs() < 2e-5);
            }
        }
        assert_eq!(adam.steps(), 30);
        assert_eq!(adam.ask()[3], 0.0);
    }

    #[test]
    fn one_that_is_read_back_goes_on_with_the_same_numbers() {
        let mut adam = start();
        for step in 0..7 {
            adam.tell(&gradient(adam.ask(), step), rate(step)).unwrap();
        }
        let mut other: Adam = serde_json::from_str(&serde_json::to_string(&adam).unwrap()).unwrap();
        for step in 7..20 {
            adam.tell(&gradient(adam.ask(), step), rate(step)).unwrap();
            other
                .tell(&gradient(other.ask(), step), rate(step))
                .unwrap();
        }
        assert_eq!(adam, other);
    }

    #[test]
    fn bounds_hold_and_nonsense_is_refused() {
        let options = AdamOptions {
            bounds: Some((0.0, 1.0)),
            ..AdamOptions::default()
        };
        let mut adam = Adam::new(vec![0.5; 2], options.clone()).unwrap();
        for _ in 0..30 {
            adam.tell(&[1.0, -1.0], 0.1).unwrap();
        }
        assert_eq!(adam.ask(), [0.0, 1.0]);
        let before = adam.clone();
        assert!(adam.tell(&[1.0], 0.1).is_err());
        assert_eq!(adam, before);
        for wrong in [
            AdamOptions {
                beta1: 1.0,
                ..options.clone()
            },
            AdamOptions {
                beta2: -0.1,
                ..options.clone()
            },
            AdamOptions {
                epsilon: 0.0,
                ..options.clone()
            },
            AdamOptions {
                bounds: Some((1.0, 1.0)),
                ..options.clone()
            },
            AdamOptions {
                beta1: f64::NAN,
                ..options
            },
        ] {
            assert!(Adam::new(vec![0.0], wrong).is_err());
        }
    }

    #[test]
    fn the_rate_stays_and_falls() {
        let rate = |step: usize| falling_rate((0.01, 0.002), 0.5, step, 100);
        assert_eq!((rate(0), rate(49)), (0.01, 0.01));
        assert!((rate(74) - 0.006).abs() < 2e-4);
        assert!((rate(99) - 0.002).abs() < 1e-5);
    }
}
