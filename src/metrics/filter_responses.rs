//! Statistics of large linear filters: a metric unlike any loss of this crate.

use image::Rgb32FImage;
use nalgebra::DMatrix;
use rayon::prelude::*;

use super::check;
use super::plane::Plane;
use crate::error::Result;
use crate::random::{self, Purpose};

/// Side of a filter in pixels.
const SIDE: usize = 11;
/// Filters on each pyramid level.
const FILTERS: usize = 128;
/// Pyramid levels.
const LEVELS: u32 = 3;

/// How differently large filters respond to two textures: 0 for equal images.
///
/// 128 random filters of 11x11 pixels with unit norm and mean zero are applied on each of three levels of a
/// Gaussian pyramid. `a` are the responses after a ReLU, and `G` is their Gram matrix:
///
/// ```text
/// d = |G(exemplar) - G(result)| / |G(exemplar)|        G = mean over positions of a a'
/// ```
///
/// The result is the mean over levels. Ustyuzhaninov, Brendel, Gatys and Bethge, "What does it take to
/// generate natural textures?", ICLR 2017, synthesize textures with one layer of wide filters. Here such a
/// layer judges textures of a deep network of small filters, which was not optimised for it.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for images of different sizes or with a side below 44
/// pixels, [`Error::NotFinite`](crate::Error::NotFinite) for NaN or infinite values.
pub fn filter_responses(exemplar: &Rgb32FImage, result: &Rgb32FImage) -> Result<f64> {
    check(exemplar, result, (SIDE as u32) << (LEVELS - 1))?;
    let (mut first, mut second) = (Plane::new(exemplar), Plane::new(result));
    let mut sum = 0.0;
    for level in 0..LEVELS {
        let filters = filters(level);
        let (expected, found) = (
            gram_matrix(&first, &filters),
            gram_matrix(&second, &filters),
        );
        sum += (&found - &expected).norm() / expected.norm().max(f64::MIN_POSITIVE);
        (first, second) = (first.half(), second.half());
    }
    Ok(sum / f64::from(LEVELS))
}

/// `[11 11 3, 128]`: one filter in each column, in the order of a patch's values.
fn filters(level: u32) -> DMatrix<f32> {
    let length = SIDE * SIDE * 3;
    let numbers = random::uniform(0, Purpose::Filter, level, length * FILTERS);
    let mut filters = DMatrix::from_vec(length, FILTERS, numbers);
    for mut filter in filters.column_iter_mut() {
        let mean = filter.mean();
        filter.add_scalar_mut(-mean);
        filter.normalize_mut();
    }
    filters
}

/// The Gram matrix of the activations, divided by the number of positions.
fn gram_matrix(plane: &Plane, filters: &DMatrix<f32>) -> DMatrix<f64> {
    let (rows, columns) = (plane.height - SIDE + 1, plane.width - SIDE + 1);
    let sums: Vec<DMatrix<f32>> = (0..rows)
        .into_par_iter()
        .map(|y| {
            let patches = DMatrix::from_fn(columns, SIDE * SIDE * 3, |x, index| {
                let (dy, rest) = (index / (SIDE * 3), index % (SIDE * 3));
                plane.row(y + dy)[x * 3 + rest]
            });
            let responses = (patches * filters).map(|response| response.max(0.0));
            responses.transpose() * &responses
        })
        .collect();
    let mut total = DMatrix::<f64>::zeros(FILTERS, FILTERS);
    for sum in sums {
        total += sum.map(f64::from);
    }
    total / (rows * columns) as f64
}
