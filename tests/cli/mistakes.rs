//! Outputs that are there or take no files; `bad_inputs` has what else can be wrong.

use std::fs;

use crate::programs::said;
use crate::{QUICK, made, refused, run};

#[test]
fn an_output_is_overwritten_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.png");
    fs::write(&there, b"precious").unwrap();
    let arguments = [&["texture", "-o", "there.png"], &QUICK[..]].concat();
    refused(folder.path(), &arguments, &["there.png", "--force"]);
    assert_eq!(fs::read(&there).unwrap(), b"precious");
    made(folder.path(), &[&arguments[..], &["--force"]].concat());
    assert!(image::open(&there).is_ok());
}

#[test]
fn a_folder_that_takes_no_files_is_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let mut permissions = fs::metadata(&closed).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&closed, permissions.clone()).unwrap();
    // Whoever may write everywhere, and Windows, do not mind.
    if fs::write(closed.join("probe"), "").is_err() {
        refused(
            folder.path(),
            &["texture", "-o", "closed/out.png"],
            &["closed/out.png"],
        );
        refused(
            folder.path(),
            &["network", "recipe", "-o", "closed/net.json"],
            &["closed/net.json"],
        );
    }
    #[allow(clippy::permissions_set_readonly_false)] // of a temporary folder
    permissions.set_readonly(false);
    fs::set_permissions(&closed, permissions).unwrap();
}

#[test]
fn quiet_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &[&["texture", "--quiet"], &QUICK[..]].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}
