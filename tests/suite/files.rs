//! Pictures in and out: broken input, outputs that are whole or not there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{flex, picture, values};
use image::{DynamicImage, ImageBuffer, Luma, Rgb, Rgba};
use ranvgg::error::{FileUse, OutputReason};
use ranvgg::imaging::{self, Limits};
use ranvgg::{Error, IfExists};

fn bundled(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/images")
        .join(name)
}

fn open(path: &Path) -> ranvgg::Result<DynamicImage> {
    imaging::open(path, Limits::default())
}

/// A PNG of nothing but a header that claims a size.
fn header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut crc = u32::MAX;
    for byte in &chunk {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d".to_vec();
    bytes.extend(chunk);
    bytes.extend((!crc).to_be_bytes());
    bytes
}

#[test]
fn broken_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let good = fs::read(bundled("gravel.png")).unwrap();
    let broken = [
        write("empty.png", b""),
        write("text.png", b"this is a text, not a picture\n"),
        write("cut.png", &good[..good.len() / 2]),
        write(
            "cut.jpg",
            &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'],
        ),
        write("huge.png", &header(30_000, 30_000)),
        write("none.png", &header(0, 0)),
    ];
    for path in broken {
        let error = open(&path).unwrap_err();
        assert!(
            matches!(
                error,
                Error::File {
                    wanted: FileUse::DecodeImage,
                    ..
                }
            ),
            "{error}"
        );
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
    let absent = open(&folder.path().join("absent.png")).unwrap_err();
    assert!(
        matches!(
            absent,
            Error::File {
                wanted: FileUse::Read,
                ..
            }
        ),
        "{absent}"
    );
    let error = open(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::File {
                wanted: FileUse::Read,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn content_counts_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("really-a-png.jpg");
    fs::copy(bundled("gravel.png"), &path).unwrap();
    assert_eq!(open(&path).unwrap(), open(&bundled("gravel.png")).unwrap());
}

#[test]
fn limits_hold() {
    let small = Limits::default().with_side(100);
    assert!(matches!(
        imaging::open(bundled("gravel.png"), small),
        Err(Error::File {
            wanted: FileUse::DecodeImage,
            ..
        })
    ));
    let short = Limits::default().with_bytes(1000);
    assert!(matches!(
        imaging::open(bundled("gravel.png"), short),
        Err(Error::File {
            wanted: FileUse::DecodeImage,
            ..
        })
    ));
}

#[test]
fn outputs_that_could_not_be_written_are_refused_before() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    fs::write(inside("there.png"), b"precious").unwrap();
    fs::create_dir(inside("folder.png")).unwrap();
    let check = |name: &str, if_exists| imaging::check_output(inside(name), if_exists);
    assert!(check("new.png", IfExists::Refuse).is_ok());
    assert!(!inside("new.png").exists(), "checking writes nothing");
    assert!(matches!(
        check("there.png", IfExists::Refuse),
        Err(Error::Output {
            reason: OutputReason::Exists,
            ..
        })
    ));
    assert!(check("there.png", IfExists::Replace).is_ok());
    assert!(matches!(
        check("folder.png", IfExists::Replace),
        Err(Error::File {
            wanted: FileUse::Write,
            ..
        })
    ));
    assert!(matches!(
        check("no/such/new.png", IfExists::Refuse),
        Err(Error::Output {
            reason: OutputReason::NoFolder(_),
            ..
        })
    ));
    for name in ["new", "new.gif", "new.txt", ".png"] {
        assert!(
            matches!(
                check(name, IfExists::Refuse),
                Err(Error::Output {
                    reason: OutputReason::Format { .. },
                    ..
                })
            ),
            "{name}"
        );
    }
    assert_eq!(fs::read(inside("there.png")).unwrap(), b"precious");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "no temporary file is left"
    );
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let tensor = picture(9, 13, 0.0, &flex());
    let expected = values(tensor.clone());
    let formats = [
        ("a.png", 1.0 / 255.0),
        ("a.tif", 1.0 / 255.0),
        ("a.jpg", 0.5),
        ("b.png", 1.0 / 65535.0),
        ("b.tiff", 1.0 / 65535.0),
    ];
    for (name, step) in formats {
        let path = folder.path().join(name);
        let image = if name.starts_with('b') {
            imaging::to_image16(tensor.clone()).unwrap()
        } else {
            imaging::to_image8(tensor.clone()).unwrap()
        };
        imaging::save(&image, &path, IfExists::Refuse).unwrap();
        assert!(matches!(
            imaging::save(&image, &path, IfExists::Refuse),
            Err(Error::Output {
                reason: OutputReason::Exists,
                ..
            })
        ));
        imaging::save(&image, &path, IfExists::Replace).unwrap();
        let read = values(imaging::from_image(&open(&path).unwrap(), &flex()));
        for (found, expected) in read.iter().zip(&expected) {
            let clipped = expected.clamp(0.0, 1.0);
            assert!(
                (found - clipped).abs() <= 0.51 * step,
                "{name}: {found} {expected}"
            );
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
}

/// What is replaced is the file at the end of links, by one that the same people may read.
#[cfg(unix)]
#[test]
fn links_are_followed_where_files_are_replaced() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    let image = imaging::to_image8(picture(4, 4, 0.0, &flex())).unwrap();
    fs::write(inside("far.png"), b"old").unwrap();
    fs::set_permissions(inside("far.png"), fs::Permissions::from_mode(0o620)).unwrap();
    symlink("far.png", inside("link.png")).unwrap();
    symlink("nowhere.png", inside("dangling.png")).unwrap();
    symlink("round.png", inside("round.png")).unwrap();
    let save = |name: &str, if_exists| imaging::save(&image, inside(name), if_exists);
    for name in ["link.png", "dangling.png", "round.png"] {
        assert!(matches!(
            save(name, IfExists::Refuse),
            Err(Error::Output {
                reason: OutputReason::Exists,
                ..
            })
        ));
    }
    save("link.png", IfExists::Replace).unwrap();
    assert!(
        fs::symlink_metadata(inside("link.png"))
            .unwrap()
            .is_symlink()
    );
    assert!(open(&inside("far.png")).is_ok());
    let mode = fs::metadata(inside("far.png"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o620);
    for name in ["dangling.png", "round.png"] {
        assert!(imaging::check_output(inside(name), IfExists::Replace).is_err());
        let error = save(name, IfExists::Replace).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(fs::symlink_metadata(inside(name)).unwrap().is_symlink());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_format_that_cannot_hold_the_image_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.jpg");
    let deep = imaging::to_image16(picture(4, 4, 0.0, &flex())).unwrap();
    assert!(matches!(
        imaging::save(&deep, &path, IfExists::Refuse),
        Err(Error::File {
            wanted: FileUse::EncodeImage,
            ..
        })
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_pixel_type_becomes_colours_between_zero_and_one() {
    let device = flex();
    let grey: DynamicImage = ImageBuffer::from_pixel(2, 1, Luma([128u8])).into();
    let deep: DynamicImage = ImageBuffer::from_pixel(2, 1, Rgb([0u16, 32768, 65535])).into();
    let clear: DynamicImage = ImageBuffer::from_pixel(2, 1, Rgba([0u8, 0, 0, 51])).into();
    let close = |image: &DynamicImage, expected: [f32; 3]| {
        let found = values(imaging::from_image(image, &device));
        for (channel, expected) in expected.into_iter().enumerate() {
            assert!((found[2 * channel] - expected).abs() < 1e-4, "{found:?}");
        }
    };
    close(&grey, [128.0 / 255.0; 3]);
    close(&deep, [0.0, 0.5, 1.0]);
    // Black at a fifth of opacity over white: 0.8.
    close(&clear, [0.8; 3]);
}

#[test]
fn numbers_that_are_no_colours_are_not_encoded() {
    let nan = picture(2, 2, 0.0, &flex()) * f32::NAN;
    assert!(matches!(
        imaging::to_image8(nan),
        Err(Error::NotFinite { .. })
    ));
}
