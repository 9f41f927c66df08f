//! Commands that make pictures: their inputs, outputs and flags.

use std::fs;

use crate::programs::{bundled, files, said};
use crate::{QUICK, made, refused, run};

#[test]
fn a_texture_an_inversion_and_a_style_are_written() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), &[&["texture"], &QUICK[..]].concat());
    let image = image::open(folder.path().join("texture.png")).unwrap();
    assert_eq!((image.width(), image.height()), (64, 64));

    image::open(bundled("cat.png"))
        .unwrap()
        .thumbnail_exact(48, 40)
        .save(folder.path().join("small.png"))
        .unwrap();
    let arguments = ["invert", "small.png", "--layer", "conv2_1"];
    let output = run(folder.path(), &[&arguments[..], &QUICK[..4]].concat());
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(" dB"));

    let mut arguments = vec!["style", "small.png", "small.png", "-o", "styled.tif"];
    arguments.extend(["--sixteen", "--size", "40x48"]);
    made(folder.path(), &[&arguments[..], &QUICK[..4]].concat());
    let image = image::open(folder.path().join("styled.tif")).unwrap();
    assert_eq!((image.width(), image.height()), (40, 48));
    assert_eq!(image.color(), image::ColorType::Rgb16);
    assert_eq!(
        files(folder.path()),
        ["inverted.png", "small.png", "styled.tif", "texture.png"]
    );
}

#[test]
fn mixtures_variations_and_fillings_come_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (gravel, strokes) = (bundled("gravel.png"), bundled("strokes.png"));
    let (gravel, strokes) = (gravel.to_str().unwrap(), strokes.to_str().unwrap());
    let mut arguments = vec![
        "texture",
        gravel,
        strokes,
        "--weights",
        "1,2",
        "--variations",
        "2",
    ];
    arguments.extend(["--seed", "5", "-o", "mixed.png", "--tile"]);
    arguments.extend(QUICK);
    made(folder.path(), &arguments);
    assert_eq!(files(folder.path()), ["mixed-5.png", "mixed-6.png"]);
    // The second of them is there already: refused before the first is made.
    fs::remove_file(folder.path().join("mixed-5.png")).unwrap();
    refused(folder.path(), &arguments, &["mixed-6.png"]);
    assert_eq!(files(folder.path()), ["mixed-6.png"]);
    let arguments = ["texture", gravel, strokes, "--mix", "-o", "equal.png"];
    made(folder.path(), &[&arguments[..], &QUICK].concat());
    assert_eq!(files(folder.path()), ["equal.png", "mixed-6.png"]);
}

#[test]
fn a_hole_is_filled_and_inputs_are_resized() {
    let folder = tempfile::tempdir().unwrap();
    let gravel = bundled("gravel.png");
    let gravel = gravel.to_str().unwrap();
    let torn = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 9]));
    torn.save(folder.path().join("torn.png")).unwrap();
    image::GrayImage::from_fn(64, 48, |x, _| image::Luma([if x < 40 { 0 } else { 255 }]))
        .save(folder.path().join("hole.png"))
        .unwrap();
    let mut arguments = vec![
        "texture", gravel, "--fill", "torn.png", "--mask", "hole.png",
    ];
    arguments.extend(["--in-size", "64", "-o", "mended.png"]);
    arguments.extend(&QUICK[..4]);
    made(folder.path(), &arguments);
    let mended = image::open(folder.path().join("mended.png"))
        .unwrap()
        .to_rgb8();
    assert_eq!(mended.dimensions(), (64, 48));
    assert_eq!(mended.get_pixel(10, 10), torn.get_pixel(10, 10));
    // The result is as large as the input that was brought to a size.
    for (size, expected) in [("32", (43, 32)), ("40x32", (40, 32))] {
        let arguments = ["texture", "torn.png", "--in-size", size, "--force"];
        made(folder.path(), &[&arguments[..], &QUICK[..4]].concat());
        let image = image::open(folder.path().join("texture.png")).unwrap();
        assert_eq!((image.width(), image.height()), expected);
    }
}

#[test]
fn maps_guides_and_masks_come_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (gravel, strokes) = (bundled("gravel.png"), bundled("strokes.png"));
    let (gravel, strokes) = (gravel.to_str().unwrap(), strokes.to_str().unwrap());
    let height = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(64, 64, |x, y| {
        image::Luma([(x * 997 + y * 31) as u16])
    });
    height.save(folder.path().join("height.png")).unwrap();
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 90]))
        .save(folder.path().join("albedo.png"))
        .unwrap();
    image::GrayImage::from_fn(30, 20, |x, _| image::Luma([if x < 15 { 0 } else { 255 }]))
        .save(folder.path().join("guide.png"))
        .unwrap();
    let given = ["albedo.png", "guide.png", "height.png"];

    let mut arguments = vec![
        "texture",
        "albedo.png",
        "--map",
        "height.png",
        "-o",
        "made.png",
    ];
    arguments.extend(QUICK);
    made(folder.path(), &arguments);
    let opened = |name: &str| image::open(folder.path().join(name)).unwrap();
    assert_eq!(opened("made.png").color(), image::ColorType::Rgb8);
    assert_eq!(opened("made-height.png").color(), image::ColorType::L16);
    // The second file is there already: nothing is made.
    fs::remove_file(folder.path().join("made.png")).unwrap();
    refused(folder.path(), &arguments, &["made-height.png"]);
    fs::remove_file(folder.path().join("made-height.png")).unwrap();

    let arguments = [
        "texture",
        gravel,
        strokes,
        "--guide",
        "guide.png",
        "-o",
        "guided.png",
    ];
    made(folder.path(), &[&arguments[..], &QUICK].concat());
    let mut arguments = vec![
        "style",
        "albedo.png",
        gravel,
        strokes,
        "--guide",
        "guide.png",
    ];
    arguments.extend(["--content-mask", "guide.png", "--colours", "matched"]);
    arguments.extend(["--statistics", "moments", "-o", "styled.png"]);
    made(folder.path(), &[&arguments[..], &QUICK].concat());
    let mut arguments = vec!["invert", "albedo.png", "--paper", "--layer", "conv1_1"];
    arguments.extend(["-o", "inverted.png", "--device", "flex", "--seconds", "1"]);
    made(folder.path(), &arguments);
    for name in ["guided.png", "styled.png", "inverted.png"] {
        opened(name);
        fs::remove_file(folder.path().join(name)).unwrap();
    }

    let wrong: [(&[&str], &str); 8] = [
        (&["texture", "--map", "height.png"], "one input"),
        (
            &[
                "texture",
                "albedo.png",
                "--map",
                "height.png",
                "-o",
                "made.jpg",
            ],
            ".png or .tif",
        ),
        (
            &[
                "texture",
                "height.png",
                "--map",
                "albedo.png",
                "--map",
                "albedo.png",
            ],
            "two maps",
        ),
        (
            &["texture", "albedo.png", "--map", gravel],
            "map 2 of the exemplar",
        ),
        (
            &[
                "texture",
                "albedo.png",
                "--map",
                "height.png",
                "--guide",
                "guide.png",
            ],
            "--guide",
        ),
        (
            &["texture", gravel, strokes, gravel, "--guide", "guide.png"],
            "the mask of a region",
        ),
        (
            &["style", "albedo.png", gravel, "--colours", "grey"],
            "--colours",
        ),
        (
            &["invert", "albedo.png", "--seconds=-1"],
            "`-1` is not a number of seconds",
        ),
    ];
    for (arguments, named) in wrong {
        refused(folder.path(), arguments, &[named]);
    }
    assert_eq!(files(folder.path()), given);
}
