//! Colour profiles (ICC): pictures of other colour spaces become sRGB.

use image::{DynamicImage, ImageBuffer, Pixel, Rgb, Rgba};
use moxcms::{CmsError, ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Levels of a channel at which a profile is compared with sRGB.
const PROBES: u8 = 6;

/// `image`, whose file says that its colours are those of `profile`, in sRGB. A profile that cannot be
/// read, or that is not of the image's channels, leaves it as it is; so does sRGB, to the bit.
pub(super) fn to_srgb(image: DynamicImage, profile: &[u8]) -> DynamicImage {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else {
        return image;
    };
    let wanted = match image.color().has_color() {
        true => DataColorSpace::Rgb,
        false => DataColorSpace::Gray,
    };
    if profile.color_space != wanted || is_srgb(&profile).unwrap_or(true) {
        return image;
    }
    let converted = match &image {
        DynamicImage::ImageRgb8(pixels) => eight::<_, Rgb<u8>>(&profile, pixels, [Layout::Rgb; 2]),
        DynamicImage::ImageRgba8(pixels) => {
            eight::<_, Rgba<u8>>(&profile, pixels, [Layout::Rgba; 2])
        }
        DynamicImage::ImageRgb16(pixels) => {
            sixteen::<_, Rgb<u16>>(&profile, pixels, [Layout::Rgb; 2])
        }
        DynamicImage::ImageRgba16(pixels) => {
            sixteen::<_, Rgba<u16>>(&profile, pixels, [Layout::Rgba; 2])
        }
        DynamicImage::ImageLuma8(pixels) => {
            eight::<_, Rgb<u8>>(&profile, pixels, [Layout::Gray, Layout::Rgb])
        }
        DynamicImage::ImageLumaA8(pixels) => {
            eight::<_, Rgba<u8>>(&profile, pixels, [Layout::GrayAlpha, Layout::Rgba])
        }
        DynamicImage::ImageLuma16(pixels) => {
            sixteen::<_, Rgb<u16>>(&profile, pixels, [Layout::Gray, Layout::Rgb])
        }
        DynamicImage::ImageLumaA16(pixels) => {
            sixteen::<_, Rgba<u16>>(&profile, pixels, [Layout::GrayAlpha, Layout::Rgba])
        }
        _ => return image,
    };
    match converted {
        // A grey stays one.
        Ok(converted) if !image.color().has_color() => match image {
            DynamicImage::ImageLuma8(_) => converted.to_luma8().into(),
            DynamicImage::ImageLumaA8(_) => converted.to_luma_alpha8().into(),
            DynamicImage::ImageLuma16(_) => converted.to_luma16().into(),
            _ => converted.to_luma_alpha16().into(),
        },
        Ok(converted) => converted,
        Err(_) => image,
    }
}

/// Whether a profile's colours are those of sRGB to a step of 8 bits. There are many profiles of sRGB,
/// and their pixels should not be rounded twice.
fn is_srgb(profile: &ColorProfile) -> Result<bool, CmsError> {
    let levels: Vec<u8> = (0..PROBES)
        .map(|level| level * (255 / (PROBES - 1)))
        .collect();
    let mut given = Vec::new();
    let layout = match profile.color_space {
        DataColorSpace::Gray => {
            given.extend(&levels);
            Layout::Gray
        }
        _ => {
            for red in &levels {
                for green in &levels {
                    for blue in &levels {
                        given.extend([*red, *green, *blue]);
                    }
                }
            }
            Layout::Rgb
        }
    };
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let transform = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, options)?;
    let expected: Vec<u8> = match layout {
        Layout::Gray => given.iter().flat_map(|level| [*level; 3]).collect(),
        _ => given.clone(),
    };
    let mut found = vec![0; expected.len()];
    transform.transform(&given, &mut found)?;
    let mut pairs = found.iter().zip(&expected);
    Ok(pairs.all(|(found, expected)| found.abs_diff(*expected) <= 1))
}

fn eight<S, T>(
    profile: &ColorProfile,
    pixels: &ImageBuffer<S, Vec<u8>>,
    [from, to]: [Layout; 2],
) -> Result<DynamicImage, CmsError>
where
    S: Pixel<Subpixel = u8>,
    T: Pixel<Subpixel = u8>,
    DynamicImage: From<ImageBuffer<T, Vec<u8>>>,
{
    let options = TransformOptions::default();
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(from, &srgb, to, options)?;
    let mut converted = ImageBuffer::<T, Vec<u8>>::new(pixels.width(), pixels.height());
    transform.transform(pixels.as_raw(), &mut converted)?;
    Ok(converted.into())
}

fn sixteen<S, T>(
    profile: &ColorProfile,
    pixels: &ImageBuffer<S, Vec<u16>>,
    [from, to]: [Layout; 2],
) -> Result<DynamicImage, CmsError>
where
    S: Pixel<Subpixel = u16>,
    T: Pixel<Subpixel = u16>,
    DynamicImage: From<ImageBuffer<T, Vec<u16>>>,
{
    let options = TransformOptions::default();
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_16bit(from, &srgb, to, options)?;
    let mut converted = ImageBuffer::<T, Vec<u16>>::new(pixels.width(), pixels.height());
    transform.transform(pixels.as_raw(), &mut converted)?;
    Ok(converted.into())
}
