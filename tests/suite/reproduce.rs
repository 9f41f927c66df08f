//! The example `reproduce`: every study at its smallest, resumed, interrupted, refused.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::programs::{assert_refused, bundled, files, interrupted, program, run, said};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ranvgg::{IfExists, RandomVgg, device};

const STUDIES: [&str; 7] = [
    "convergence",
    "layers",
    "settings",
    "styles",
    "textures",
    "trained",
    "variation",
];

/// The pictures of a page: each is there, in the page itself.
fn pictures(page: &str) -> usize {
    let tags: Vec<&str> = page.split("<img ").skip(1).collect();
    for tag in &tags {
        let data = tag.split("src=\"data:image/png;base64,").nth(1).unwrap();
        let bytes = BASE64.decode(data.split('"').next().unwrap()).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap();
        assert!(picture.width() > 1 && picture.height() > 1);
    }
    assert_eq!(page.matches("src=").count(), tags.len());
    assert_eq!(page.matches("href=").count(), 0);
    tags.len()
}

fn pictures_of_runs(folder: &Path) -> usize {
    let runs = files(&folder.join("runs"));
    runs.iter().filter(|name| name.ends_with(".png")).count()
}

fn written(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn every_study_runs_at_its_smallest_and_shows_every_picture() {
    let folder = tempfile::tempdir().unwrap();
    // Weights in the form of trained ones: what they are does not matter here.
    let device = device::by_name("flex").unwrap();
    let vgg = RandomVgg::vgg16().with_seed(9).init(&device).unwrap();
    let (deepest, weights) = (vgg.layer("conv5_3").unwrap(), "weights.safetensors");
    vgg.save_safetensors(deepest, folder.path().join(weights), IfExists::Refuse)
        .unwrap();
    let arguments = [
        "all",
        "--smallest",
        "--device",
        "flex",
        "-o",
        "out",
        "--network",
        "vgg16",
        "--weights-file",
        "weights.safetensors",
    ];
    let output = run("reproduce", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let out = folder.path().join("out");
    assert_eq!(files(&out), STUDIES);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    for study in STUDIES {
        let folder = out.join(study);
        assert!(
            printed.contains(&format!("{study}/index.html")),
            "{printed}"
        );
        let page = fs::read_to_string(folder.join("index.html")).unwrap();
        let (shown, drawings) = (pictures(&page), page.matches("<svg ").count());
        let rows = fs::read_to_string(folder.join("figures.csv")).unwrap();
        let runs = files(&folder.join("runs"));
        let records = runs.iter().filter(|name| name.ends_with(".json")).count();
        assert_eq!(rows.lines().count(), 1 + records, "{study}");
        match study {
            // Every result, and what was given.
            "layers" | "textures" | "styles" => assert!(shown > pictures_of_runs(&folder)),
            "convergence" => assert!(shown == 0 && drawings == 5, "{drawings}"),
            // For each of two figures of each of three pictures.
            "variation" => assert!(shown > 0 && drawings == 6, "{shown} {drawings}"),
            "trained" => assert!(shown > 0 && drawings == 2, "{shown} {drawings}"),
            _ => assert!(shown > 0 && drawings > 0, "{study}: {shown} {drawings}"),
        }
        if study != "convergence" {
            assert!(image::open(folder.join("sheet.png")).is_ok(), "{study}");
        }
        // Nothing is left over from writing.
        assert!(!files(&folder).iter().any(|name| name.ends_with(".part")));
    }
    // The two networks of the variation study were stacked.
    assert_eq!(files(&out.join("variation/stacks")).len(), 4);

    // Again: what is there is not computed again, what is missing is.
    let runs = out.join("styles/runs");
    let (kept, lost) = ("random-cat-gravel.json", "random-coffee-strokes.json");
    let before = written(&runs.join(kept));
    fs::remove_file(runs.join(lost)).unwrap();
    let styles = [&["styles"], &arguments[1..]].concat();
    let output = run("reproduce", folder.path(), &styles);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(written(&runs.join(kept)), before);
    assert!(runs.join(lost).exists());
    // Runs of other options do not mix with these.
    let other = [&styles[..], &["--candidates", "3"]].concat();
    let output = run("reproduce", folder.path(), &other);
    assert!(
        output.status.success(),
        "--smallest sets the candidates: {}",
        said(&output)
    );
    let other = ["styles", "--device", "flex", "-o", "out", "--side", "48"];
    assert_refused("reproduce", folder.path(), &other, "other options");
}

#[cfg(unix)]
#[test]
fn an_interrupted_study_shows_what_it_has_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let cat = bundled("cat.png");
    let arguments = [
        "layers",
        cat.to_str().unwrap(),
        "--device",
        "flex",
        "--side",
        "64",
        "--layers",
        "conv1_1,conv2_1,conv3_1",
        "--evaluations",
        "60",
    ];
    let runs = folder.path().join("reproduce/layers/runs");
    let mut child = program("reproduce")
        .current_dir(folder.path())
        .args(arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let done = || runs.is_dir() && files(&runs).iter().any(|name| name.ends_with(".json"));
    while !done() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it did anything"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = interrupted(&mut child);
    let count = || {
        files(&runs)
            .iter()
            .filter(|name| name.ends_with(".json"))
            .count()
    };
    let kept = count();
    // It may have been done before it was asked to stop.
    assert!(!status.success() || kept == 6, "{kept} runs");
    let page = folder.path().join("reproduce/layers/index.html");
    let shown = pictures(&fs::read_to_string(&page).unwrap());
    assert_eq!(
        shown,
        kept + 2,
        "results, and the picture in each of two rows"
    );
    let output = run("reproduce", folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(count(), 6);
    assert_eq!(pictures(&fs::read_to_string(&page).unwrap()), 8);
}

#[test]
fn what_cannot_be_studied_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused: [(&[&str], &str); 9] = [
        (&["colours"], "colours"),
        (&["trained", "--device", "flex"], "--weights-file"),
        (&["layers", "nowhere.png"], "nowhere.png"),
        (&["layers", "--weights-file", "nowhere.pth"], "nowhere.pth"),
        (&["layers", "--layers", "conv9_9"], "conv9_9"),
        (
            &[
                "layers",
                "--network",
                "vgg16",
                "--layers",
                "conv3_4",
                "--device",
                "flex",
            ],
            "conv3_4",
        ),
        (&["layers", "--network", "vgg13"], "vgg16, vgg19, alexnet"),
        (&["variation", "--draws", "0"], "--draws"),
        (&["layers", "--caffe"], "--weights-file"),
    ];
    for (arguments, named) in refused {
        assert_refused("reproduce", folder.path(), arguments, named);
    }
}
