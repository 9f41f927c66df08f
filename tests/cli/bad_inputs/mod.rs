//! Bad inputs of every command, in tables: what must be refused and what must work all the same.
//!
//! Whatever is refused is named on a line of its own with the exit status of its kind, and is refused in
//! time, in little memory, and without a trace on disk. `cargo test --release --features cli --test cli
//! bad_inputs -- --nocapture` prints the figures of `docs/RELIABILITY.md`.

mod bytes;
mod checkpoints;
mod files;
mod options;
mod outputs;
mod recipes;
mod weights;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::ranvgg;

/// A refusal takes hundredths of a second; a loaded machine gets more.
const LONGEST: Duration = Duration::from_secs(10);

/// Most bytes of memory that a case may take.
const MOST: u64 = 500_000_000;

/// A command line.
pub(super) struct Case {
    line: Vec<OsString>,
    /// What the error says; none where the command works.
    says: Option<Vec<String>>,
}

impl Case {
    fn named(&self) -> String {
        let words = self.line.iter().map(|word| word.to_string_lossy());
        let line = words.collect::<Vec<_>>().join(" ");
        line.chars().take(120).collect()
    }
}

/// The words of a line.
fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

/// A line that is refused with all of these words.
pub(super) fn bad(line: &str, says: &[&str]) -> Case {
    bad_words(words(line), says)
}

pub(super) fn bad_words(line: Vec<OsString>, says: &[&str]) -> Case {
    let says = says.iter().map(ToString::to_string).collect();
    Case {
        line,
        says: Some(says),
    }
}

/// A line that works.
pub(super) fn good(line: &str) -> Case {
    good_words(words(line))
}

pub(super) fn good_words(line: Vec<OsString>) -> Case {
    Case { line, says: None }
}

/// How a case ended.
struct Ended {
    code: Option<i32>,
    said: String,
    took: Duration,
    bytes: u64,
}

/// Runs every case in `folder`; all that is wrong is told at the end.
pub(super) fn check(concept: &str, folder: &Path, cases: &[Case]) {
    let before = listing(folder);
    let mut wrong = Vec::new();
    let (mut slowest, mut largest) = ((Duration::ZERO, ""), (0, ""));
    let names: Vec<String> = cases.iter().map(Case::named).collect();
    for (case, name) in cases.iter().zip(&names) {
        let ended = run(folder, &case.line);
        slowest = slowest.max((ended.took, name));
        largest = largest.max((ended.bytes, name));
        let faults = faults(case, &ended);
        if !faults.is_empty() {
            wrong.push(format!("{name}: {}: {}", faults.join(", "), ended.said));
        }
        let after = listing(folder);
        if case.says.is_some() && after != before {
            let new: Vec<_> = after.iter().filter(|it| !before.contains(it)).collect();
            wrong.push(format!("{name}: it changed the folder: {new:?}"));
        }
        for (file, _) in after {
            if !before.iter().any(|(there, _)| *there == file) {
                fs::remove_file(folder.join(file)).unwrap();
            }
        }
    }
    println!(
        "bad inputs, {concept}: {} cases ({} work), slowest {:.2} s ({}), most memory {} MB ({})",
        cases.len(),
        cases.iter().filter(|case| case.says.is_none()).count(),
        slowest.0.as_secs_f64(),
        slowest.1,
        largest.0 / 1_000_000,
        largest.1,
    );
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

fn faults(case: &Case, ended: &Ended) -> Vec<String> {
    let mut faults = Vec::new();
    let said = &ended.said;
    if said.contains("panicked") {
        faults.push("a panic".to_owned());
    }
    if ended.took > LONGEST {
        faults.push(format!("it took {:?}", ended.took));
    }
    if ended.bytes > MOST {
        faults.push(format!("it took {} bytes", ended.bytes));
    }
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    let errors: Vec<&str> = errors.collect();
    let Some(says) = &case.says else {
        if ended.code != Some(0) || !errors.is_empty() {
            faults.push(format!("it failed with {:?}", ended.code));
        }
        return faults;
    };
    // The argument parser shows the usage below its line.
    let parsed = ended.code == Some(2);
    let [error] = errors[..] else {
        faults.push(format!("{} lines are errors", errors.len()));
        return faults;
    };
    if !(parsed || ended.code == Some(1) && said.ends_with(&format!("{error}\n"))) {
        faults.push(format!("status {:?}, or not the last line", ended.code));
    }
    let where_said = if parsed { said } else { error };
    for word in says {
        if !where_said.contains(word) {
            faults.push(format!("no `{word}`"));
        }
    }
    faults
}

fn run(folder: &Path, line: &[OsString]) -> Ended {
    let begin = Instant::now();
    let mut child = ranvgg(folder)
        .args(line)
        // Graphics drivers complain where it is not set.
        .env("XDG_RUNTIME_DIR", folder)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut bytes = 0;
    // What a case says fits into a pipe.
    while child.try_wait().unwrap().is_none() {
        bytes = bytes.max(memory(&child));
        if begin.elapsed() > LONGEST {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = begin.elapsed();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        took,
        bytes,
    }
}

/// Most bytes that a process has held so far, where the system tells. The kernel's figure of a child that
/// has ended would count this program's own memory before the child began.
fn memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The files of a folder, with those of folders in it, and the lengths of regular ones.
fn listing(folder: &Path) -> Vec<(OsString, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        let length = match kind.is_file() {
            true => entry.metadata().unwrap().len(),
            false => 0,
        };
        all.push((entry.file_name(), length));
        if kind.is_dir() {
            let inside = listing(&entry.path());
            all.extend(inside.into_iter().map(|(name, length)| {
                let name = Path::new(&entry.file_name()).join(name);
                (name.into_os_string(), length)
            }));
        }
    }
    all.sort();
    all
}

/// A named pipe; no one writes to it.
#[cfg(unix)]
pub(super) fn pipe(folder: &Path, name: &str) {
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join(name))
        .status();
    assert!(made.unwrap().success());
}
