//! Limits that a shell or a batch system sets for a process: threads, time of a processor, sizes of files.

use crate::programs::{files, said};
use crate::{limited, made, picture, ranvgg, run};

const MADE: &str = "texture a.png --size 64 --device flex --evaluations 3 -q";

/// Stacks that no machine has room for stand for threads that the system refuses: where a limit counts them, it does so
/// for all processes of a user, and not for root.
#[test]
fn a_process_that_gets_no_threads_says_so() {
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "a.png");
    for line in [MADE, "style a.png a.png -q"] {
        let output = ranvgg(folder.path())
            .args(line.split(' '))
            .env("RUST_MIN_STACK", (1u64 << 50).to_string())
            .output()
            .unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(
            said.contains("cannot start the threads of the processor"),
            "{line}: {said}"
        );
        assert!(!said.contains("panicked"), "{line}: {said}");
        assert_eq!(files(folder.path()), ["a.png"]);
    }
}

/// Of eight threads that are asked for the system starts five or so. The picture is the same.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_gets_few_threads_makes_do_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let line = |output: &str| format!("{MADE} -o {output}");
    made(folder, &line("all.png").split(' ').collect::<Vec<_>>());
    let more = [("RAYON_NUM_THREADS", "8"), ("RUST_MIN_STACK", "200000000")];
    let output = limited(folder, "-v 1300000", &more, &line("few.png"));
    assert!(output.status.success(), "{}", said(&output));
    let pixels = |name: &str| image::open(folder.join(name)).unwrap();
    assert_eq!(pixels("few.png"), pixels("all.png"));
}

/// A picture of 64x64 is longer than 2 KiB.
#[test]
fn a_file_beyond_the_limit_is_an_error_of_that_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let there = files(folder);
    let output = limited(folder, "-f 2", &[], MADE);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("error: cannot write `texture.png`"),
        "{said}"
    );
    assert_eq!(files(folder), there);
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_whose_time_of_the_processor_is_used_up_keeps_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "texture --device flex --size 64 --evaluations 100000 -q";
    let output = limited(folder, "-St 1", &[], line);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(files(folder), ["texture.png"]);
}

/// Names of files cannot move a terminal's cursor, colour what follows or begin another line.
#[test]
fn control_characters_of_names_are_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let name = "\u{1b}[31m\n.png";
    picture(folder, name);
    std::fs::create_dir(folder.join("out")).unwrap();
    for line in [
        &["texture", name, "-o", "\u{1b}[2J.png", "--size", "32"][..],
        &["texture", name, "missing.png", "-o", "out/"],
        &["texture", "missing\u{1b}[2J.png"],
    ] {
        let line = [line, &["--device", "flex", "--evaluations", "1"]].concat();
        let output = run(folder, &line);
        let printed = [&output.stdout[..], &output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains("\\u001b["), "{line:?}: {printed}");
        assert!(!printed.contains('\u{1b}'), "{line:?}: {printed}");
    }
}
