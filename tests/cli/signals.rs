//! Runs that are ended from outside.

use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

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
