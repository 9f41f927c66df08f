//! Normals of a surface: unit length, and which way green points.

use image::{DynamicImage, Rgb, RgbImage};

/// Normals of 16 bits brought to unit length, as 16 bits or 8. What points into the surface is laid
/// flat on it.
pub(super) fn normalised(normals: &DynamicImage, deep: bool) -> DynamicImage {
    let mut unit = normals.to_rgb32f();
    for pixel in unit.pixels_mut() {
        let [x, y, z] = pixel.0.map(|value| 2.0 * value - 1.0);
        let z = z.max(0.0);
        let length = (x * x + y * y + z * z).sqrt();
        let normal = match length > 1e-3 {
            true => [x / length, y / length, z / length],
            false => [0.0, 0.0, 1.0],
        };
        pixel.0 = normal.map(|value| (value + 1.0) / 2.0);
    }
    let unit = DynamicImage::ImageRgb32F(unit);
    match deep {
        true => unit.to_rgb16().into(),
        false => unit.to_rgb8().into(),
    }
}

/// The same normals with green pointing the other way.
pub(super) fn flipped(normals: &DynamicImage) -> DynamicImage {
    match normals {
        DynamicImage::ImageRgb16(pixels) => {
            let mut flipped = pixels.clone();
            for pixel in flipped.pixels_mut() {
                pixel.0[1] = u16::MAX - pixel.0[1];
            }
            flipped.into()
        }
        other => {
            let mut flipped: RgbImage = other.to_rgb8();
            for Rgb([_, green, _]) in flipped.pixels_mut() {
                *green = u8::MAX - *green;
            }
            flipped.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageBuffer;

    #[test]
    fn normals_become_as_long_as_their_bits_allow() {
        let given = ImageBuffer::from_fn(64, 64, |x, y| {
            Rgb([
                (x * 1040) as u16,
                (y * 1040) as u16,
                (40_000 + 300 * x) as u16,
            ])
        });
        for (deep, tolerance) in [(false, 1.0 / 127.0), (true, 1.0 / 32767.0)] {
            let unit = normalised(&given.clone().into(), deep);
            for Rgb(pixel) in unit.to_rgb32f().pixels() {
                let square = pixel.iter().map(|value| (2.0 * value - 1.0).powi(2));
                let length = square.sum::<f32>().sqrt();
                assert!((length - 1.0).abs() <= tolerance, "{pixel:?} has {length}");
            }
        }
    }

    #[test]
    fn flipping_twice_changes_nothing() {
        let given = DynamicImage::from(ImageBuffer::from_pixel(2, 2, Rgb([9u16, 70, 65_000])));
        assert_ne!(flipped(&given), given);
        assert_eq!(flipped(&flipped(&given)), given);
    }
}
