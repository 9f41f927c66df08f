//! The example programs as a user meets them: help, wrong arguments, broken files, Ctrl-C.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::programs::{assert_refused, bundled, files, interrupted, program, run, said};

const QUICK: [&str; 6] = ["--device", "flex", "--evaluations", "3", "--size", "64"];

#[test]
fn every_program_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "synthesize_texture",
        "invert",
        "transfer_style",
        "list_devices",
        "time_evaluation",
        "time_layers",
        "count_costs",
        "export_network",
        "choose_network",
        "quality",
        "reproduce",
    ] {
        let output = run(name, folder.path(), &["--help"]);
        assert!(output.status.success(), "{name}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            help.contains("Usage:") && help.contains("--help"),
            "{name}: {help}"
        );
        let output = run(name, folder.path(), &["--no-such-option"]);
        assert!(
            !output.status.success() && said(&output).contains("--no-such-option"),
            "{name}"
        );
    }
    assert!(files(folder.path()).is_empty());
}

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
fn an_output_is_overwritten_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.png");
    fs::write(&there, b"precious").unwrap();
    let arguments = ["-o", "there.png"];
    let output = run(
        "synthesize_texture",
        folder.path(),
        &[&arguments, &QUICK[..]].concat(),
    );
    assert!(!output.status.success());
    assert!(said(&output).contains("there.png") && said(&output).contains("--force"));
    assert_eq!(fs::read(&there).unwrap(), b"precious");
    let arguments = ["-o", "there.png", "--force"];
    let output = run(
        "synthesize_texture",
        folder.path(),
        &[&arguments, &QUICK[..]].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(image::open(&there).is_ok());
}

/// Each mistake is named with its value, nothing is written, and no panic is shown.
#[test]
fn mistakes_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.png"), "no picture").unwrap();
    fs::write(folder.path().join("empty.png"), "").unwrap();
    let before = files(folder.path());
    let mistakes: [(&str, &[&str], &[&str]); 19] = [
        ("synthesize_texture", &["absent.png"], &["absent.png"]),
        ("synthesize_texture", &["text.png"], &["text.png"]),
        ("synthesize_texture", &["empty.png"], &["empty.png"]),
        ("synthesize_texture", &["--size", "0"], &["0", "1 to 16384"]),
        (
            "synthesize_texture",
            &["--size", "10x-3"],
            &["-3", "1 to 16384"],
        ),
        (
            "synthesize_texture",
            &["--layers", "conv1_1,conv5_9"],
            &["conv5_9", "conv5_1"],
        ),
        (
            "synthesize_texture",
            &["--evaluations", "0"],
            &["evaluations is 0", "from 1 up"],
        ),
        (
            "synthesize_texture",
            &["--tv-weight=-1"],
            &["total variation weight is -1"],
        ),
        (
            "synthesize_texture",
            &["--device", "quantum"],
            &["quantum", "flex", "wgpu"],
        ),
        (
            "synthesize_texture",
            &["--padding", "mirror"],
            &["mirror", "reflect"],
        ),
        (
            "synthesize_texture",
            &["-o", "no/such/folder/out.png"],
            &["no/such/folder"],
        ),
        (
            "synthesize_texture",
            &["-o", "out.webp"],
            &["out.webp", ".png"],
        ),
        ("invert", &["--layer", "fc6", "--size"], &["--size"]),
        (
            "transfer_style",
            &["--style-weight", "0"],
            &["style weight is 0"],
        ),
        (
            "time_evaluation",
            &["--device", "flex", "--runs", "0"],
            &["--runs is 0"],
        ),
        (
            "synthesize_texture",
            &["--device", "flex", "--precision", "half"],
            &["precision", "half", "flex"],
        ),
        ("invert", &["--precision", "double"], &["single", "half"]),
        (
            "time_layers",
            &["--device", "flex", "--size", "16"],
            &["--size is 16"],
        ),
        ("count_costs", &["--size", "8"], &["--size is 8"]),
    ];
    for (name, arguments, expected) in mistakes {
        let output = run(name, folder.path(), arguments);
        let said = said(&output);
        assert!(!output.status.success(), "{name} {arguments:?}");
        assert!(!said.contains("panicked"), "{name} {arguments:?}: {said}");
        for word in expected {
            assert!(
                said.contains(word),
                "{name} {arguments:?}: no `{word}` in {said}"
            );
        }
    }
    assert_eq!(files(folder.path()), before);
}

#[test]
fn devices_are_listed_with_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let output = run("list_devices", folder.path(), &[]);
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && listed.contains("flex"),
        "{listed}"
    );
    assert!(
        listed.lines().last().unwrap().starts_with("best: "),
        "{listed}"
    );
}

#[test]
fn an_evaluation_is_timed_in_the_form_of_the_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--size", "32", "48", "--device", "flex", "--runs", "2"];
    let output = run("time_evaluation", folder.path(), &arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}{}", said(&output));
    assert!(lines[0].starts_with("on flex: "), "{printed}");
    for (line, size) in lines[1..].iter().zip([32, 48]) {
        let start = format!("size {size} device flex threads ");
        assert!(line.starts_with(&start), "{printed}");
        assert!(line.contains(" evaluation median ") && line.contains(" forward median "));
    }
}

#[test]
fn layers_are_timed_by_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--size", "32", "--device", "flex", "--runs", "1"];
    let output = run("time_layers", folder.path(), &arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.contains("| layer | own | plain | patches |"),
        "{printed}{}",
        said(&output)
    );
    let times: Vec<f64> = printed
        .lines()
        .filter(|line| line.starts_with("| conv"))
        .flat_map(|line| line.split(['|', ' ']).filter_map(|word| word.parse().ok()))
        .collect();
    assert_eq!(times.len(), 9 * 3 * 2, "{printed}");
    assert!(times.iter().all(|time| *time >= 0.0));
}

#[test]
fn costs_are_those_of_the_definition() {
    let folder = tempfile::tempdir().unwrap();
    let output = run("count_costs", folder.path(), &["--size", "32"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    // conv1_2 both ways: 2 * 2 * 9 * 64 * 64 * 32 * 32 operations, a quarter of them by Winograd.
    let row = printed.lines().find(|line| line.contains("conv1_2"));
    let cells: Vec<&str> = row.unwrap().split('|').map(str::trim).collect();
    assert_eq!((cells[2], cells[4]), ("0.2", "0.0"), "{printed}");
    // All: 378.7 GFLOP at 512x512, 256 times as many pixels, and a quarter.
    let all = printed.lines().find(|line| line.contains("| all |"));
    let cells: Vec<&str> = all.unwrap().split('|').map(str::trim).collect();
    assert_eq!((cells[2], cells[4]), ("1.5", "0.4"), "{printed}");
}

/// A run that takes longer than any test waits.
fn start_long_run(folder: &Path) -> Child {
    program("synthesize_texture")
        .current_dir(folder)
        .args([
            "--device",
            "flex",
            "--size",
            "64",
            "--evaluations",
            "100000",
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Killed without warning, a run leaves no output and no rubbish.
#[test]
fn a_killed_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_long_run(folder.path());
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "it should still run");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        files(folder.path()).is_empty(),
        "{:?}",
        files(folder.path())
    );
}

/// Interrupted by Ctrl-C, a run writes the picture so far.
#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_long_run(folder.path());
    std::thread::sleep(Duration::from_millis(2500));
    assert!(interrupted(&mut child).success());
    let image = image::open(folder.path().join("texture.png")).unwrap();
    assert_eq!((image.width(), image.height()), (64, 64));
}

#[test]
fn textures_are_judged_on_one_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("exemplars")).unwrap();
    fs::copy(
        bundled("gravel.png"),
        folder.path().join("exemplars/gravel.png"),
    )
    .unwrap();
    fs::write(folder.path().join("exemplars/notes.txt"), "not a picture").unwrap();
    let arguments = [
        "exemplars",
        "-o",
        "out",
        "--presets",
        "whitened,tile",
        "--seeds",
        "4",
        "--side",
        "64",
        "--evaluations",
        "3",
        "--device",
        "flex",
    ];
    for _ in 0..2 {
        // The second time from the pictures of the first.
        let output = run("quality", folder.path(), &arguments);
        assert!(output.status.success(), "{}", said(&output));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            table.contains("whitened") && table.contains("index.html"),
            "{table}"
        );
        let page = fs::read_to_string(folder.path().join("out/index.html")).unwrap();
        assert_eq!(page.matches("data:image/png;base64,").count(), 3);
        let rows = fs::read_to_string(folder.path().join("out/quality.csv")).unwrap();
        assert_eq!(rows.lines().count(), 3, "{rows}");
        assert!(
            rows.lines()
                .next()
                .unwrap()
                .starts_with("exemplar,preset,seed,")
        );
    }
    assert_eq!(
        files(&folder.path().join("out/results")),
        ["gravel-tile-4.png", "gravel-whitened-4.png"]
    );
    for wrong in [
        &["nowhere"][..],
        &["out/results/..", "--side", "20"],
        &["out", "--presets", "best"],
    ] {
        let output = run("quality", folder.path(), wrong);
        assert!(
            !output.status.success() && !said(&output).is_empty(),
            "{wrong:?}"
        );
    }
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
