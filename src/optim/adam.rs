//! Adam: stochastic gradient descent with a step size for each variable.

use std::borrow::Cow;

use derive_setters::Setters;
use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::compact::{CompactMeans, Scale};
use super::options::check_bounds;
use super::saved::{Saved, Vector};
use crate::error::{Error, FileUse, Result, all_finite, not_negative, positive};

/// Variables that one thread steps at a time.
pub(super) const CHUNK: usize = 16 * 1024;

/// Gradients are kept up to this power of two, whose square f32 holds.
const LARGEST: i32 = 60;

/// Roots of the smallest mean squares that f32 holds with all digits.
const LEAST_ROOT: f64 = 1.0 / (1u64 << 63) as f64;

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
    /// Keeps both means in 16 bits instead of 32, which takes 8 bytes a variable instead of 12 and changes steps by about
    /// a thousandth. Default: false.
    pub compact: bool,
}

impl Default for AdamOptions {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            bounds: None,
            compact: false,
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
/// whose gradient was always zero does not move. From a gradient on whose square would leave the range of f32
/// (above 1e18), gradients are divided by a power of two, which changes no step. The state lies in host memory and can
/// be serialised. An optimiser that is read back continues with the same numbers.
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
#[serde(try_from = "Unchecked")]
pub struct Adam {
    point: Vec<f32>,
    means: Means,
    steps: u64,
    options: AdamOptions,
    /// The state is that of gradients divided by two to the power of this.
    unit: u8,
}

/// An optimiser as it is read.
#[derive(Deserialize)]
struct Unchecked {
    point: Vec<f32>,
    means: Means,
    steps: u64,
    options: AdamOptions,
    unit: u8,
}

impl TryFrom<Unchecked> for Adam {
    type Error = Error;

    fn try_from(read: Unchecked) -> Result<Self> {
        let Unchecked {
            point,
            means,
            steps,
            options,
            unit,
        } = read;
        options.check()?;
        all_finite("the point", &point)?;
        let lengths = match &means {
            Means::Full { mean, square } => [mean.len(), square.len()],
            Means::Compact(means) => [means.ratio.len(), means.root.len()],
        };
        let scale_fits = match &means {
            Means::Full { .. } => true,
            Means::Compact(means) => means.scale.fits(),
        };
        // More steps than f64 counts are none of a run.
        if lengths != [point.len(); 2] || !scale_fits || steps > 1 << 53 {
            return Err(Saved::incomplete());
        }
        Ok(Self {
            point,
            means,
            steps,
            options,
            unit,
        })
    }
}

/// Means of the gradients and of their squares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Means {
    Full { mean: Vec<f32>, square: Vec<f32> },
    Compact(CompactMeans),
}

impl Means {
    /// Makes them those of gradients divided by two to the power of `more`.
    fn divide(&mut self, more: u8) {
        let factor = f64::from(-i32::from(more)).exp2() as f32;
        match self {
            Self::Full { mean, square } => {
                mean.par_iter_mut().for_each(|m| *m *= factor);
                square
                    .par_iter_mut()
                    .for_each(|v| *v = *v * factor * factor);
            }
            Self::Compact(means) => means.divide(more),
        }
    }
}

/// What a step needs beside gradients and means.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub(super) beta1: f32,
    pub(super) beta2: f32,
    /// With the corrections of both biases.
    pub(super) rate: f32,
    pub(super) epsilon: f32,
    /// What gradients are multiplied by.
    pub(super) unit: f32,
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Rates {
    /// Those of step number `steps`, from 1, at that rate, with gradients divided by two to the power of `unit`.
    pub(super) fn new(options: &AdamOptions, steps: u64, rate: f64, unit: u8) -> Self {
        let AdamOptions {
            beta1,
            beta2,
            epsilon,
            bounds,
            ..
        } = *options;
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        // Both bias corrections are moved into the rate and epsilon, so that the loop has one division.
        let root = (1.0 - beta2.powi(steps)).sqrt();
        let factor = f64::from(-i32::from(unit)).exp2();
        // In a larger unit small squares vanish, and must not be divided by.
        let least = match unit {
            0 => f64::from(f32::MIN_POSITIVE),
            _ => LEAST_ROOT,
        };
        let (low, high) = bounds.map_or((f32::MIN, f32::MAX), |(low, high)| {
            (low as f32, high as f32)
        });
        Self {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rate: (rate * root / (1.0 - beta1.powi(steps))) as f32,
            epsilon: (epsilon * root * factor).max(least) as f32,
            unit: factor as f32,
            low,
            high,
        }
    }

    /// The next value of a variable with the gradient `g`. Updates its means.
    #[inline(always)]
    pub(super) fn step(&self, x: f32, g: f32, m: &mut f32, v: &mut f32) -> f32 {
        let g = g * self.unit;
        *m = self.beta1 * *m + (1.0 - self.beta1) * g;
        *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
        (x - self.rate * *m / (v.sqrt() + self.epsilon)).clamp(self.low, self.high)
    }
}

impl Adam {
    /// Starts at a point.
    ///
    /// # Errors
    ///
    /// Those of [`AdamOptions::check`], and [`Error::NotFinite`] for a point that is not finite.
    pub fn new(point: Vec<f32>, options: AdamOptions) -> Result<Self> {
        options.check()?;
        all_finite("the point", &point)?;
        let count = point.len();
        let means = match options.compact {
            true => Means::Compact(CompactMeans::new(count)),
            false => Means::Full {
                mean: vec![0.0; count],
                square: vec![0.0; count],
            },
        };
        Ok(Self {
            point,
            means,
            steps: 0,
            options,
            unit: 0,
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
        self.enlarge_unit(gradient);
        self.steps += 1;
        let rates = Rates::new(&self.options, self.steps, rate, self.unit);
        match &mut self.means {
            Means::Full { mean, square } => {
                let step = |point: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]| {
                    let state = m.iter_mut().zip(v);
                    for ((x, g), (m, v)) in point.iter_mut().zip(gradient).zip(state) {
                        *x = rates.step(*x, *g, m, v);
                    }
                };
                let state = mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK));
                self.point
                    .par_chunks_mut(CHUNK)
                    .zip(gradient.par_chunks(CHUNK))
                    .zip(state)
                    .for_each(|((point, gradient), (mean, square))| {
                        Arch::new().dispatch(|| step(point, gradient, mean, square));
                    });
            }
            Means::Compact(means) => means.step(&mut self.point, gradient, &rates),
        }
        Ok(())
    }

    /// Takes a larger unit for a gradient whose square would not be held.
    fn enlarge_unit(&mut self, gradient: &[f32]) {
        let exponent = f64::from(largest(gradient)).log2().ceil() as i32;
        let unit = exponent
            .saturating_sub(LARGEST)
            .clamp(0, i32::from(u8::MAX)) as u8;
        if let Some(more) = unit.checked_sub(self.unit).filter(|more| *more > 0) {
            self.unit = unit;
            self.means.divide(more);
        }
    }

    /// Steps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state for a file.
    pub(crate) fn save(&self) -> Result<Saved<'_>> {
        let f32 = |values| Vector::F32(Cow::Borrowed(values));
        let (scale, [a, b]) = match &self.means {
            Means::Full { mean, square } => (None, [mean, square].map(|it| f32(it))),
            Means::Compact(CompactMeans { ratio, root, scale }) => {
                let whole = [Vector::I16(ratio.into()), Vector::U16(root.into())];
                (Some(*scale), whole)
            }
        };
        let numbers = Numbers {
            steps: self.steps,
            options: self.options.clone(),
            unit: self.unit,
            scale,
        };
        Saved::new(&numbers, vec![f32(&self.point), a, b])
    }

    /// Continues from a state of `count` variables.
    pub(crate) fn restore(saved: Saved<'_>, count: usize) -> Result<Self> {
        let (numbers, vectors): (Numbers, _) = saved.into_parts(count)?;
        let checked = numbers.options.check();
        checked.map_err(|source| Error::content(FileUse::Checkpoint, source))?;
        let [point, a, b] = vectors.try_into().map_err(|_| Saved::incomplete())?;
        let means = match numbers.scale {
            None => Means::Full {
                mean: a.into_f32()?,
                square: b.into_f32()?,
            },
            Some(scale) => {
                let means = CompactMeans::from_parts(scale, a.into_i16()?, b.into_u16()?);
                Means::Compact(means.ok_or_else(Saved::incomplete)?)
            }
        };
        Ok(Self {
            point: point.into_f32()?,
            means,
            steps: numbers.steps,
            options: numbers.options,
            unit: numbers.unit,
        })
    }

    /// The point, the mean gradient and the mean square. None: they have 16 bits, or another unit than gradients.
    #[cfg(feature = "cube")]
    pub(super) fn vectors(&self) -> Option<[&[f32]; 3]> {
        match &self.means {
            Means::Full { mean, square } if self.unit == 0 => Some([&self.point, mean, square]),
            _ => None,
        }
    }

    /// The state with these vectors after that many steps.
    #[cfg(feature = "cube")]
    pub(super) fn of_vectors(
        options: AdamOptions,
        steps: u64,
        [point, mean, square]: [Vec<f32>; 3],
    ) -> Self {
        Self {
            point,
            means: Means::Full { mean, square },
            steps,
            options,
            unit: 0,
        }
    }

    #[cfg(feature = "cube")]
    pub(super) fn options(&self) -> &AdamOptions {
        &self.options
    }

    /// The last point.
    #[must_use]
    pub fn into_point(self) -> Vec<f32> {
        self.point
    }
}

/// The numbers of a state beside its vectors.
#[derive(Serialize, Deserialize)]
struct Numbers {
    steps: u64,
    options: AdamOptions,
    unit: u8,
    /// Of compact means.
    scale: Option<Scale>,
}

/// The largest magnitude.
pub(super) fn largest(gradient: &[f32]) -> f32 {
    let parts = gradient.par_chunks(CHUNK);
    let largest = parts.map(|part| part.iter().fold(0.0, |most: f32, g| most.max(g.abs())));
    largest.reduce(|| 0.0, f32::max)
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

    /// Compact means take nearly the same steps, also when they are saved on the way.
    #[test]
    fn sixteen_bits_take_nearly_the_same_steps() {
        let options = AdamOptions::default().with_compact(true);
        let point: Vec<f32> = (0..1000).map(|i| (0.37 * i as f32).sin()).collect();
        let mut full = Adam::new(point.clone(), AdamOptions::default()).unwrap();
        let mut compact = Adam::new(point, options).unwrap();
        let mut furthest = 0f32;
        for step in 0..120 {
            // Gradients of many magnitudes, the same for both, with noise.
            let gradient = |i: usize| {
                let noise = (0.9 * (i * 31 + step * 17) as f32).sin();
                (0.3 * (i as f32 * 0.7).sin() + noise) * 10f32.powi(i as i32 % 5 - 2)
            };
            let gradient: Vec<f32> = (0..1000).map(gradient).collect();
            full.tell(&gradient, 0.02).unwrap();
            compact.tell(&gradient, 0.02).unwrap();
            if step == 50 {
                compact = Adam::restore(compact.save().unwrap(), 1000).unwrap();
            }
            let apart = full
                .ask()
                .iter()
                .zip(compact.ask())
                .map(|(a, b)| (a - b).abs());
            furthest = apart.fold(furthest, f32::max);
        }
        println!("{furthest}");
        // They went through 120 steps of up to 0.02.
        assert!(furthest > 0.0 && furthest < 2e-3, "{furthest}");
        let gradient = vec![0.0; 1000];
        let before = compact.ask()[3];
        compact.tell(&gradient, 0.02).unwrap();
        assert!((compact.ask()[3] - before).abs() < 0.02);
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
