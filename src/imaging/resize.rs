//! Resampling on the host.

use image::Rgb32FImage;
use image::imageops::{self, FilterType};

/// Resamples to `width` x `height` by Lanczos' kernel with three lobes, widened when shrinking so
/// that nothing aliases.
pub(crate) fn resize(picture: &Rgb32FImage, width: usize, height: usize) -> Rgb32FImage {
    if (picture.width() as usize, picture.height() as usize) == (width, height) {
        return picture.clone();
    }
    imageops::resize(picture, width as u32, height as u32, FilterType::Lanczos3)
}

/// Pixels of the other side that an enlarged picture sees beyond its border, at least: the reach of
/// the kernel.
const REACH: u32 = 4;

/// As [`resize`], of a picture that repeats without end: what was seamless stays so.
pub(crate) fn resize_periodic(picture: &Rgb32FImage, width: usize, height: usize) -> Rgb32FImage {
    let (from_width, from_height) = picture.dimensions();
    let (to_width, to_height) = (width as u32, height as u32);
    if (from_width, from_height) == (to_width, to_height) {
        return picture.clone();
    }
    // Margins that become whole pixels, too.
    let (left, to_left) = margin(from_width, to_width);
    let (top, to_top) = margin(from_height, to_height);
    let repeated = Rgb32FImage::from_fn(from_width + 2 * left, from_height + 2 * top, |x, y| {
        let wrapped =
            |place: u32, margin: u32, length: u32| (place + length - margin % length) % length;
        *picture.get_pixel(wrapped(x, left, from_width), wrapped(y, top, from_height))
    });
    let (wide, high) = (to_width + 2 * to_left, to_height + 2 * to_top);
    let resized = imageops::resize(&repeated, wide, high, FilterType::Lanczos3);
    imageops::crop_imm(&resized, to_left, to_top, to_width, to_height).to_image()
}

/// A margin for an axis of `from` pixels, and what it becomes when they become `to`.
fn margin(from: u32, to: u32) -> (u32, u32) {
    let common = greatest_common_divisor(from, to);
    let (from, to) = (from / common, to / common);
    // Enough on both sides of a resize that shrinks as well.
    let times = REACH.div_ceil(from).max(REACH.div_ceil(to));
    (from * times, to * times)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_shifted_period_gives_the_shifted_result() {
        let wave = |shift: u32| {
            Rgb32FImage::from_fn(12, 10, |x, y| {
                let angle = f64::from((x + shift) % 12) * std::f64::consts::TAU / 12.0;
                Rgb([
                    angle.sin() as f32,
                    (2.0 * angle).cos() as f32,
                    y as f32 / 10.0,
                ])
            })
        };
        let (first, shifted) = (
            resize_periodic(&wave(0), 24, 15),
            resize_periodic(&wave(1), 24, 15),
        );
        for (x, y, pixel) in shifted.enumerate_pixels() {
            let expected = first.get_pixel((x + 2) % 24, y);
            for (a, b) in pixel.0.iter().zip(expected.0) {
                assert!((a - b).abs() < 1e-5, "{x} {y}");
            }
        }
    }
}
