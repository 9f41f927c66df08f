//! Tests of the program `ranvgg` as a user meets it, in one program.

#[path = "../common/programs.rs"]
mod programs;

mod bad_inputs;
mod batches;
mod configuration;
mod devices;
mod drawn_lines;
mod help;
#[cfg(unix)]
mod limits;
mod maps;
#[cfg(target_os = "linux")]
mod memory;
mod metadata;
mod mistakes;
mod networks;
mod outputs;
mod picture_files;
mod pictures;
mod recall;
#[cfg(unix)]
mod signals;
mod times;
mod watch;

use std::path::Path;
use std::process::{Command, Output};
#[cfg(unix)]
use std::time::Duration;

use crate::programs::said;

const QUICK: [&str; 6] = ["--device", "flex", "--evaluations", "3", "--size", "64"];

/// The program, in a folder.
fn ranvgg(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ranvgg"));
    command.current_dir(folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    ranvgg(folder).args(arguments).output().unwrap()
}

/// The program under a limit of the shell, with these variables.
#[cfg(unix)]
fn limited(folder: &Path, limit: &str, variables: &[(&str, &str)], line: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_ranvgg");
    let script = format!("ulimit {limit} && exec \"{program}\" {line}");
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", &script]);
    command.envs(variables.iter().copied());
    let mut timed = assert_cmd::Command::from_std(command);
    timed.timeout(Duration::from_secs(60)).output().unwrap()
}

/// What a run prints on standard output; it succeeds.
fn made(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_cmd::assert::Assert::new(output.clone()).success();
    String::from_utf8(output.stdout).unwrap()
}

/// A run fails without a panic, and says all of this.
fn refused(folder: &Path, arguments: &[&str], expected: &[&str]) {
    let output = run(folder, arguments);
    let said = said(&output);
    assert!(
        matches!(output.status.code(), Some(1 | 2)),
        "{arguments:?}: {said}"
    );
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    for word in expected {
        assert!(said.contains(word), "{arguments:?}: no `{word}` in {said}");
    }
}

/// A small picture, in a file of this name.
fn picture(folder: &Path, name: &str) {
    image::RgbImage::from_fn(64, 64, |x, y| {
        image::Rgb([(x * 4) as u8, (y * 4) as u8, 90])
    })
    .save(folder.join(name))
    .unwrap();
}
