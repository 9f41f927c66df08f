//! Runs that are killed at random moments.
//!
//! The test starts this program again for the test `child`, which makes a run that goes on from its
//! checkpoint, and kills it. `RANVGG_KILLS=50 cargo test --test suite killed::` kills more often.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use ranvgg::{Control, Outcome, Progress, RunOptions};

use super::{Folder, inversion, nearest_patches, saving};

const KILLS: &str = "RANVGG_KILLS";
const TASK: &str = "RANVGG_KILLED_TASK";
const FOLDER: &str = "RANVGG_KILLED_FOLDER";

/// More than a process makes before it is killed.
const EVALUATIONS: usize = 400;

fn run(task: &str, options: RunOptions) -> Outcome {
    // So that kills fall into evaluations and saves, and a run lasts for several.
    let mut slow = |_: &Progress<'_>| {
        sleep(Duration::from_millis(2));
        Control::Continue
    };
    let options = options.with_evaluations(EVALUATIONS);
    match task {
        "inversion" => inversion(options, &mut slow).unwrap(),
        _ => nearest_patches(options, &mut slow).unwrap(),
    }
}

fn bytes(outcome: &Outcome) -> Vec<u8> {
    let picture = outcome.picture();
    let values = picture.as_raw().iter();
    let mut bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
    for record in outcome.records() {
        bytes.extend(record.terms.iter().flat_map(|term| term.to_le_bytes()));
    }
    bytes
}

#[test]
#[ignore = "a part of the test below, which runs it in a process of its own"]
fn child() {
    let (Ok(task), Some(folder)) = (env::var(TASK), env::var_os(FOLDER)) else {
        return;
    };
    let folder = Path::new(&folder);
    let path = folder.join("run.safetensors");
    let mut options = saving(&path);
    if path.exists() {
        options = options.with_resume(&path);
    }
    let outcome = run(&task, options);
    assert!(outcome.checkpoint_failure().is_none());
    fs::write(folder.join("result"), bytes(&outcome)).unwrap();
}

#[test]
fn a_killed_run_ends_with_the_same_bits() {
    let kills: usize = env::var(KILLS).map_or(10, |kills| kills.parse().unwrap());
    let mut random = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let (mut killed, mut finished) = (0, 0);
    for task in ["inversion", "patches"] {
        let whole = bytes(&run(task, RunOptions::default()));
        let wanted = kills * (1 + finished.min(1)) / 2;
        while killed < wanted {
            let folder = Folder::new();
            // Until the run is done.
            while !folder.file("result").exists() {
                let mut child = Command::new(env::current_exe().unwrap())
                    .args(["--exact", "checkpointing::killed::child", "--ignored"])
                    .env(TASK, task)
                    .env(FOLDER, folder.0.path())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                random = random
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                if killed < wanted {
                    sleep(Duration::from_millis(50 + (random >> 33) % 700));
                    // SIGKILL, where there are signals.
                    child.kill().unwrap();
                }
                let status = child.wait().unwrap();
                assert!(status.success() || status.code().is_none(), "{status}");
                killed += usize::from(!status.success());
            }
            assert!(fs::read(folder.file("result")).unwrap() == whole, "{task}");
            finished += 1;
        }
    }
    println!("{killed} kills, {finished} runs");
}
