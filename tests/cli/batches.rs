//! Several inputs, one after another.

use std::fs;

use crate::programs::{files, said};
use crate::{made, picture, refused, run};

const SMALL: [&str; 6] = ["--device", "flex", "--evaluations", "2", "--size", "32"];

#[test]
fn every_input_becomes_a_file_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["moss.png", "stone.jpg"] {
        picture(folder.path(), name);
    }
    let arguments = [
        &["texture", "moss.png", "stone.jpg", "-o", "out/"],
        &SMALL[..],
    ]
    .concat();
    made(folder.path(), &arguments);
    let out = folder.path().join("out");
    assert_eq!(files(&out), ["moss.png", "stone.png"]);
    // Again, nothing is made: one of them is there.
    fs::remove_file(out.join("moss.png")).unwrap();
    refused(folder.path(), &arguments, &["stone.png", "--force"]);
    assert_eq!(files(&out), ["stone.png"]);
    // A folder that is still to be made is not made for nothing.
    let wrong = ["texture", "moss.png", "-o", "new/", "--layers", "conv9_9"];
    refused(folder.path(), &wrong, &["conv9_9"]);
    assert!(!folder.path().join("new").exists());
    // Of one input and two seeds.
    let arguments = [
        &["texture", "moss.png", "-o", "out", "--variations", "2"],
        &SMALL[..],
    ]
    .concat();
    made(folder.path(), &arguments);
    assert_eq!(files(&out), ["moss-0.png", "moss-1.png", "stone.png"]);
}

#[test]
fn a_bad_file_does_not_keep_the_others_from_being_made() {
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "a.png");
    fs::write(folder.path().join("b.png"), "no picture").unwrap();
    picture(folder.path(), "c.png");
    let inputs = ["a.png", "b.png", "absent.png", "c.png"];
    for command in ["texture", "invert"] {
        let flags = match command {
            "texture" => &SMALL[..],
            _ => &SMALL[..4],
        };
        let out = format!("{command}/");
        let arguments = [&[command], &inputs[..], &["--json", "-o", &out], flags].concat();
        let output = run(folder.path(), &arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(files(&folder.path().join(command)), ["a.png", "c.png"]);
        assert!(said.contains("error: cannot decode `b.png`"), "{said}");
        assert!(
            said.ends_with("2 of 4 inputs failed:\n  b.png\n  absent.png\n"),
            "{said}"
        );
        let lines = String::from_utf8(output.stdout).unwrap();
        let objects: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(objects.len(), 4, "{lines}");
        assert!(objects[1]["error"].as_str().unwrap().contains("b.png"));
        assert_eq!(objects[3]["inputs"][0], "c.png");
    }
}
