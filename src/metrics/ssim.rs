//! Structural similarity.

use image::Rgb32FImage;

use super::check;
use crate::error::Result;

/// Side of the Gaussian window in pixels.
const WINDOW: usize = 11;
/// Standard deviation of the window in pixels.
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// Mean structural similarity, for values in 0..=1: 1 for equal images, about 0 for unrelated ones.
///
/// Means `m`, variances `s^2` and the covariance `sxy` of the two images `x` and `y` are weighted by a
/// Gaussian window of 11x11 pixels with standard deviation 1.5:
///
/// ```text
/// SSIM = (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2))
/// C1 = 0.01^2, C2 = 0.03^2
/// ```
///
/// The result is the mean over channels and over positions where the window lies inside the image.
/// (Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Processing 13, 2004, eq. 13.)
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for images of different sizes or with a side below 11
/// pixels, [`Error::NotFinite`](crate::Error::NotFinite) for NaN or infinite values.
pub fn ssim(image: &Rgb32FImage, reference: &Rgb32FImage) -> Result<f64> {
    check(image, reference, WINDOW as u32)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let plane = |image: &Rgb32FImage, channel: usize| -> Vec<f64> {
        image
            .as_raw()
            .iter()
            .skip(channel)
            .step_by(3)
            .map(|value| f64::from(*value))
            .collect()
    };
    let mut sum = 0.0;
    for channel in 0..3 {
        let (x, y) = (plane(image, channel), plane(reference, channel));
        let product = |a: &[f64], b: &[f64]| -> Vec<f64> {
            let products: Vec<f64> = a.iter().zip(b).map(|(a, b)| a * b).collect();
            blur(&products, width, height)
        };
        let (mx, my) = (blur(&x, width, height), blur(&y, width, height));
        let (xx, yy, xy) = (product(&x, &x), product(&y, &y), product(&x, &y));
        let similarity = (0..mx.len()).map(|i| {
            let (mx, my) = (mx[i], my[i]);
            let (sx, sy, sxy) = (xx[i] - mx * mx, yy[i] - my * my, xy[i] - mx * my);
            (2.0 * mx * my + C1) * (2.0 * sxy + C2) / ((mx * mx + my * my + C1) * (sx + sy + C2))
        });
        sum += similarity.sum::<f64>() / mx.len() as f64;
    }
    Ok(sum / 3.0)
}

/// Filters by the Gaussian window, at positions where it lies inside the image.
fn blur(plane: &[f64], width: usize, height: usize) -> Vec<f64> {
    let mut window: [f64; WINDOW] = std::array::from_fn(|i| {
        let distance = i as f64 - (WINDOW / 2) as f64;
        (-distance * distance / (2.0 * SIGMA * SIGMA)).exp()
    });
    let sum: f64 = window.iter().sum();
    window.iter_mut().for_each(|weight| *weight /= sum);
    let columns = width - WINDOW + 1;
    let mut rows = vec![0.0; height * columns];
    for y in 0..height {
        for x in 0..columns {
            rows[y * columns + x] = (0..WINDOW)
                .map(|i| window[i] * plane[y * width + x + i])
                .sum();
        }
    }
    let lines = height - WINDOW + 1;
    (0..lines * columns)
        .map(|i| {
            let (y, x) = (i / columns, i % columns);
            (0..WINDOW)
                .map(|j| window[j] * rows[(y + j) * columns + x])
                .sum()
        })
        .collect()
}
