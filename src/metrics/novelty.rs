//! How much of a texture is a copy of its exemplar.

use image::Rgb32FImage;
use image::imageops::{self, FilterType};
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::check_one;
use super::plane::Plane;
use crate::error::Result;

/// Side in pixels that both images are resized to.
const SIDE: u32 = 200;
/// The longest part of a picture that is resized, in units of its shorter side.
const LONGEST: u32 = 8;
/// Side of a patch in pixels of the halved images.
const PATCH: usize = 8;
/// Pixels between the patches of the result that are looked up.
const STRIDE: usize = 4;

/// How much of a texture is a copy of its exemplar. It complements
/// [`sliced_wasserstein`](super::sliced_wasserstein), for which a copy is perfect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Novelty {
    /// The largest correlation coefficient of the luminances over all shifts with at least half of the area in
    /// common: 1 for a shifted copy. It is high for any texture that repeats itself.
    pub correlation: f64,
    /// The share of pairs of patches, side by side, whose nearest patches in the exemplar are side by side,
    /// too. Such patches belong to a region that was copied in one piece.
    pub coherent: f64,
    /// The share of patches whose nearest patch in the exemplar has the same position. There the layout was
    /// copied.
    pub in_place: f64,
}

/// Measures how much of `result` is a copy of `exemplar`.
///
/// Both images are resized to 200 pixels on the shorter side by Lanczos' kernel, cropped to the central 200x200
/// pixels, and halved. Patches have 8x8 pixels, and one is taken at every fourth pixel. The nearest patch has
/// the least squared distance of colours. Neighbours and equal positions have a tolerance of one and two
/// pixels.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for an image without pixels,
/// [`Error::NotFinite`](crate::Error::NotFinite) for NaN or infinite values.
pub fn novelty(exemplar: &Rgb32FImage, result: &Rgb32FImage) -> Result<Novelty> {
    check_one("the exemplar", exemplar, 1)?;
    check_one("the result", result, 1)?;
    let exemplar = Plane::new(&prepared(exemplar)).half();
    let result = Plane::new(&prepared(result)).half();
    let (coherent, in_place) = copied_shares(&exemplar, &result);
    Ok(Novelty {
        correlation: correlation(&exemplar, &result),
        coherent,
        in_place,
    })
}

/// The central 200x200 pixels, after resizing.
fn prepared(image: &Rgb32FImage) -> Rgb32FImage {
    // Of a long picture only the middle is resized, with more than the kernel reaches.
    let (width, height) = image.dimensions();
    let most = width.min(height).saturating_mul(LONGEST);
    if width.max(height) > most {
        let (cut, tall) = (width.min(most), height.min(most));
        let (left, top) = ((width - cut) / 2, (height - tall) / 2);
        return prepared(&imageops::crop_imm(image, left, top, cut, tall).to_image());
    }
    let (width, height) = image.dimensions();
    if (width, height) == (SIDE, SIDE) {
        return image.clone();
    }
    let scale = f64::from(SIDE) / f64::from(width.min(height));
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(SIDE);
    let (width, height) = (side(width), side(height));
    let resized = imageops::resize(image, width, height, FilterType::Lanczos3);
    let (left, top) = ((width - SIDE) / 2, (height - SIDE) / 2);
    imageops::crop_imm(&resized, left, top, SIDE, SIDE).to_image()
}

/// The shares of coherent and of in-place patches.
fn copied_shares(exemplar: &Plane, result: &Plane) -> (f64, f64) {
    let columns = (result.width - PATCH) / STRIDE + 1;
    let (candidates, wanted) = (patches(exemplar, 1), patches(result, STRIDE));
    let squares: Vec<f32> = candidates
        .iter()
        .map(|(_, patch)| dot(patch, patch))
        .collect();
    let matrix = |patches: &[Patch]| {
        let columns = patches
            .iter()
            .map(|(_, patch)| DVector::from_column_slice(patch));
        DMatrix::from_columns(&columns.collect::<Vec<_>>())
    };
    let left = matrix(&candidates).transpose();
    // The shift from each patch to its nearest patch.
    let offsets: Vec<(i64, i64)> = wanted
        .par_chunks(columns)
        .flat_map_iter(|row| {
            // |c - w|^2 without |w|^2, which is the same for all candidates.
            let products = &left * matrix(row);
            let nearest = |(column, ((y, x), _)): (usize, &Patch)| {
                let products = products.column(column);
                let distances = products.iter().zip(&squares);
                let nearest = distances
                    .map(|(product, square)| square - 2.0 * product)
                    .enumerate()
                    .min_by(|a, b| a.1.total_cmp(&b.1));
                let (dy, dx) = nearest.map_or((*y, *x), |(index, _)| candidates[index].0);
                (dy as i64 - *y as i64, dx as i64 - *x as i64)
            };
            row.iter().enumerate().map(nearest).collect::<Vec<_>>()
        })
        .collect();
    let near = |a: i64, b: i64, reach: i64| (a - b).abs() <= reach;
    let pairs = offsets.chunks(columns).flat_map(|row| row.windows(2));
    let coherent: Vec<bool> = pairs
        .map(|pair| near(pair[0].0, pair[1].0, 1) && near(pair[0].1, pair[1].1, 1))
        .collect();
    let in_place: Vec<bool> = offsets
        .iter()
        .map(|(dy, dx)| near(*dy, 0, 2) && near(*dx, 0, 2))
        .collect();
    (share(&coherent), share(&in_place))
}

/// The share of flags that are true.
fn share(flags: &[bool]) -> f64 {
    flags.iter().filter(|flag| **flag).count() as f64 / flags.len() as f64
}

/// Row and column of a patch, and its values.
type Patch = ((usize, usize), Vec<f32>);

/// The patches at every `stride`-th pixel, row by row.
fn patches(plane: &Plane, stride: usize) -> Vec<Patch> {
    let patch = |y: usize, x: usize| {
        let lines = (y..y + PATCH).flat_map(|y| &plane.row(y)[x * 3..(x + PATCH) * 3]);
        ((y, x), lines.copied().collect())
    };
    let rows = (0..=plane.height - PATCH).step_by(stride);
    let positions = rows.flat_map(|y| {
        let columns = (0..=plane.width - PATCH).step_by(stride);
        columns.map(move |x| (y, x))
    });
    positions.map(|(y, x)| patch(y, x)).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest correlation coefficient over all shifts.
fn correlation(exemplar: &Plane, result: &Plane) -> f64 {
    let (a, b) = (exemplar.luma(), result.luma());
    let (width, height) = (exemplar.width as i64, exemplar.height as i64);
    (1 - height..height)
        .into_par_iter()
        .flat_map_iter(|dy| (1 - width..width).map(move |dx| (dy, dx)))
        .filter(|(dy, dx)| 2 * (height - dy.abs()) * (width - dx.abs()) >= width * height)
        .map(|(dy, dx)| {
            let (mut sum_a, mut sum_b, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for y in dy.max(0)..height + dy.min(0) {
                let start = (y * width + dx.max(0)) as usize;
                let other = ((y - dy) * width + (-dx).max(0)) as usize;
                let length = (width - dx.abs()) as usize;
                for (a, b) in a[start..][..length].iter().zip(&b[other..][..length]) {
                    sum_a += a;
                    sum_b += b;
                    aa += a * a;
                    bb += b * b;
                    ab += a * b;
                }
            }
            let area = ((height - dy.abs()) * (width - dx.abs())) as f64;
            let (mean_a, mean_b) = (sum_a / area, sum_b / area);
            let variances = (aa / area - mean_a * mean_a) * (bb / area - mean_b * mean_b);
            // A flat region has no correlation coefficient. The floor makes it zero.
            (ab / area - mean_a * mean_b) / variances.max(1e-9).sqrt()
        })
        .reduce(|| -1.0, f64::max)
}
