//! Checkpoints that are cut off, damaged or forged, and pictures that lie about how they were made.

use std::fs;
use std::path::Path;

use ranvgg::IfExists;
use ranvgg::imaging::{self, Provenance};
use serde_json::{Value, json};

use crate::{made, picture};

use super::bytes::{Parts, write};
use super::{Case, bad, check, good};

/// The checkpoint of a run that has ended.
fn checkpoint(folder: &Path, command: &str) -> Vec<u8> {
    let rest = "a.png --device flex --evaluations 12 --checkpoint run.safetensors -o made.png -q";
    let line: Vec<&str> = command.split(' ').chain(rest.split(' ')).collect();
    made(folder, &line);
    let bytes = fs::read(folder.join("run.safetensors")).unwrap();
    for file in ["run.safetensors", "made.png"] {
        fs::remove_file(folder.join(file)).unwrap();
    }
    bytes
}

fn resume(file: &str) -> String {
    format!("resume {file} --evaluations 14 -o made.png -q")
}

/// Takes the place of a run's parts, and what is said of it; nothing where the run goes on.
type Forgery = (&'static str, fn(&mut Parts), &'static str);

fn set(parts: &mut Parts, pointer: &str, value: Value) {
    *parts.run.pointer_mut(pointer).unwrap() = value;
}

fn fill(parts: &mut Parts, name: &str, value: f32) {
    let (shape, values) = parts.values(name);
    parts.set(name, &shape, &vec![value; values.len()]);
}

const FORGERIES: [Forgery; 30] = [
    (
        "picture-nan",
        |it| fill(it, "picture", f32::NAN),
        "`picture` holds NaN; allowed: finite",
    ),
    (
        "picture-one",
        |it| it.set("picture", &[1, 1, 3], &[0.5; 3]),
        "size of its scale",
    ),
    (
        "picture-flat",
        |it| it.set("picture", &[4, 4], &[0.5; 16]),
        "`picture` is no picture",
    ),
    (
        "picture-empty",
        |it| it.set("picture", &[0, 48, 3], &[]),
        "`picture` is no picture",
    ),
    (
        "picture-gone",
        |it| it.tensors.retain(|it| it.0 != "picture"),
        "it has no `picture`",
    ),
    (
        "vector-nan",
        |it| fill(it, "vector.00001", f32::NAN),
        "`vector.00001` holds NaN",
    ),
    (
        "vector-infinite",
        |it| fill(it, "vector.00000", f32::INFINITY),
        "`vector.00000` holds inf",
    ),
    (
        "vector-short",
        |it| it.set("vector.00002", &[1], &[0.0]),
        "the optimiser's vectors",
    ),
    (
        "vector-gone",
        |it| it.tensors.retain(|it| it.0 != "vector.00000"),
        "the optimiser's vectors",
    ),
    (
        "vector-more",
        |it| it.set("vector.00099", &[1], &[0.0]),
        "the optimiser's vectors",
    ),
    (
        "records-count",
        |it| it.set_records(&[0.0, 1.0, 0.1, 1e300]),
        "records are incomplete",
    ),
    (
        "records-nan",
        |it| it.set_records(&[f64::NAN; 5]),
        "records are incomplete",
    ),
    (
        "records-below",
        |it| it.set_records(&[-1.0, -1.0, -1.0, 0.0]),
        "records are incomplete",
    ),
    (
        "records-short",
        |it| it.set_records(&[0.0, 1.0, 0.1, 5.0, 1.0]),
        "records are incomplete",
    ),
    (
        "records-gone",
        |it| it.tensors.retain(|it| it.0 != "records"),
        "it has no `records`",
    ),
    (
        "memory-gone",
        |it| it.tensors.retain(|it| it.0 != "memory"),
        "it has no `memory`",
    ),
    (
        "scale",
        |it| set(it, "/progress/scale", json!(99)),
        "size of its scale",
    ),
    (
        "scale-huge",
        |it| set(it, "/progress/scale", json!(u64::MAX)),
        "a number that no run reaches",
    ),
    (
        "scale-below",
        |it| set(it, "/progress/scale", json!(-1)),
        "integer `-1`",
    ),
    (
        "time",
        |it| set(it, "/progress/elapsed/secs", json!(u64::MAX)),
        "a number that no run reaches",
    ),
    (
        "counts-huge",
        |it| set(it, "/progress/counts/evaluations", json!(u64::MAX)),
        "a number that no run reaches",
    ),
    (
        "time-long",
        |it| set(it, "/progress/elapsed/secs", json!(4_000_000_000u64)),
        "allowed: a century",
    ),
    (
        "time-below",
        |it| set(it, "/progress/elapsed/secs", json!(-1)),
        "integer `-1`",
    ),
    (
        "optimiser",
        |it| set(it, "/optimiser", json!([])),
        "cannot use",
    ),
    (
        "version",
        |it| set(it, "/identity/version", json!("9.9.9")),
        "the checkpoint has 9.9.9",
    ),
    (
        "task",
        |it| set(it, "/identity/task", json!("maps")),
        "the checkpoint has maps",
    ),
    (
        "note",
        |it| set(it, "/note", json!("text")),
        "was not written by this program",
    ),
    (
        "note-other",
        |it| set(it, "/note", json!("[\"network\", \"export\"]")),
        "makes no picture",
    ),
    (
        "note-force",
        |it| set(it, "/note", json!("[\"texture\", \"--force\"]")),
        "\"--force\"",
    ),
    // Absurd, but no run depends on it: at most it stops early.
    (
        "counts",
        |it| set(it, "/progress/counts/evaluations", json!(1_000_000)),
        "",
    ),
];

#[test]
fn forged_checkpoints_are_refused_by_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let mut cases: Vec<Case> = Vec::new();
    for (task, command) in [
        ("texture", "texture --size 32"),
        ("invert", "invert --layer conv1_1"),
    ] {
        let parts = Parts::of(&checkpoint(folder, command));
        let same = format!("{task}-same.safetensors");
        write(folder, &same, parts.file());
        cases.push(good(&resume(&same)));
        for (name, forge, says) in FORGERIES {
            let mut parts = parts.clone();
            forge(&mut parts);
            let file = format!("{task}-{name}.safetensors");
            write(folder, &file, parts.file());
            cases.push(match says {
                "" => good(&resume(&file)),
                _ => bad(&resume(&file), &[&format!("`{file}`"), says]),
            });
        }
    }
    // A run that goes on writes to its checkpoint: each has its own, and these are not compared.
    let (working, refused): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| case.says.is_none());
    check("forged checkpoints", folder, &refused);
    check("forged checkpoints that go on", folder, &working);
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let whole = checkpoint(folder, "texture --size 32");
    let header = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let mut cases: Vec<Case> = Vec::new();
    let mut damaged = |name: String, bytes: &[u8]| {
        write(folder, &name, bytes);
        cases.push(bad(
            &resume(&name),
            &[&format!("cannot use `{name}` as a checkpoint")],
        ));
    };
    for length in [
        0,
        1,
        7,
        8,
        9,
        100,
        header / 2,
        header + 8,
        whole.len() / 2,
        whole.len() - 1,
    ] {
        damaged(format!("cut-{length}.safetensors"), &whole[..length]);
    }
    for place in [
        0,
        3,
        7,
        8,
        9,
        60,
        header / 2,
        header + 8,
        whole.len() / 2,
        whole.len() - 1,
    ] {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x40;
        damaged(format!("flip-{place}.safetensors"), &bytes);
    }
    let huge = [&(1u64 << 60).to_le_bytes()[..], &whole[8..]].concat();
    damaged("header.safetensors".into(), &huge);
    damaged("text.safetensors".into(), b"no checkpoint");
    cases.push(bad(
        "resume absent.safetensors",
        &["cannot read `absent.safetensors`"],
    ));
    cases.push(bad("resume a.png", &["`a.png` as a checkpoint"]));
    #[cfg(unix)]
    {
        super::pipe(folder, "pipe.safetensors");
        let kinds = [
            ("pipe.safetensors", "a pipe (FIFO); allowed: regular files"),
            ("/dev/zero", "a character device; allowed: regular files"),
            (".", "a folder; allowed: regular files"),
        ];
        for (file, kind) in kinds {
            cases.push(bad(&format!("resume {file}"), &[file, kind]));
            let line = format!("texture a.png --device flex -o made.png --resume {file}");
            cases.push(bad(&line, &[file, kind]));
            let line = format!("texture a.png --device flex -o made.png --checkpoint {file}");
            cases.push(bad(&line, &[file, kind]));
        }
        // A file without content that is longer than memory; not every file system has such files.
        let sparse = folder.join("sparse.safetensors");
        fs::write(&sparse, &whole).unwrap();
        let file = fs::File::options().write(true).open(&sparse).unwrap();
        if file.set_len(1 << 42).is_ok() {
            cases.push(bad(
                &resume("sparse.safetensors"),
                &["`sparse.safetensors`", "its tensors should have"],
            ));
        }
    }
    check("damaged checkpoints", folder, &cases);
}

#[test]
fn forged_provenance_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let image = image::open(folder.join("a.png")).unwrap();
    let lines: [(&[&str], &str); 12] = [
        (&[], "makes no picture"),
        (&["network", "export", "--output=a.png"], "makes no picture"),
        (&["again", "line-1.png"], "makes no picture"),
        (&["texture", "--force"], "has \"--force\""),
        (&["texture", "--output=a.png"], "has \"--output=a.png\""),
        (&["texture", "-o", "a.png"], "has \"-o\""),
        (&["texture", "-fo", "a.png"], "has \"-fo\""),
        (
            &["style", "--config=other.toml"],
            "has \"--config=other.toml\"",
        ),
        (
            &["invert", "--checkpoint=a.png"],
            "has \"--checkpoint=a.png\"",
        ),
        (&["texture", "--", "a.png"], "has \"--\""),
        (&["texture", "--variations=9"], "has \"--variations=9\""),
        (
            &["texture", "--output=\u{1b}[2J"],
            "has \"--output=\\u{1b}[2J\"",
        ),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (number, (words, says)) in lines.into_iter().enumerate() {
        for ending in ["png", "jpg", "tif"] {
            let file = format!("line-{number}.{ending}");
            let told = Provenance::of("texture").with_arguments(words);
            imaging::save_with(&image, folder.join(&file), IfExists::Refuse, &told).unwrap();
            cases.push(bad(&format!("again {file}"), &[&file, says]));
        }
    }
    // Inputs that are no pictures, and that are not what they were.
    let mut inputs = vec![("absent.png", "`absent.png`")];
    if cfg!(unix) {
        inputs.push(("/dev/zero", "a character device"));
    }
    inputs.push(("a.png", "\"a.png\" is not what"));
    for (number, (path, says)) in inputs.into_iter().enumerate() {
        let told = json!({
            "version": "0.1.0",
            "task": "texture",
            "arguments": ["texture", path],
            "inputs": [{ "path": path, "bytes": 1, "sha256": "00" }],
        });
        let told: Provenance = serde_json::from_value(told).unwrap();
        let file = format!("input-{number}.png");
        imaging::save_with(&image, folder.join(&file), IfExists::Refuse, &told).unwrap();
        cases.push(bad(&format!("again {file}"), &[says]));
    }
    check("forged provenance", folder, &cases);
}
