//! Weight files that are broken, lie about their lengths, or would run something.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use crate::picture;

use super::bytes::{safetensors, write};
use super::{Case, bad, check, good};

const WEIGHT: &str = "features.0.weight";

/// A header of one tensor.
fn one(dtype: &str, shape: &str, offsets: &str) -> Vec<u8> {
    format!(r#"{{"{WEIGHT}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
        .into()
}

/// A whole number of a pickle.
fn number(value: i128) -> Vec<u8> {
    [&[0x8a, 16][..], &value.to_le_bytes()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [
        b"X",
        &(text.len() as u32).to_le_bytes()[..],
        text.as_bytes(),
    ]
    .concat()
}

fn tuple(values: &[i128]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| number(*value)).collect();
    [b"(", &values[..], b"t"].concat()
}

/// What `torch.save` writes of a tensor that is a view of a storage of `count` numbers.
fn tensor(count: i128, offset: i128, shape: &[i128], stride: &[i128]) -> Vec<u8> {
    [
        b"\x80\x02}".to_vec(),
        text(WEIGHT),
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        number(count),
        b"tQ".to_vec(),
        number(offset),
        tuple(shape),
        tuple(stride),
        b"\x89ccollections\nOrderedDict\n)RtRs.".to_vec(),
    ]
    .concat()
}

/// A pickle that runs a command of the shell when Python reads it.
fn command(line: &str, inside: bool) -> Vec<u8> {
    let call = [b"cposix\nsystem\n", &text(line)[..], b"\x85R"].concat();
    match inside {
        false => [b"\x80\x02", &call[..], b"."].concat(),
        true => [b"\x80\x02}", &text(WEIGHT)[..], &call, b"s."].concat(),
    }
}

/// An archive of stored entries, as `torch.save` writes it.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut index) = (Cursor::new(Vec::new()), Vec::new());
    for (name, content) in entries {
        let place = bytes.position() as u32;
        let length = (content.len() as u32).to_le_bytes();
        let about = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc32fast::hash(content).to_le_bytes(),
            &length,
            &length,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        bytes.write_all(b"PK\x03\x04").unwrap();
        bytes.write_all(&about).unwrap();
        bytes.write_all(name.as_bytes()).unwrap();
        bytes.write_all(content).unwrap();
        index.extend(b"PK\x01\x02\x14\0");
        index.extend(about);
        index.extend([0; 10]);
        index.extend(place.to_le_bytes());
        index.extend(name.as_bytes());
    }
    let place = bytes.position() as u32;
    let count = (entries.len() as u16).to_le_bytes();
    let length = (index.len() as u32).to_le_bytes();
    bytes.write_all(&index).unwrap();
    let end = [
        b"PK\x05\x06\0\0\0\0",
        &count[..],
        &count,
        &length,
        &place.to_le_bytes(),
        &[0, 0],
    ];
    bytes.write_all(&end.concat()).unwrap();
    bytes.into_inner()
}

fn saved(pickle: &[u8]) -> Vec<u8> {
    archive(&[
        ("archive/data.pkl", pickle),
        ("archive/version", b"3\n"),
        ("archive/byteorder", b"little"),
        ("archive/data/0", &[0; 16]),
    ])
}

fn line(file: &str) -> String {
    format!(
        "invert a.png --layer conv1_1 --device flex --evaluations 1 -o made.png --weights-file {file}"
    )
}

#[test]
fn weights_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let touched = folder.join("executed");
    let shell = format!("touch {}", touched.display());
    let length = |length: u64| [&length.to_le_bytes()[..], b"{}"].concat();
    let data = [0; 16];
    let lost = format!("`{WEIGHT}` of the weights is missing");
    let shape = format!("`{WEIGHT}` has shape");
    let mut files: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty.safetensors", Vec::new(), "as weights"),
        ("text.pth", b"no weights at all".to_vec(), "as weights"),
        // Lengths that are not there.
        ("header.safetensors", length(1 << 60), "header too large"),
        ("most.safetensors", length(u64::MAX), "header too large"),
        ("none.safetensors", safetensors(b"{}", &[]), &lost),
        (
            "json.safetensors",
            safetensors(b"{ no json", &[]),
            "invalid JSON",
        ),
        (
            "nested.safetensors",
            safetensors(&[&b"{\"a\":"[..], &[b'['; 100_000]].concat(), &[]),
            "recursion",
        ),
        (
            "product.safetensors",
            safetensors(
                &one("F32", "[1099511627776,1099511627776]", "[0,16]"),
                &data,
            ),
            "overflow",
        ),
        (
            "beyond.safetensors",
            safetensors(&one("F32", "[64,3,3,3]", "[0,4611686018427387904]"), &data),
            "as weights",
        ),
        (
            "reversed.safetensors",
            safetensors(&one("F32", "[4]", "[16,0]"), &data),
            "offset",
        ),
        (
            "nothing.safetensors",
            safetensors(&one("F32", "[0,9223372036854775808]", "[0,0]"), &[]),
            &shape,
        ),
        (
            "shape.safetensors",
            safetensors(&one("F32", "[4]", "[0,16]"), &data),
            &shape,
        ),
        (
            "whole.safetensors",
            safetensors(&one("I64", "[2]", "[0,16]"), &data),
            "I64; allowed: F16, BF16",
        ),
        // Pickles: what they call is not called.
        ("call.pth", command(&shell, false), "as weights"),
        ("calls.pth", command(&shell, true), &lost),
        ("archived.pth", saved(&command(&shell, false)), "as weights"),
        ("inside.pth", saved(&command(&shell, true)), &lost),
        ("view.pth", saved(&tensor(4, 0, &[4], &[1])), &shape),
        (
            "view-product.pth",
            saved(&tensor(1 << 62, 0, &[1 << 40, 1 << 40], &[1, 1])),
            "overflow",
        ),
        (
            "view-huge.pth",
            saved(&tensor(1 << 60, 0, &[1 << 60], &[1])),
            "byte limit",
        ),
        (
            "view-offset.pth",
            saved(&tensor(4, 1 << 62, &[4], &[1])),
            "declares 4",
        ),
        (
            "view-below.pth",
            saved(&tensor(-1, -5, &[-1], &[-1])),
            "non-negative",
        ),
        (
            "view-stride.pth",
            saved(&tensor(4, 0, &[64, 3, 3, 3], &[1 << 60; 4])),
            "overflow",
        ),
        (
            "memo.pth",
            b"\x80\x02r\xff\xff\xff\x7f.".to_vec(),
            "as weights",
        ),
        (
            "string.pth",
            b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.".to_vec(),
            "as weights",
        ),
        (
            "marks.pth",
            [b"\x80\x02", &[b'('; 1_000_000][..], b"."].concat(),
            "as weights",
        ),
        (
            "lists.pth",
            [b"\x80\x02", &[b']'; 300_000][..], &[b'a'; 299_999], b"."].concat(),
            "1000 levels",
        ),
        (
            "doubled.pth",
            [b"\x80\x02]", &b"2\x86".repeat(60)[..], b"."].concat(),
            "as weights",
        ),
    ];
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let alexnet = fs::read(golden.join("alexnet.pth")).unwrap();
    for (name, length) in [
        ("cut-1.pth", 1),
        ("cut-4.pth", 4),
        ("cut-100.pth", 100),
        ("cut-half.pth", alexnet.len() / 2),
        ("cut-end.pth", alexnet.len() - 5),
    ] {
        files.push((name, alexnet[..length].to_vec(), "as weights"));
    }
    files.push(("other.pth", alexnet, &shape));
    let mut cases: Vec<Case> = Vec::new();
    for (name, bytes, says) in &files {
        write(folder, name, bytes);
        cases.push(bad(&line(name), &[says]));
    }
    cases.push(bad(&line("absent.pth"), &["cannot read `absent.pth`"]));
    fs::create_dir(folder.join("folder.pth")).unwrap();
    cases.push(bad(&line("folder.pth"), &["`folder.pth`", "a folder"]));
    #[cfg(unix)]
    {
        super::pipe(folder, "pipe.pth");
        cases.push(bad(&line("pipe.pth"), &["`pipe.pth`", "a pipe (FIFO)"]));
        cases.push(bad(
            &line("/dev/zero"),
            &["`/dev/zero`", "a character device"],
        ));
    }
    // One layer, of zeros.
    let header = format!(
        r#"{{"{WEIGHT}":{{"dtype":"F32","shape":[64,3,3,3],"data_offsets":[0,6912]}},"features.0.bias":{{"dtype":"F32","shape":[64],"data_offsets":[6912,7168]}}}}"#
    );
    write(
        folder,
        "zeros.safetensors",
        safetensors(header.as_bytes(), &[0; 7168]),
    );
    cases.push(good(&line("zeros.safetensors")));
    check("weights", folder, &cases);
    assert!(!touched.exists(), "a pickle was executed");
}
