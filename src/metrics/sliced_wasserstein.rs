//! Sliced Wasserstein distance between the patches of two textures.

use image::Rgb32FImage;
use rayon::prelude::*;

use super::check;
use super::plane::Plane;
use crate::error::Result;
use crate::random::{self, Purpose};

/// Side of a patch in pixels.
const PATCH: usize = 7;
/// Pyramid levels.
const LEVELS: u32 = 4;
/// Directions on each pyramid level.
const DIRECTIONS: usize = 1024;
/// Quantiles compared along a direction.
const QUANTILES: usize = 1000;

/// The sliced Wasserstein distance between the patches of two textures: 0 for equal images, 0.03 to 0.1 for a
/// good synthesis.
///
/// On each of four levels of a Gaussian pyramid, all 7x7 patches are projected on 1024 random unit directions.
/// Along each direction 1000 quantiles `q` are compared:
///
/// ```text
/// d = mean |q(exemplar) - q(result)| / std(exemplar)
/// ```
///
/// The result is the mean over directions and levels. It depends on patches only. The right patches in a wrong
/// order score well, and so does a copy. (The distance of Rabin, Peyré, Delon and Bernot, "Wasserstein
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
    let size = (exemplar.height, exemplar.width);
    let (exemplar, result) = (exemplar.channels(), result.channels());
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
            let (first, second) = (
                project(&exemplar, size, &direction),
                project(&result, size, &direction),
            );
            let spread = standard_deviation(&first);
            let (first, second) = (quantiles(first), quantiles(second));
            let difference: f64 = first
                .iter()
                .zip(&second)
                .map(|(a, b)| f64::from((a - b).abs()))
                .sum();
            let mean = difference / QUANTILES as f64;
            // A flat exemplar has no spread, and any difference from it is infinite.
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

/// The quantiles at the middles of `QUANTILES` equal intervals of ranks.
fn quantiles(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    (0..QUANTILES)
        .map(|i| {
            let rank = (i as f64 + 0.5) / QUANTILES as f64 * values.len() as f64;
            values[rank as usize]
        })
        .collect()
}

/// Inner products of a direction with all patches of an image.
fn project(planes: &[Vec<f32>; 3], (height, width): (usize, usize), direction: &[f32]) -> Vec<f32> {
    let (rows, columns) = (height - PATCH + 1, width - PATCH + 1);
    let mut sums = vec![0.0; rows * columns];
    for (sums, y) in sums.chunks_mut(columns).zip(0..) {
        for (index, weight) in direction.iter().enumerate() {
            let (dy, dx, channel) = (index / (PATCH * 3), index / 3 % PATCH, index % 3);
            let line = &planes[channel][(y + dy) * width + dx..][..columns];
            // The loop over a row of patches is innermost, so that vectors need no shuffles.
            for (sum, value) in sums.iter_mut().zip(line) {
                *sum += value * weight;
            }
        }
    }
    sums
}
