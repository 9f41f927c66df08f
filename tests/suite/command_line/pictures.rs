//! Programs that make pictures: their inputs, outputs and options.

use super::QUICK;
use crate::programs::{assert_refused, bundled, files, run, said};
use std::fs;
use std::path::Path;

#[test]
fn a_texture_an_inversion_and_a_style_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = run("synthesize_texture", folder.path(), &QUICK);
    assert!(output.status.success(), "{}", said(&output));
    let image = image::open(folder.path().join("texture.png")).unwrap();
    assert_eq!((image.width(), image.height()), (64, 64));

    let small = folder.path().join("small.png");
    image::open(bundled("cat.png"))
        .unwrap()
        .thumbnail_exact(48, 40)
        .save(&small)
        .unwrap();
    let small = small.to_str().unwrap();
    let output = run(
        "invert",
        folder.path(),
        &[
            small,
            "--layer",
            "conv2_1",
            "--evaluations",
            "3",
            "--device",
            "flex",
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(" dB"));

    let arguments = [
        small,
        small,
        "-o",
        "styled.tif",
        "--sixteen",
        "--size",
        "40x48",
    ];
    let output = run(
        "transfer_style",
        folder.path(),
        &[&arguments, &QUICK[..4]].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
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
    let cat = bundled("cat.png");
    let (gravel, strokes) = (gravel.to_str().unwrap(), strokes.to_str().unwrap());
    let cat = cat.to_str().unwrap();
    let mut arguments = vec![gravel, strokes, "--weights", "1,2", "--variations", "2"];
    arguments.extend(["--seed", "5", "-o", "mixed.png", "--tile"]);
    arguments.extend(QUICK);
    let output = run("synthesize_texture", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(files(folder.path()), ["mixed-5.png", "mixed-6.png"]);
    // The second of them is there already: refused before the first is made.
    fs::remove_file(folder.path().join("mixed-5.png")).unwrap();
    let output = run("synthesize_texture", folder.path(), &arguments);
    assert!(said(&output).contains("mixed-6.png"), "{}", said(&output));
    assert_eq!(files(folder.path()), ["mixed-6.png"]);
    for (wrong, named) in [
        (&[gravel, "--weights", "1,2"][..], "--weights"),
        (&[gravel, "--statistics", "mode"], "--statistics"),
        (&[gravel, "--fill", gravel], "--mask"),
        (&[gravel, "--tile", "--padding", "zero"], "--padding"),
        (&[gravel, "--fill", gravel, "--mask", cat], "the mask"),
    ] {
        assert_refused("synthesize_texture", folder.path(), wrong, named);
    }
    assert_eq!(files(folder.path()), ["mixed-6.png"]);
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

    let mut arguments = vec!["albedo.png", "--map", "height.png", "-o", "made.png"];
    arguments.extend(QUICK);
    let output = run("synthesize_texture", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let made = |name: &str| image::open(folder.path().join(name)).unwrap();
    assert_eq!(made("made.png").color(), image::ColorType::Rgb8);
    assert_eq!(made("made-height.png").color(), image::ColorType::L16);
    // The second file is there already: nothing is made.
    fs::remove_file(folder.path().join("made.png")).unwrap();
    let output = run("synthesize_texture", folder.path(), &arguments);
    assert!(
        said(&output).contains("made-height.png"),
        "{}",
        said(&output)
    );
    fs::remove_file(folder.path().join("made-height.png")).unwrap();

    let mut arguments = vec![gravel, strokes, "--guide", "guide.png", "-o", "guided.png"];
    arguments.extend(QUICK);
    let output = run("synthesize_texture", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let mut arguments = vec!["albedo.png", gravel, strokes, "--guide", "guide.png"];
    arguments.extend(["--content-mask", "guide.png", "--colours", "matched"]);
    arguments.extend(["--statistics", "moments", "-o", "styled.png"]);
    arguments.extend(QUICK);
    let output = run("transfer_style", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let mut arguments = vec!["albedo.png", "--paper", "--layer", "conv1_1"];
    arguments.extend(["-o", "inverted.png", "--device", "flex", "--seconds", "1"]);
    let output = run("invert", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    for name in ["guided.png", "styled.png", "inverted.png"] {
        made(name);
        fs::remove_file(folder.path().join(name)).unwrap();
    }

    for (name, wrong, named) in [
        (
            "synthesize_texture",
            &["--map", "height.png"][..],
            "one input",
        ),
        (
            "synthesize_texture",
            &["albedo.png", "--map", "height.png", "-o", "made.jpg"],
            ".png or .tif",
        ),
        (
            "synthesize_texture",
            &["height.png", "--map", "albedo.png", "--map", "albedo.png"],
            "two maps",
        ),
        (
            "synthesize_texture",
            &["albedo.png", "--map", gravel],
            "map 2 of the exemplar",
        ),
        (
            "synthesize_texture",
            &["albedo.png", "--map", "height.png", "--guide", "guide.png"],
            "--guide",
        ),
        (
            "synthesize_texture",
            &[gravel, strokes, gravel, "--guide", "guide.png"],
            "the mask of a region",
        ),
        (
            "transfer_style",
            &["albedo.png", gravel, "--colours", "grey"],
            "--colours",
        ),
        (
            "invert",
            &["albedo.png", "--seconds=-1"],
            "`-1` is not a number of seconds",
        ),
    ] {
        assert_refused(name, folder.path(), wrong, named);
    }
    assert_eq!(files(folder.path()), given);
}

#[test]
fn a_chosen_network_serves_the_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["--candidates", "2", "--evaluations", "3", "--side", "24"];
    arguments.extend(["--up-to", "conv1_2", "--device", "flex"]);
    arguments.extend(["-o", "stack.json", "--report", "report.json"]);
    let output = run("choose_network", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(table.matches("score").count(), 4, "{table}");
    assert_eq!(files(folder.path()), ["report.json", "stack.json"]);
    let output = run("choose_network", folder.path(), &arguments);
    assert!(said(&output).contains("--force"), "{}", said(&output));
    let nowhere = ["-o", "missing/stack.json"];
    assert_refused("choose_network", folder.path(), &nowhere, "missing");
    let mut arguments = vec!["--recipe", "stack.json", "-o", "made.png"];
    arguments.extend(QUICK);
    let output = run("synthesize_texture", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    for (wrong, named) in [
        (&["--recipe", "report.json"][..], "recipe"),
        (&["--recipe", "missing.json"], "missing.json"),
        (
            &["--recipe", "stack.json", "--network-seed", "1"],
            "--network-seed",
        ),
    ] {
        assert_refused("synthesize_texture", folder.path(), wrong, named);
    }
}

#[test]
fn trained_weights_serve_in_place_of_random_ones() {
    let folder = tempfile::tempdir().unwrap();
    let golden = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        path.join(name).to_str().unwrap().to_owned()
    };
    let (alexnet, cat) = (golden("alexnet.pth"), bundled("cat.png"));
    let cat = cat.to_str().unwrap();
    let common = ["--layer", "conv2", "--device", "flex", "--evaluations", "2"];
    let network = ["--network", "alexnet", "--weights-file", &alexnet];
    let arguments = [&[cat], &common[..], &network].concat();
    let output = run("invert", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("alexnet, trained"),
        "{}",
        said(&output)
    );
    assert!(folder.path().join("inverted.png").exists());
    let refused: [(&[&str], &str); 8] = [
        (&["--weights-file", "nowhere.pth"], "nowhere.pth"),
        (&["--weights-file", cat], "cat.png"),
        // Another network than its weights.
        (&["--weights-file", &alexnet], "features.0.weight"),
        (
            &["--weights-file", &alexnet, "--network-seed", "1"],
            "--network-seed",
        ),
        (
            &["--weights-file", &alexnet, "--bias-sigma", "1"],
            "--bias-sigma",
        ),
        (&["--bias-sigma=-1"], "bias sigma is -1"),
        (&["--network", "vgg13"], "vgg16, vgg19, alexnet"),
        (&["--caffe"], "--weights-file"),
    ];
    for (arguments, named) in refused {
        let arguments = [arguments, &["-o", "refused.png", "--device", "flex"]].concat();
        assert_refused("invert", folder.path(), &arguments, named);
    }
    assert_eq!(files(folder.path()), ["inverted.png"]);
}
