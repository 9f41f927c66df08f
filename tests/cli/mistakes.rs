//! Wrong arguments, broken files, and outputs that cannot be written.

use std::fs;

use crate::programs::{bundled, files, said};
use crate::{QUICK, made, picture, refused, run};

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

/// Each mistake is named with its value and what is allowed, nothing is written, and no panic is shown.
#[test]
fn mistakes_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.png"), "no picture").unwrap();
    fs::write(folder.path().join("empty.png"), "").unwrap();
    fs::create_dir(folder.path().join("folder.png")).unwrap();
    let before = files(folder.path());
    let mistakes: [(&[&str], &[&str]); 34] = [
        (
            &["texture", "absent.png"],
            &["error: cannot read `absent.png`: "],
        ),
        (
            &["texture", "text.png"],
            &["error: cannot decode `text.png` as an image: "],
        ),
        (&["texture", "empty.png"], &["empty.png"]),
        (&["texture", "--size", "0"], &["0", "1 to 16384"]),
        (&["texture", "--size", "10x-3"], &["-3", "1 to 16384"]),
        (
            &["texture", "--layers", "conv1_1,conv5_9"],
            &["conv5_9", "conv5_1"],
        ),
        (
            &["texture", "--evaluations", "0"],
            &["--evaluations", "'0'", "from 1 to 1000000"],
        ),
        (
            &["texture", "--evaluations", "9223372036854775808"],
            &["--evaluations", "1 to 1000000"],
        ),
        (&["texture", "--scales", "0"], &["--scales", "from 1 to 15"]),
        (
            &["texture", "--tv-weight=-1"],
            &["--tv-weight", "`-1`", "from 0 up"],
        ),
        (
            &["texture", "--tv-weight", "1"],
            &["--tv-weight is 1", "--statistics `resampled`"],
        ),
        (
            &["texture", "--device", "quantum"],
            &["quantum", "flex", "wgpu"],
        ),
        (&["texture", "--padding", "mirror"], &["mirror", "reflect"]),
        (
            &["texture", "-o", "no/such/folder/out.png"],
            &["no/such/folder"],
        ),
        (&["texture", "-o", "no/such/folder/"], &["no/such/folder"]),
        (&["texture", "-o", "out.webp"], &["out.webp", ".png"]),
        (&["texture", "-o", "out"], &["`out`", ".png"]),
        (
            &["texture", "-o", "out.jpg", "--sixteen"],
            &["--sixteen", "out.jpg", ".tif"],
        ),
        (
            &["texture", "--size", "16384", "--device", "flex"],
            &["GiB", "16384x16384", "free"],
        ),
        (
            &[
                "texture",
                "--seed",
                "18446744073709551615",
                "--variations",
                "3",
            ],
            &[
                "--seed is 18446744073709551615",
                "--variations 3",
                "18446744073709551613",
            ],
        ),
        (
            &["texture", "--seconds", "0"],
            &["`0` is not a number of seconds"],
        ),
        (&["texture", "--weights", "1,0"], &["--weights", "above 0"]),
        (&["invert", "--layer", "fc6", "--size"], &["--size"]),
        (
            &["invert", "--layer", "fc6", "--in-size", "64"],
            &["224x224"],
        ),
        (&["invert", "--layer", "conv9_9"], &["conv9_9"]),
        (
            &["style", "--style-weight", "0"],
            &["--style-weight", "`0`"],
        ),
        (
            &["time", "--device", "flex", "--runs", "0"],
            &["--runs", "'0'"],
        ),
        (
            &["texture", "--device", "flex", "--precision", "half"],
            &["--precision", "half", "flex"],
        ),
        (&["invert", "--precision", "double"], &["single", "half"]),
        (
            &["network", "export", "-o", "no/such/net.safetensors"],
            &["no/such"],
        ),
        (
            &["network", "export", "-o", "folder.png", "--force"],
            &["folder.png", "is a folder"],
        ),
        (
            &["network", "choose", "--candidates", "0"],
            &["--candidates", "'0'"],
        ),
        (
            &["network", "recipe", "--recipe", "text.png"],
            &["text.png", "recipe"],
        ),
        (&["man", "text.png"], &["text.png"]),
    ];
    for (arguments, expected) in mistakes {
        refused(folder.path(), arguments, expected);
    }
    let long = format!("{}.png", "n".repeat(300));
    refused(
        folder.path(),
        &["texture", "-o", &long],
        &["cannot write `nnn"],
    );
    assert_eq!(files(folder.path()), before);
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
fn flags_that_do_not_go_together_are_named() {
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "a.png");
    let cat = bundled("cat.png");
    let cat = cat.to_str().unwrap();
    let wrong: [(&[&str], &str); 10] = [
        (
            &["a.png", "--weights", "1,2"],
            "--weights has 2 numbers for 1 pictures",
        ),
        (&["a.png", "--statistics", "mode"], "--statistics"),
        (&["a.png", "--fill", "a.png"], "--mask"),
        (&["a.png", "--tile", "--padding", "zero"], "--padding"),
        (&["a.png", "--fill", "a.png", "--mask", cat], "the mask"),
        (&["a.png", "a.png"], "--mix"),
        (&["a.png", "a.png", "-o", "out.png"], "--mix"),
        (&["a.png", "--variations", "2", "-o", "-"], "-o -"),
        (&["a.png", "--json", "-o", "-"], "--json"),
        (&["a.png", "a.png", "-o", "./", "--force"], "two results"),
    ];
    for (arguments, named) in wrong {
        let arguments = [&["texture"], arguments].concat();
        refused(folder.path(), &arguments, &[named]);
    }
    assert_eq!(files(folder.path()), ["a.png"]);
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
