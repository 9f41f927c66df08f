//! `ranvgg devices`, and results that are spread over several devices.

use std::fs;
use std::path::Path;

use ranvgg::imaging;
use ranvgg::run::Checkpoint;

use crate::programs::{files, said};
use crate::{made, picture, refused, run};

const SMALL: [&str; 4] = ["--evaluations", "2", "--size", "32"];

#[test]
fn devices_are_listed_with_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let listed = made(folder.path(), &["devices"]);
    assert!(listed.contains("flex"), "{listed}");
    assert!(
        listed.lines().last().unwrap().starts_with("best: "),
        "{listed}"
    );
}

fn pixels(folder: &Path, name: &str) -> Vec<u8> {
    let image = image::open(folder.join(name)).unwrap();
    image.into_rgb8().into_raw()
}

/// The words of the command line that a picture carries.
fn line(folder: &Path, name: &str) -> Vec<String> {
    let made = imaging::provenance(folder.join(name)).unwrap();
    made.unwrap().arguments
}

/// A line of words, with those that every test here has.
fn words<'a>(line: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    line.split(' ').chain(more.iter().copied()).collect()
}

#[test]
fn results_side_by_side_are_those_of_one_device() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    picture(folder, "b.png");
    let alone = words(
        "texture a.png b.png --variations 2 --device flex -o alone/",
        &SMALL,
    );
    made(folder, &alone);
    let both = words(
        "texture a.png b.png --variations 2 --device flex,flex --json -o both/",
        &SMALL,
    );
    let output = run(folder, &both);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("seed 0, on flex, flex"), "{said}");
    let objects = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        objects.matches("\"device\":\"flex\"").count(),
        4,
        "{objects}"
    );
    let names = files(&folder.join("both"));
    assert_eq!(names, ["a-0.png", "a-1.png", "b-0.png", "b-1.png"]);
    for name in names {
        let one = pixels(&folder.join("alone"), &name);
        assert_eq!(pixels(&folder.join("both"), &name), one, "{name}");
        let line = line(&folder.join("both"), &name);
        assert!(line.contains(&"--device=flex".to_owned()), "{line:?}");
    }
    // A flag for each device is the same as a list.
    let flags = words(
        "texture a.png --variations 2 --device flex --device flex -o c.png",
        &SMALL,
    );
    made(folder, &flags);
    assert_eq!(
        pixels(folder, "c-1.png"),
        pixels(&folder.join("alone"), "a-1.png")
    );
    let inverted = "invert a.png b.png --layer conv1_1 --evaluations 2 --device flex,flex -o in/";
    made(folder, &words(inverted, &[]));
    assert_eq!(files(&folder.join("in")), ["a.png", "b.png"]);
}

#[test]
fn runs_in_one_memory_share_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let shared = "texture --variations 2 --device flex,flex --memory 100000001 -o a.png";
    made(folder, &words(shared, &SMALL));
    let line = line(folder, "a-1.png");
    let memory: Vec<&String> = line
        .iter()
        .filter(|word| word.contains("--memory"))
        .collect();
    assert_eq!(memory, ["--memory=50000000"], "{line:?}");
    made(folder, &["again", "a-1.png", "-q"]);
    assert_eq!(pixels(folder, "a-1-again.png"), pixels(folder, "a-1.png"));
    // Each of the two would have enough alone: the program takes 30 MB before a run, this one less than one.
    let little = "texture --variations 2 --device flex,flex --memory 50000000 -o b.png";
    refused(
        folder,
        &words(little, &SMALL),
        &["is 25000000; allowed: at least"],
    );
    made(folder, &words(&little.replace("flex,flex", "flex"), &SMALL));
}

/// What is stored of a command with one result names its one device.
#[test]
fn one_result_is_made_on_the_first_device() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let one = "texture --device flex,flex --checkpoint run.safetensors -o a.png";
    let output = run(folder, &words(one, &SMALL));
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("seed 0, on flex\n"), "{said}");
    let note = Checkpoint::note_of(folder.join("run.safetensors")).unwrap();
    assert!(note.contains("\"--device=flex\""), "{note}");
    let stored = line(folder, "a.png");
    assert!(stored.contains(&"--device=flex".to_owned()), "{stored:?}");
    made(folder, &["resume", "run.safetensors", "-o", "b.png", "-q"]);
    assert_eq!(pixels(folder, "b.png"), pixels(folder, "a.png"));
    // `all` is at least one, which has a name by then.
    made(folder, &words("texture --device all -o c.png", &SMALL));
    let stored = line(folder, "c.png");
    let device = stored.iter().find(|word| word.starts_with("--device="));
    assert!(
        device.is_some_and(|word| word != "--device=all"),
        "{stored:?}"
    );
}

#[test]
fn an_input_that_fails_on_several_devices_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    fs::write(folder.join("b.png"), "no picture").unwrap();
    picture(folder, "c.png");
    let batch = "texture a.png b.png c.png --variations 2 --device flex,flex --json -o out/";
    let output = run(folder, &words(batch, &SMALL));
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("error: cannot decode `b.png`").count(), 1);
    assert!(said.ends_with("1 of 3 inputs failed:\n  b.png\n"), "{said}");
    let made = files(&folder.join("out"));
    assert_eq!(made, ["a-0.png", "a-1.png", "c-0.png", "c-1.png"]);
    let objects = String::from_utf8(output.stdout).unwrap();
    assert_eq!(objects.matches("\"error\":").count(), 1, "{objects}");
    assert_eq!(objects.lines().count(), 5, "{objects}");
}

#[test]
fn devices_that_cannot_be_meant_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (line, expected) in [
        (
            "texture --variations 2 --device flex,flax",
            &["`flax`", "known names"][..],
        ),
        ("texture --device all,flex", &["all,flex", "all alone"]),
        (
            "network choose --device flex,all",
            &["flex,all", "all alone"],
        ),
        ("style --device flex,flex", &["flex,flex", "one device"]),
        ("style --device all", &["all", "one device"]),
        (
            "texture --device remote:ws://127.0.0.1",
            &["remote:ws://127.0.0.1"],
        ),
    ] {
        refused(folder.path(), &words(line, &[]), expected);
    }
    assert!(files(folder.path()).is_empty());
}

/// The CPU beside a GPU, or what imitates one, each with the picture that it makes alone.
#[test]
fn a_cpu_and_a_gpu_share_results() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let listed = made(folder, &["devices"]);
    let mut tried = 0;
    for gpu in ["wgpu", "opengl"] {
        if !listed.contains(&format!("{gpu}:0")) {
            continue;
        }
        tried += 1;
        let devices = format!("flex,{gpu}");
        let spread = "texture a.png --variations 2 --statistics gram --layers conv1_1 --device";
        let spread = words(spread, &[&devices, "-o", "both.png", "--force"]);
        let output = run(folder, &[&spread[..], &SMALL].concat());
        assert!(output.status.success(), "{}", said(&output));
        for (seed, device) in [("0", "flex"), ("1", gpu)] {
            let alone = words(
                "texture a.png --statistics gram --layers conv1_1 --force -o alone.png",
                &["--seed", seed, "--device", device],
            );
            made(folder, &[&alone[..], &SMALL].concat());
            let both = format!("both-{seed}.png");
            assert_eq!(pixels(folder, "alone.png"), pixels(folder, &both));
            let line = line(folder, &both);
            let own = line.iter().find(|word| word.starts_with("--device="));
            let own = own.unwrap();
            assert!(
                own.starts_with(&format!("--device={device}")) && !own.contains(','),
                "{line:?}"
            );
        }
    }
    let required = std::env::var_os("RANVGG_REQUIRE_GPU").is_some();
    assert!(tried > 0 || !required, "{listed}");
}
