//! Visibility of the seam of an image that is tiled.

use image::Rgb32FImage;

use super::check_one;
use crate::error::Result;

/// The jump of colours at the seams of a tiling, relative to the mean jump between neighbouring columns or rows
/// inside the image. It is the larger of
///
/// ```text
/// mean over y of |x[y, 0] - x[y, W-1]|  /  mean over y, i of |x[y, i+1] - x[y, i]|
/// ```
///
/// and the corresponding ratio of rows. It is about 1 for an image that tiles without a visible seam. Two
/// unrelated borders give 2 to 5. The rougher the image, the lower is the ratio.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for an image with a side below 2 pixels,
/// [`Error::NotFinite`](crate::Error::NotFinite) for NaN or infinite values.
pub fn seam(image: &Rgb32FImage) -> Result<f64> {
    check_one("the image", image, 2)?;
    let (width, height) = image.dimensions();
    let jump = |a: (u32, u32), b: (u32, u32)| -> f64 {
        let (a, b) = (image.get_pixel(a.0, a.1).0, image.get_pixel(b.0, b.1).0);
        let steps = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
        steps.sum()
    };
    let column = |x: u32| -> f64 {
        (0..height)
            .map(|y| jump((x, y), ((x + 1) % width, y)))
            .sum()
    };
    let row = |y: u32| -> f64 {
        (0..width)
            .map(|x| jump((x, y), (x, (y + 1) % height)))
            .sum()
    };
    let ratio = |seam: f64, inside: f64, count: u32| {
        // A flat image has no seam.
        if seam > 0.0 {
            seam * f64::from(count) / inside
        } else {
            0.0
        }
    };
    let columns = ratio(
        column(width - 1),
        (0..width - 1).map(column).sum(),
        width - 1,
    );
    let rows = ratio(row(height - 1), (0..height - 1).map(row).sum(), height - 1);
    Ok(columns.max(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_ramp_has_a_seam_as_wide_as_itself() {
        // Columns differ by 1 inside and by 9 at the seam. Rows are equal.
        let ramp = Rgb32FImage::from_fn(10, 4, |x, _| Rgb([x as f32; 3]));
        assert!((seam(&ramp).unwrap() - 9.0).abs() < 1e-9);
        let tent = Rgb32FImage::from_fn(10, 4, |x, _| Rgb([x.min(10 - x) as f32; 3]));
        assert!((seam(&tent).unwrap() - 1.0).abs() < 1e-9);
        let flat = Rgb32FImage::from_pixel(3, 3, Rgb([0.5; 3]));
        assert!(seam(&flat).unwrap().abs() < f64::EPSILON);
        assert!(seam(&Rgb32FImage::new(1, 9)).is_err());
    }
}
