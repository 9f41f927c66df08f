//! Runs that are ended from outside.

use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::programs::{ended_by, files};
use crate::{picture, ranvgg};

/// A run that takes longer than any test waits.
fn start_long_run(folder: &Path, more: &[&str]) -> Child {
    ranvgg(folder)
        .args([
            "texture",
            "--device",
            "flex",
            "--size",
            "64",
            "--evaluations",
            "100000",
        ])
        .args(more)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn ended(child: &mut Child, signal: &str) -> ExitStatus {
    std::thread::sleep(Duration::from_millis(2500));
    ended_by(child, signal)
}

/// Killed without warning, a run leaves no output and no rubbish.
#[test]
fn a_killed_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_long_run(folder.path(), &[]);
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

/// Asked to end, by Ctrl-C or otherwise, a run writes the picture so far.
#[test]
fn an_interrupted_run_keeps_its_picture() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start_long_run(folder.path(), &[]);
        assert!(ended(&mut child, signal).success(), "{signal}");
        let image = image::open(folder.path().join("texture.png")).unwrap();
        assert_eq!((image.width(), image.height()), (64, 64));
    }
}

/// Not all that was asked for is there then, and the exit status tells.
#[test]
fn an_interrupted_batch_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_long_run(folder.path(), &["--variations", "3"]);
    assert_eq!(ended(&mut child, "-INT").code(), Some(130));
    assert_eq!(files(folder.path()), ["texture-0.png"]);
    let inputs = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png"] {
        picture(inputs.path(), name);
    }
    let mut child = start_long_run(inputs.path(), &["a.png", "b.png", "-o", "out/"]);
    assert_eq!(ended(&mut child, "-TERM").code(), Some(130));
    assert_eq!(files(&inputs.path().join("out")), ["a.png"]);
}

/// Runs side by side all end, each with its picture; what was not begun is not there.
#[test]
fn interrupted_runs_side_by_side_all_keep_what_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let spread = ["--variations", "3", "--device", "flex,flex"];
    let mut child = ranvgg(folder.path())
        .args(["texture", "--size", "64", "--evaluations", "100000"])
        .args(spread)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(ended(&mut child, "-INT").code(), Some(130));
    assert_eq!(files(folder.path()), ["texture-0.png", "texture-1.png"]);
}

/// Waits until a run has written a file.
fn wait_for(folder: &Path, name: &str, child: &mut Child) {
    let begin = Instant::now();
    while !folder.join(name).exists() {
        assert!(child.try_wait().unwrap().is_none(), "it should still run");
        assert!(begin.elapsed() < Duration::from_secs(60), "no {name}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What has been made is kept, by every command and for every signal; its checkpoint goes on from there.
#[test]
fn every_command_keeps_what_it_has_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    picture(folder, "a_height.png");
    let saving = "--checkpoint run.safetensors --checkpoint-every 0.01";
    for (line, signal, made) in [
        ("invert a.png --layer conv1_1", "-TERM", "inverted.png"),
        ("style a.png a.png", "-HUP", "styled.png"),
        ("maps a_height.png", "-TERM", "a-made"),
    ] {
        let mut child = ranvgg(folder)
            .args(line.split(' ').chain(saving.split(' ')))
            .args(["--device", "flex", "--evaluations", "100000"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(folder, "run.safetensors", &mut child);
        assert!(ended_by(&mut child, signal).success(), "{line}");
        let there = ["a.png", "a_height.png", made, "run.safetensors"];
        let mut there = there.to_vec();
        there.sort_unstable();
        assert_eq!(files(folder), there);
        let resume = [
            "resume",
            "run.safetensors",
            "--force",
            "-q",
            "--evaluations",
        ];
        // It has used more than so many, so it has nothing left to do but to write.
        crate::made(folder, &[&resume[..], &["1"]].concat());
        match folder.join(made).is_dir() {
            true => std::fs::remove_dir_all(folder.join(made)).unwrap(),
            false => std::fs::remove_file(folder.join(made)).unwrap(),
        }
        std::fs::remove_file(folder.join("run.safetensors")).unwrap();
    }
    // Scores are kept in the report; there is no network yet.
    let line =
        "network choose a.png --in-size 32 --device flex --candidates 1000 --report all.json";
    let mut child = ranvgg(folder)
        .args(line.split(' '))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(folder, "all.json", &mut child);
    assert_eq!(ended_by(&mut child, "-TERM").code(), Some(130));
    assert_eq!(files(folder), ["a.png", "a_height.png", "all.json"]);
    let report = std::fs::read(folder.join("all.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert!(!report["candidates"].as_array().unwrap().is_empty());
}

/// A writer that was killed leaves its unfinished file. The next one clears it away when it is a day old:
/// a younger one may still be written.
#[test]
fn unfinished_files_are_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let day = Duration::from_secs(24 * 3600);
    for (name, age) in [
        (".ranvgg-old.tmp", day * 2),
        (".ranvgg-new.tmp", day / 2),
        (".ranvgg-other", day * 2),
        ("ranvgg-mine.tmp", day * 2),
    ] {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - age)
            .unwrap();
    }
    std::fs::create_dir(folder.join(".ranvgg-folder.tmp")).unwrap();
    crate::made(folder, &["network", "recipe", "-o", "net.json"]);
    let left = [
        ".ranvgg-folder.tmp",
        ".ranvgg-new.tmp",
        ".ranvgg-other",
        "net.json",
        "ranvgg-mine.tmp",
    ];
    assert_eq!(files(folder), left);
}
