//! Pictures as cameras and other programs write them.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::{DynamicImage, GenericImageView, ImageFormat, Rgb, RgbImage};
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use img_parts::{ImageEXIF, ImageICC};
use moxcms::ColorProfile;
use ranvgg::imaging::{self, Limits};

/// A picture no two corners of which are alike, with grain.
fn picture() -> RgbImage {
    RgbImage::from_fn(96, 64, |x, y| {
        let grain = (x * 7919 + y * 104_729) % 61;
        Rgb([(2 * x + grain) as u8, (3 * y + grain) as u8, (x + y) as u8])
    })
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn open(path: &Path) -> ranvgg::Result<DynamicImage> {
    imaging::open(path, Limits::default())
}

/// The message with its source's.
fn refusal(path: &Path) -> String {
    let error = open(path).unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

/// EXIF data of nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    bytes.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn pictures_are_turned_as_their_exif_data_say() {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = encoded(&picture(), ImageFormat::Jpeg);
    let upright = open(&written(folder.path(), "upright.jpg", &jpeg)).unwrap();
    let turned = |image: &DynamicImage, orientation: u8| match orientation {
        2 => image.fliph(),
        3 => image.rotate180(),
        6 => image.rotate90(),
        _ => image.clone(),
    };
    for orientation in [1, 2, 3, 6] {
        let mut jpeg = Jpeg::from_bytes(jpeg.clone().into()).unwrap();
        jpeg.set_exif(Some(exif(orientation).into()));
        let path = written(folder.path(), "turned.jpg", &jpeg.encoder().bytes());
        let expected = turned(&upright, orientation);
        assert_eq!(open(&path).unwrap(), expected, "{orientation}");
        let size = imaging::dimensions(&path, Limits::default()).unwrap();
        assert_eq!(
            (size.width as u32, size.height as u32),
            expected.dimensions()
        );
        let png = encoded(&picture(), ImageFormat::Png);
        let mut png = Png::from_bytes(png.into()).unwrap();
        png.set_exif(Some(exif(orientation).into()));
        let path = written(folder.path(), "turned.png", &png.encoder().bytes());
        let expected = turned(&picture().into(), orientation);
        assert_eq!(open(&path).unwrap(), expected, "{orientation}");
    }
}

#[test]
fn a_small_file_that_unfolds_beyond_the_limit_is_refused_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut png = Png::from_bytes(encoded(&picture(), ImageFormat::Png).into()).unwrap();
    let side = 16384u32.to_be_bytes();
    let header = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
    png.chunks_mut()[0] = PngChunk::new(*b"IHDR", header.into());
    let path = written(folder.path(), "huge.png", &png.encoder().bytes());
    let refusal = refusal(&path);
    assert!(
        refusal.contains("16384x16384 pixels of 3 channels take 3072 MiB")
            && refusal.contains("up to 1024 MiB"),
        "{refusal}"
    );
}

#[test]
fn a_jpeg_that_is_cut_off_is_an_error_wherever_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let whole = encoded(&picture(), ImageFormat::Jpeg);
    let mut jpeg = Jpeg::from_bytes(whole.clone().into()).unwrap();
    // A thumbnail has an end of its own.
    let thumbnail = JpegSegment::new_with_contents(markers::APP1, whole[..].to_vec().into());
    jpeg.segments_mut().insert(1, thumbnail);
    let with_thumbnail = jpeg.encoder().bytes().to_vec();
    for bytes in [&whole, &with_thumbnail] {
        for percent in 30..100 {
            let part = &bytes[..bytes.len() * percent / 100];
            let path = written(folder.path(), "cut.jpg", part);
            assert!(open(&path).is_err(), "{percent} %");
        }
        let path = written(folder.path(), "whole.jpg", bytes);
        let plain = open(&path).unwrap();
        // Cameras add previews after the end.
        let longer = [&bytes[..], b"something else"].concat();
        let path = written(folder.path(), "longer.jpg", &longer);
        assert_eq!(open(&path).unwrap(), plain);
    }
    let path = written(folder.path(), "cut.jpg", &whole[..whole.len() - 2]);
    let refusal = refusal(&path);
    assert!(
        refusal.contains("cut.jpg") && refusal.contains("cut off"),
        "{refusal}"
    );
}

/// What misses nothing but the end of the file is the same picture.
#[test]
fn no_file_that_is_cut_off_gives_another_picture() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("cut.png", ImageFormat::Png),
        ("cut.tif", ImageFormat::Tiff),
    ] {
        let bytes = encoded(&picture(), format);
        for percent in 0..100 {
            let path = written(folder.path(), name, &bytes[..bytes.len() * percent / 100]);
            if let Ok(found) = open(&path) {
                assert_eq!(found, picture().into(), "{name} {percent} %");
            }
        }
    }
}

/// Each is refused by its kind, and in time: a pipe without a writer would block.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let cases = [
        (folder.path().to_owned(), "a folder"),
        (pipe, "a pipe (FIFO)"),
        (PathBuf::from("/dev/zero"), "a character device"),
    ];
    for (path, kind) in cases {
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || send.send(refusal(&path)));
        let refusal = receive.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(refusal.contains(kind), "{refusal}");
    }
}

#[test]
fn colours_of_other_profiles_become_srgb() {
    let folder = tempfile::tempdir().unwrap();
    let plain = RgbImage::from_pixel(8, 8, Rgb([200, 80, 80]));
    let with = |profile: Vec<u8>, name: &str| {
        let png = encoded(&plain, ImageFormat::Png);
        let mut png = Png::from_bytes(png.into()).unwrap();
        png.set_icc_profile(Some(profile.into()));
        written(folder.path(), name, &png.encoder().bytes())
    };
    let wide = with(ColorProfile::new_display_p3().encode().unwrap(), "wide.png");
    let [red, green, ..] = open(&wide).unwrap().get_pixel(4, 4).0;
    // The same numbers name a redder colour in Display P3.
    assert!(red > 205 && green < 78, "{red} {green}");
    let stored = imaging::open_data(&wide, Limits::default()).unwrap();
    assert_eq!(stored.to_rgb8(), plain);
    for (name, profile) in [
        ("srgb.png", ColorProfile::new_srgb().encode().unwrap()),
        ("broken.png", b"no profile".to_vec()),
        (
            "grey.png",
            ColorProfile::new_gray_with_gamma(1.0).encode().unwrap(),
        ),
    ] {
        let path = with(profile, name);
        assert_eq!(open(&path).unwrap().to_rgb8(), plain, "{name}");
    }
}

#[test]
fn greys_of_another_gamma_become_those_of_srgb_and_stay_greys() {
    let folder = tempfile::tempdir().unwrap();
    let grey = image::GrayImage::from_pixel(8, 8, image::Luma([55]));
    let mut png = Cursor::new(Vec::new());
    grey.write_to(&mut png, ImageFormat::Png).unwrap();
    let mut png = Png::from_bytes(png.into_inner().into()).unwrap();
    let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    png.set_icc_profile(Some(linear.into()));
    let path = written(folder.path(), "linear.png", &png.encoder().bytes());
    let found = open(&path).unwrap();
    assert_eq!(found.color(), image::ColorType::L8);
    let value = found.to_luma8().get_pixel(0, 0).0[0];
    // 55 of 255 linear is 128 of 255 in sRGB.
    assert!(value.abs_diff(128) <= 1, "{value}");
}

#[cfg(feature = "webp")]
#[test]
fn webp_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(
        folder.path(),
        "a.webp",
        &encoded(&picture(), ImageFormat::WebP),
    );
    assert_eq!(open(&path).unwrap().to_rgb8(), picture());
}
