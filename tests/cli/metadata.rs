//! Pictures that carry how they were made.

use std::fs;
use std::path::Path;

use image::{DynamicImage, ImageBuffer, Luma, Rgb};
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use ranvgg::error::FileUse;
use ranvgg::imaging::{self, Limits, Provenance, provenance};
use ranvgg::{Error, IfExists, TextureOptions};

fn picture() -> DynamicImage {
    ImageBuffer::from_fn(20, 12, |x, y| Rgb([x as u8, y as u8, 90])).into()
}

fn made(folder: &Path) -> Provenance {
    let input = folder.join("input.bin");
    fs::write(&input, b"abc").unwrap();
    let options = TextureOptions::default().with_seed(7);
    Provenance::of("texture")
        .with_arguments(["texture", "Möwe \u{1f426}.jpg", "--seed", "7"])
        .with_options(serde_json::to_value(options).unwrap())
        .with_seed("start", 7)
        .with_network(r#"{"architecture":"vgg19","seed":42}"#)
        .with_input(input)
        .unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let made = made(folder.path());
    assert_eq!(
        made.inputs[0].sha256,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert!(made.inputs[0].is_unchanged().unwrap());
    fs::write(folder.path().join("input.bin"), b"abd").unwrap();
    assert!(!made.inputs[0].is_unchanged().unwrap());
    let deep: DynamicImage = ImageBuffer::from_pixel(9, 9, Luma([40_000u16])).into();
    let pictures = [
        ("a.png", picture()),
        ("a.jpg", picture()),
        ("a.tif", picture()),
        ("b.png", deep.clone()),
        ("b.tif", deep),
    ];
    for (name, image) in pictures {
        let path = folder.path().join(name);
        let plain = folder.path().join(format!("plain-{name}"));
        imaging::save_with(&image, &path, IfExists::Refuse, &made).unwrap();
        imaging::save(&image, &plain, IfExists::Refuse).unwrap();
        assert_eq!(provenance(&path).unwrap().as_ref(), Some(&made), "{name}");
        assert_eq!(provenance(&plain).unwrap(), None, "{name}");
        let open = |path| imaging::open(path, Limits::default()).unwrap();
        assert_eq!(open(&path), open(&plain), "the pixels are the same: {name}");
    }
}

#[test]
fn what_is_no_picture_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.png");
    fs::write(&path, b"a text").unwrap();
    let error = provenance(&path).unwrap_err();
    assert!(error.to_string().contains("text.png"), "{error}");
    assert!(provenance(folder.path()).is_err());
    assert!(provenance(folder.path().join("absent.png")).is_err());
}

fn assert_refused(path: &Path, why: &str) {
    let error = provenance(path).unwrap_err();
    let wanted = matches!(
        error,
        Error::File {
            wanted: FileUse::Provenance,
            ..
        }
    );
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let source = source.unwrap_or_default();
    assert!(wanted && source.contains(why), "{error}: {source}");
}

fn with_text(path: &Path, document: &[u8]) {
    let mut png = Png::from_bytes(fs::read(path).unwrap().into()).unwrap();
    png.remove_chunks_by_type(*b"iTXt");
    let contents = [b"ranvgg\0\0\0\0\0", document].concat();
    png.chunks_mut()
        .insert(1, PngChunk::new(*b"iTXt", contents.into()));
    fs::write(path, png.encoder().bytes()).unwrap();
}

#[test]
fn damage_is_an_error_and_never_a_wrong_document() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let made = made(folder.path());
    imaging::save_with(&picture(), &path, IfExists::Refuse, &made).unwrap();
    let good = fs::read(&path).unwrap();
    let place = good.windows(8).position(|part| part == b"\"version");
    let place = place.unwrap();
    let mut damaged = good.clone();
    damaged[place + 2] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_refused(&path, "CRC");
    for (document, why) in [
        (&b"{\"version\": \"0.1"[..], "EOF"),
        (b"[1, 2, 3, 4]", "invalid"),
        (
            &[&b"{\"options\":"[..], &[b'['; 100_000]].concat(),
            "recursion",
        ),
        (b"\xff\xfe", "expected value"),
    ] {
        fs::write(&path, &good).unwrap();
        with_text(&path, document);
        assert_refused(&path, why);
    }
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        if let Ok(Some(found)) = provenance(&path) {
            assert_eq!(found, made);
        }
    }
}

#[test]
fn a_document_beyond_the_limit_is_neither_read_nor_written() {
    let folder = tempfile::tempdir().unwrap();
    let png = folder.path().join("a.png");
    imaging::save(&picture(), &png, IfExists::Refuse).unwrap();
    with_text(&png, &vec![b' '; 40 << 20]);
    assert_refused(&png, "allowed: up to 1048576");

    let jpg = folder.path().join("a.jpg");
    imaging::save(&picture(), &jpg, IfExists::Refuse).unwrap();
    let mut jpeg = Jpeg::from_bytes(fs::read(&jpg).unwrap().into()).unwrap();
    let contents = [b"ranvgg ".to_vec(), vec![b' '; 60_000]].concat();
    for _ in 0..20 {
        let segment = JpegSegment::new_with_contents(markers::COM, contents.clone().into());
        jpeg.segments_mut().insert(1, segment);
    }
    fs::write(&jpg, jpeg.encoder().bytes()).unwrap();
    assert_refused(&jpg, "allowed: up to 1048576");

    let long = Provenance::of("texture").with_arguments(vec!["x".repeat(1000); 2000]);
    let path = folder.path().join("long.png");
    assert!(imaging::save_with(&picture(), &path, IfExists::Refuse, &long).is_err());
    assert!(!path.exists());
}

#[test]
fn a_long_document_fits_into_comments_of_jpeg() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    let long = Provenance::of("texture").with_arguments(vec!["x".repeat(1000); 200]);
    imaging::save_with(&picture(), &path, IfExists::Refuse, &long).unwrap();
    assert_eq!(provenance(&path).unwrap(), Some(long));
    assert!(imaging::open(&path, Limits::default()).is_ok());
}
