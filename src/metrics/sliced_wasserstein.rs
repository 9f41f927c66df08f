//! Sliced Wasserstein distance between the patches of two textures.

use image::Rgb32FImage;
use rayon::prelude::*;

use super::check;
use crate::error::Result;
use crate::random::{self, Purpose};

/// Side of a patch.
const PATCH: usize = 7;
/// Levels of the pyramid.
const LEVELS: u32 = 4;
/// Directions of each level.
const DIRECTIONS: usize = 1024;
/// Quantiles compared along a direction.
const QUANTILES: usize = 1000;
/// Weights of the binomial filter that shrinks a level.
const BINOMIAL: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// How differently the patches of two textures are distributed: 0 for equal images, 0.03 to 0.1
/// for a good synthesis.
///
/// On each of four levels of a Gaussian pyramid, all 7x7 patches are projected on 1024 random unit
/// directions; along each, 1000 quantiles are compared:
///
/// ```text
/// d = mean |q(exemplar) - q(result)| / std(exemplar)
/// ```
///
/// averaged over directions, then levels. It sees patches only: the right patches in a wrong order
/// score well, and so does a copy. (The distance of Rabin, Peyré, Delon and Bernot, "Wasserstein
/// Barycenter and its Application to Texture Mixing", SSVM 2011, of patches at several scales.)
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for images of different sizes or with a side below 56
/// pixels, [`Error::NotFinite`](crate::Error::NotFinite) for NaN or infinite values.
pub fn sliced_wasserstein(exemplar: &Rgb32FImage, result: &Rgb32FImage) -> Result<f64> {
    check(exemplar, result, (PATCH as u32) << (LEVELS - 1))?;
    let mut first = Plane::new(exemplar);
    let mut second = Plane::new(result);
    let mut sum = 0.0;
    for level in 0..LEVELS {
        sum += level_distance(&first, &second, level);
        first = first.half();
        second = second.half();
    }
    Ok(sum / f64::from(LEVELS))
}

fn level_distance(exemplar: &Plane, result: &Plane, level: u32) -> f64 {
    let length = PATCH * PATCH * 3;
    let numbers = random::normal(0, Purpose::Direction, level, DIRECTIONS * length);
    let distances: Vec<f64> = numbers
        .par_chunks(length)
        .map(|numbers| {
            let norm = numbers
                .iter()
                .map(|value| value * value)
                .sum::<f32>()
                .sqrt();
            let direction: Vec<f32> = numbers.iter().map(|value| value / norm).collect();
            let (first, second) = (exemplar.project(&direction), result.project(&direction));
            let spread = standard_deviation(&first);
            let (first, second) = (quantiles(first), quantiles(second));
            let difference: f64 = first
                .iter()
                .zip(&second)
                .map(|(a, b)| f64::from((a - b).abs()))
                .sum();
            let mean = difference / QUANTILES as f64;
            // A flat exemplar has no spread: any difference is infinitely many of them.
            if mean > 0.0 { mean / spread } else { 0.0 }
        })
        .collect();
    distances.iter().sum::<f64>() / DIRECTIONS as f64
}

fn standard_deviation(values: &[f32]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let squares: f64 = values
        .iter()
        .map(|value| (f64::from(*value) - mean).powi(2))
        .sum();
    (squares / count).sqrt()
}

/// The values at the middles of equal shares of the sorted list.
fn quantiles(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    (0..QUANTILES)
        .map(|i| {
            let place = (i as f64 + 0.5) / QUANTILES as f64 * values.len() as f64;
            values[place as usize]
        })
        .collect()
}

/// An image, `[height, width, 3]`.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Plane {
    fn new(image: &Rgb32FImage) -> Self {
        Self {
            width: image.width() as usize,
            height: image.height() as usize,
            values: image.as_raw().clone(),
        }
    }

    /// Inner products of a direction with all patches.
    fn project(&self, direction: &[f32]) -> Vec<f32> {
        let (rows, columns) = (self.height - PATCH + 1, self.width - PATCH + 1);
        let run = PATCH * 3;
        let mut sums = vec![0.0; rows * columns];
        for (sums, y) in sums.chunks_mut(columns).zip(0..) {
            for (dy, weights) in direction.chunks(run).enumerate() {
                let line = &self.values[(y + dy) * self.width * 3..][..self.width * 3];
                for (x, sum) in sums.iter_mut().enumerate() {
                    let patch = &line[x * 3..][..run];
                    *sum += patch.iter().zip(weights).map(|(a, b)| a * b).sum::<f32>();
                }
            }
        }
        sums
    }

    /// Every second pixel of the image filtered by the binomial, mirrored at its border.
    fn half(&self) -> Self {
        let mirrored = |i: isize, length: usize| {
            let last = length as isize - 1;
            (last - (last - i.abs()).abs()) as usize
        };
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let at =
            |y: usize, x: usize, channel: usize| self.values[(y * self.width + x) * 3 + channel];
        let mut rows = vec![0.0; height * self.width * 3];
        for y in 0..height {
            for x in 0..self.width {
                for channel in 0..3 {
                    rows[(y * self.width + x) * 3 + channel] = (0..5)
                        .map(|i| {
                            let source = mirrored(2 * y as isize + i as isize - 2, self.height);
                            BINOMIAL[i] * at(source, x, channel)
                        })
                        .sum();
                }
            }
        }
        let mut values = vec![0.0; height * width * 3];
        for y in 0..height {
            for x in 0..width {
                for channel in 0..3 {
                    values[(y * width + x) * 3 + channel] = (0..5)
                        .map(|i| {
                            let source = mirrored(2 * x as isize + i as isize - 2, self.width);
                            BINOMIAL[i] * rows[(y * self.width + source) * 3 + channel]
                        })
                        .sum();
                }
            }
        }
        Self {
            width,
            height,
            values,
        }
    }
}
