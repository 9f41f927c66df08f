//! Programs run as a user runs them, and the files that they leave.

#![allow(dead_code)] // each test program uses its part

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::time::{Duration, Instant};

/// An example's binary. `cargo test` builds examples beside the tests.
pub(crate) fn program(name: &str) -> Command {
    let folder = std::env::current_exe().unwrap();
    let folder = folder.parent().unwrap().parent().unwrap().join("examples");
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is not built: run all of `cargo test`",
        path.display()
    );
    Command::new(path)
}

pub(crate) fn run(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    program(name)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

/// Such a call fails, and says what is wrong with it.
pub(crate) fn assert_refused(name: &str, folder: &Path, arguments: &[&str], named: &str) {
    let output = run(name, folder, arguments);
    assert!(!output.status.success(), "{arguments:?}");
    assert!(
        said(&output).contains(named),
        "{arguments:?}: {}",
        said(&output)
    );
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn bundled(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/images")
        .join(name)
}

pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Presses Ctrl-C, and waits for the program to end.
#[cfg(unix)]
pub(crate) fn interrupted(child: &mut Child) -> ExitStatus {
    ended_by(child, "-INT")
}

/// Sends a signal, and waits for the program to end.
#[cfg(unix)]
pub(crate) fn ended_by(child: &mut Child, signal: &str) -> ExitStatus {
    let id = child.id().to_string();
    let killed = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(killed.success());
    let asked = Instant::now();
    while child.try_wait().unwrap().is_none() {
        let waited = asked.elapsed();
        assert!(waited < Duration::from_secs(60), "it does not stop");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.wait().unwrap()
}
