//! Peak signal-to-noise ratio.

use image::Rgb32FImage;

use super::check;
use crate::error::Result;

/// Peak signal-to-noise ratio in decibels, for values in 0..=1:
///
/// ```text
/// PSNR = -10 log10( mean (x - y)^2 )        over pixels and channels
/// ```
///
/// Infinite for equal images. (Gonzalez and Woods, *Digital Image Processing*, section 8.1.)
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for images of different sizes,
/// [`Error::NotFinite`](crate::Error::NotFinite) for NaN or infinite values.
pub fn psnr(image: &Rgb32FImage, reference: &Rgb32FImage) -> Result<f64> {
    check(image, reference, 1)?;
    let squares: f64 = image
        .as_raw()
        .iter()
        .zip(reference.as_raw())
        .map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2))
        .sum();
    Ok(-10.0 * (squares / image.as_raw().len() as f64).log10())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_constant_difference_of_a_tenth_is_twenty_decibels() {
        let grey = |value| Rgb32FImage::from_pixel(3, 2, Rgb([value; 3]));
        assert!((psnr(&grey(0.5), &grey(0.6)).unwrap() - 20.0).abs() < 1e-5);
        assert!(psnr(&grey(0.5), &grey(0.5)).unwrap().is_infinite());
        // A whole black image against a white one: mean square 1, 0 dB.
        assert!(psnr(&grey(0.0), &grey(1.0)).unwrap().abs() < 1e-12);
        let other = Rgb32FImage::from_pixel(2, 3, Rgb([0.0; 3]));
        assert!(psnr(&grey(0.0), &other).is_err());
        assert!(psnr(&grey(f32::NAN), &grey(0.0)).is_err());
    }
}
