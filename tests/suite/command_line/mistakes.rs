//! Wrong arguments, broken files, outputs that exist, and runs that are ended.

use super::QUICK;
use crate::programs::{files, interrupted, program, run, said};
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

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
        (
            "synthesize_texture",
            &["absent.png"],
            &["error: cannot read `absent.png`: "],
        ),
        (
            "synthesize_texture",
            &["text.png"],
            &["error: cannot decode `text.png` as an image: "],
        ),
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
