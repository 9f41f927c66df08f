//! Pictures that cannot be read, and odd ones that can.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, Rgb32FImage, RgbImage};
use img_parts::jpeg::Jpeg;
use img_parts::png::Png;
use img_parts::{ImageEXIF, ImageICC};
use moxcms::ColorProfile;

use super::bytes::{header, png, tiff, write, zeros};
use super::{Case, bad, bad_words, check, good, good_words};

const QUICK: &str = "--device flex --evaluations 1 --size 16 -o made.png";

fn picture() -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| {
        let grain = (x * 7919 + y * 104_729) % 61;
        Rgb([(2 * x + grain) as u8, (3 * y + grain) as u8, (x + y) as u8])
    })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn refused(name: &str, why: &str) -> Case {
    bad(
        &format!("texture {name} {QUICK}"),
        &[&format!("`{name}`"), why],
    )
}

fn works(name: &str) -> Case {
    good(&format!("texture {name} {QUICK}"))
}

/// Every place where a command takes a picture.
const ROLES: [&str; 11] = [
    "texture a.png FILE --mix",
    "texture a.png --map FILE",
    "texture a.png --fill FILE --mask a.png",
    "texture a.png --fill a.png --mask FILE",
    "texture a.png --guide FILE",
    "invert FILE",
    "style FILE a.png",
    "style a.png FILE",
    "style a.png a.png --guide FILE",
    "style a.png a.png --content-mask FILE",
    "network choose FILE",
];

#[test]
fn what_is_no_picture_is_refused_wherever_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "a.png", encoded(picture(), ImageFormat::Png));
    write(folder, "text.png", "no picture");
    fs::create_dir(folder.join("folder.png")).unwrap();
    let mut cases = Vec::new();
    let mut all = vec![
        ("absent.png", "cannot read"),
        ("text.png", "as an image"),
        ("folder.png", "folder"),
    ];
    #[cfg(unix)]
    {
        super::pipe(folder, "pipe.png");
        super::pipe(folder, "a_height.png");
        all.push(("pipe.png", "a pipe (FIFO); allowed: regular files"));
        all.push(("/dev/zero", "a character device; allowed: regular files"));
        cases.push(bad(
            "maps a_height.png",
            &["`a_height.png`", "a pipe (FIFO)"],
        ));
    }
    for role in ROLES {
        for (name, why) in &all {
            let line = role.replace("FILE", name);
            let line = format!("{line} -o made.png --device flex");
            cases.push(bad(&line, &[&format!("`{name}`"), why]));
        }
    }
    for (name, why) in &all {
        cases.push(bad(
            &format!("again {name}"),
            &[name, why.split(';').next().unwrap()],
        ));
    }
    // These have another sentence for a text.
    cases.retain(|case| case.line != super::words("again text.png"));
    cases.push(bad(
        "again text.png",
        &["`text.png`", "no PNG, JPEG or TIFF"],
    ));
    cases.push(bad("again a.png", &["`a.png`", "how it was made"]));
    check("roles of pictures", folder, &cases);
}

#[test]
fn damaged_pictures_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut cases = vec![
        refused("empty.png", "format could not be determined"),
        refused("stops_decoder.jpg", "its decoder stopped"),
    ];
    write(folder, "empty.png", "");
    // Found by fuzzing: the decoder of JPEG files panics at it.
    let bytes = include_bytes!("stops_decoder.jpg");
    write(folder, "stops_decoder.jpg", &bytes[..]);
    for (format, ending) in [
        (ImageFormat::Png, "png"),
        (ImageFormat::Jpeg, "jpg"),
        (ImageFormat::Tiff, "tif"),
    ] {
        let whole = encoded(picture(), format);
        for length in [
            1,
            7,
            20,
            33,
            60,
            whole.len() / 3,
            whole.len() / 2,
            whole.len() - 20,
        ] {
            let name = format!("cut-{length}.{ending}");
            write(folder, &name, &whole[..length]);
            cases.push(refused(&name, "cannot decode"));
        }
    }
    let good = encoded(picture(), ImageFormat::Png);
    let mut damaged = good.clone();
    damaged[100] ^= 1;
    write(folder, "damaged.png", damaged);
    cases.push(refused("damaged.png", "cannot decode"));
    write(
        folder,
        "chunk.png",
        [&good[..33], b"\x7f\xff\xff\xfftEXtabc"].concat(),
    );
    cases.push(refused("chunk.png", "cannot decode"));
    let loops = tiff(64, 64, &[(330, 8)]);
    write(folder, "loop.tif", loops);
    cases.push(refused("loop.tif", "cannot decode"));
    write(folder, "none.png", png(&[(b"IHDR", header(0, 0))]));
    cases.push(refused("none.png", "cannot decode"));
    write(folder, "none.tif", tiff(0, 0, &[]));
    cases.push(refused("none.tif", "0x0"));
    for (name, value) in [
        ("nan.tif", f32::NAN),
        ("infinite.tif", f32::INFINITY),
        ("minus.tif", f32::NEG_INFINITY),
    ] {
        let mut picture = Rgb32FImage::from_pixel(16, 16, Rgb([0.5, 0.25, 0.125]));
        picture.get_pixel_mut(3, 5)[1] = value;
        write(folder, name, encoded(picture, ImageFormat::Tiff));
        let said = format!("{value}; allowed: finite numbers");
        for line in ["texture", "invert --layer conv1_1", "style"] {
            let line = format!("{line} {name} --device flex -o made.png");
            cases.push(bad(&line, &[&said]));
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures");
    let mut others = vec!["animated.gif"];
    if !cfg!(feature = "webp") {
        others.push("lossless.webp");
    }
    for name in others {
        fs::copy(golden.join(name), folder.join(name)).unwrap();
        cases.push(refused(name, "not supported"));
    }
    check("damaged pictures", folder, &cases);
}

/// Small files that claim or unfold to far more.
#[test]
fn pictures_that_would_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let claim = png(&[(b"IHDR", header(30_000, 30_000))]);
    write(folder, "claim.png", claim);
    let grey = png(&[
        (b"IHDR", header(16_384, 16_384)),
        (b"IDAT", zeros(16_385 * 16_384)),
        (b"IEND", Vec::new()),
    ]);
    write(folder, "unfolds.png", grey);
    write(folder, "claim.tif", tiff(16_000, 16_000, &[]));
    write(folder, "most.tif", tiff(u32::MAX, u32::MAX, &[]));
    write(folder, "strip.tif", tiff(9000, 9000, &[]));
    let jpeg = encoded(picture(), ImageFormat::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|part| part == [0xff, 0xc0])
        .unwrap();
    let mut cases = vec![
        refused("claim.png", "exceeds limit"),
        refused("unfolds.png", "3072 MiB; allowed: up to 1024 MiB"),
        refused("claim.tif", "allowed: up to 1024 MiB"),
        refused("most.tif", "exceeds limit"),
        refused("strip.tif", "cannot decode"),
    ];
    for (name, side, why) in [
        (
            "claim.jpg",
            9000u16,
            "bytes are too few for 9000x9000 pixels",
        ),
        ("most.jpg", u16::MAX, "exceeds limit"),
        ("none.jpg", 0, "zero"),
    ] {
        let mut jpeg = jpeg.clone();
        let sides = [side.to_be_bytes(), side.to_be_bytes()].concat();
        jpeg[frame + 5..frame + 9].copy_from_slice(&sides);
        write(folder, name, jpeg);
        cases.push(refused(name, why));
    }
    // What lies beside a picture unfolds too; the picture is there all the same.
    let whole = encoded(picture(), ImageFormat::Png);
    for (name, kind) in [("profile.png", b"iCCP"), ("text.png", b"zTXt")] {
        let chunk = png(&[(kind, [b"x\0\0", &zeros(1 << 30)[..]].concat())]);
        let file = [&whole[..33], &chunk[8..], &whole[33..]].concat();
        write(folder, name, file);
        cases.push(works(name));
    }
    check("pictures too large", folder, &cases);
}

#[test]
fn odd_pictures_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures");
    let mut names: Vec<String> = [
        "cmyk.jpg",
        "progressive.jpg",
        "palette.png",
        "bit.png",
        "animated.png",
        "compressed.tif",
    ]
    .map(str::to_owned)
    .into();
    for name in &names {
        fs::copy(golden.join(name), folder.join(name)).unwrap();
    }
    let mut put = |name: &str, bytes: Vec<u8>| {
        write(folder, name, bytes);
        names.push(name.to_owned());
    };
    let whole = encoded(picture(), ImageFormat::Png);
    put("pixel.png", encoded(RgbImage::new(1, 1), ImageFormat::Png));
    put("row.png", encoded(RgbImage::new(64, 1), ImageFormat::Png));
    put("grey.jpg", encoded(GrayImage::new(9, 9), ImageFormat::Jpeg));
    let image = DynamicImage::from(picture());
    put("deep.png", encoded(image.to_rgb16(), ImageFormat::Png));
    put("alpha.png", encoded(image.to_rgba8(), ImageFormat::Png));
    put("float.tif", encoded(image.to_rgb32f(), ImageFormat::Tiff));
    put("named.jpg", whole.clone());
    put("longer.png", [&whole[..], b"more"].concat());
    let with = |profile: Vec<u8>| {
        let mut png = Png::from_bytes(whole.clone().into()).unwrap();
        png.set_icc_profile(Some(profile.into()));
        png.encoder().bytes().to_vec()
    };
    put(
        "wide.png",
        with(ColorProfile::new_display_p3().encode().unwrap()),
    );
    put("profile.png", with(b"no profile".to_vec()));
    let mut jpeg = Jpeg::from_bytes(encoded(picture(), ImageFormat::Jpeg).into()).unwrap();
    let turned = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    jpeg.set_exif(Some(turned.to_vec().into()));
    put("turned.jpg", jpeg.clone().encoder().bytes().to_vec());
    jpeg.set_exif(Some(b"II*\0\xff\xff\xff\xff".to_vec().into()));
    put("exif.jpg", jpeg.encoder().bytes().to_vec());
    let mut cases: Vec<Case> = names.iter().map(|name| works(name)).collect();
    cases.push(good(
        "style pixel.png pixel.png --device flex --evaluations 1 -o made.png",
    ));
    cases.push(bad(
        "invert pixel.png --device flex -o made.png",
        &["1x1", "conv3_1", "8x8"],
    ));
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink("deep.png", folder.join("link.png")).unwrap();
        cases.push(works("link.png"));
        symlink("other.png", folder.join("round.png")).unwrap();
        symlink("round.png", folder.join("other.png")).unwrap();
        cases.push(refused("round.png", "cannot read"));
        symlink("nowhere.png", folder.join("dangling.png")).unwrap();
        cases.push(refused("dangling.png", "cannot read"));
        let name = std::ffi::OsStr::from_bytes(b"n\xff\xfe.png");
        // Not every file system has such names.
        if fs::write(folder.join(name), &whole).is_ok() {
            let mut line = super::words(&format!("texture {QUICK}"));
            line.push(name.to_owned());
            cases.push(good_words(line));
        }
        let mut line = super::words(&format!("texture {QUICK}"));
        line.push(std::ffi::OsStr::from_bytes(b"absent\xff.png").to_owned());
        cases.push(bad_words(line, &["absent\u{fffd}.png"]));
        let closed = folder.join("closed.png");
        fs::write(&closed, &whole).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        // Whoever may read everything does not mind.
        cases.push(match fs::read(&closed) {
            Ok(_) => works("closed.png"),
            Err(_) => refused("closed.png", "cannot read"),
        });
    }
    check("odd pictures", folder, &cases);
}
