//! Transfer of colour statistics between pictures, and luma.

use nalgebra::{DMatrix, Matrix3, Vector3};

use super::Raster;
use crate::linear_algebra::symmetric_power;

/// The least variance of colours in a direction: the square of a twentieth of a step of 8 bits.
const FLAT: f64 = 4e-8;

/// Weights of luma by ITU-R BT.601, the Y of YIQ.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Gives a picture the mean and the covariance of another picture's colours, by the affine map of colours with
/// the least mean squared displacement (optimal transport between normal distributions):
///
/// ```text
/// x -> m + A (x - n)        A = T^(-1/2) (T^(1/2) S T^(1/2))^(1/2) T^(-1/2)
/// ```
///
/// `n` and `T` are the picture's mean and covariance, `m` and `S` those of the other picture. (Pitié and
/// Kokaram, "The linear Monge-Kantorovitch colour mapping for example-based colour transfer", CVMP 2007,
/// eq. 19.)
pub(crate) fn matched(picture: &Raster, like: &Raster) -> Raster {
    let (mean, covariance) = moments(picture);
    let (target_mean, target) = moments(like);
    let root = power(&covariance, 0.5);
    let inverse = power(&covariance, -0.5);
    let map = inverse * power(&(root * target * root), 0.5) * inverse;
    picture.mapped(|pixel| -> [f32; 3] {
        let moved = target_mean + map * (colour(pixel) - mean);
        moved.map(|value| value as f32).into()
    })
}

/// The luma of a picture, in three equal channels.
pub(crate) fn luma(picture: &Raster) -> Raster {
    picture.mapped(|pixel| [luma_of(pixel); 3])
}

/// The luminance of a picture, as one channel; see [`luma_weights`].
pub(crate) fn luminance(picture: &Raster) -> Raster {
    let weights = luma_weights(picture.channels());
    picture.mapped(|pixel| [pixel.iter().zip(&weights).map(|(a, b)| a * b).sum()])
}

/// A picture with the luma of `other`, a picture of the same size. Differences between channels stay.
pub(crate) fn with_luma(picture: &Raster, other: &Raster) -> Raster {
    let mut lumas = other.pixels().map(luma_of);
    picture.mapped(|pixel| {
        let own = luma_of(pixel);
        let change = lumas.next().map_or(0.0, |luma| luma - own);
        [pixel[0] + change, pixel[1] + change, pixel[2] + change]
    })
}

/// The weight of each channel in the luminance: luma for three channels, the mean for any other number.
pub(crate) fn luma_weights(channels: usize) -> Vec<f32> {
    match channels {
        3 => LUMA.to_vec(),
        _ => vec![1.0 / channels as f32; channels],
    }
}

fn luma_of(pixel: &[f32]) -> f32 {
    pixel
        .iter()
        .zip(LUMA)
        .map(|(value, weight)| value * weight)
        .sum()
}

fn colour(pixel: &[f32]) -> Vector3<f64> {
    Vector3::from_fn(|channel, _| f64::from(pixel[channel]))
}

fn moments(picture: &Raster) -> (Vector3<f64>, Matrix3<f64>) {
    let count = picture.pixels().len() as f64;
    let mean = picture.pixels().map(colour).sum::<Vector3<f64>>() / count;
    let products = picture.pixels().map(|pixel| {
        let difference = colour(pixel) - mean;
        difference * difference.transpose()
    });
    (mean, products.sum::<Matrix3<f64>>() / count)
}

/// A power of a covariance; directions with a variance below [`FLAT`] count as if they had that.
fn power(covariance: &Matrix3<f64>, exponent: f64) -> Matrix3<f64> {
    let matrix = DMatrix::from_column_slice(3, 3, covariance.as_slice());
    let power = symmetric_power(matrix, FLAT, exponent);
    power.fixed_view::<3, 3>(0, 0).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Size;

    fn picture(phase: f32) -> Raster {
        Raster::from_pixels(Size::new(9, 7), |pixel| {
            let t = pixel as f32 * 0.37 + phase;
            [
                0.5 + 0.3 * t.sin(),
                0.4 + 0.2 * (1.7 * t).cos() + 0.1 * t.sin(),
                0.6 - 0.25 * phase * (0.9 * t).sin(),
            ]
        })
    }

    #[test]
    fn matched_colours_have_the_other_mean_and_covariance() {
        let (from, to) = (picture(0.4), picture(1.0));
        let (mean, covariance) = moments(&matched(&from, &to));
        let (expected_mean, expected) = moments(&to);
        assert!((mean - expected_mean).norm() < 1e-6);
        assert!((covariance - expected).norm() < 1e-6);
        // A picture matched to itself does not change.
        for (a, b) in matched(&from, &from).values().iter().zip(from.values()) {
            assert!((a - b).abs() < 1e-5);
        }
    }

    #[test]
    fn a_flat_picture_takes_the_mean_colour() {
        let flat = Raster::from_pixels(Size::new(4, 4), |_| [0.2, 0.3, 0.4]);
        let to = picture(1.0);
        let (mean, covariance) = moments(&matched(&flat, &to));
        assert!((mean - moments(&to).0).norm() < 1e-6);
        assert!(covariance.norm() < 1e-9);
    }

    #[test]
    fn luma_is_replaced_and_colour_differences_stay() {
        let (colours, light) = (picture(0.4), picture(1.0));
        let mixed = with_luma(&colours, &light);
        for ((mixed, own), light) in mixed.pixels().zip(colours.pixels()).zip(light.pixels()) {
            assert!((luma_of(mixed) - luma_of(light)).abs() < 1e-6);
            assert!((mixed[0] - mixed[2] - (own[0] - own[2])).abs() < 1e-6);
        }
    }
}
