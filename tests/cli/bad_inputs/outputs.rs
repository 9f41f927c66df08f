//! Outputs that cannot be written: known before any work, and nothing that is there is lost.

use std::fs;

use crate::picture;

use super::bytes::write;
use super::{Case, bad, bad_words, check};

/// Two outputs of a command are one file, however they are named.
#[test]
fn outputs_that_are_one_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a_height.png");
    fs::create_dir(folder.join("below")).unwrap();
    write(folder, "net.json", "{}");
    write(folder, "below/there.png", "precious");
    let absolute = folder.join("made.png");
    let absolute = absolute.to_str().unwrap();
    let mut pairs = vec![
        ("made.png", "made.png", ""),
        ("made.png", "./made.png", ""),
        ("below/../made.png", "made.png", ""),
        (absolute, "made.png", ""),
        ("below//made.png", "./below/made.png", ""),
        ("new/", "new", ""),
        ("below", "below/a_height.png", ""),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("below/there.png", folder.join("link.png")).unwrap();
        std::os::unix::fs::symlink("below", folder.join("other")).unwrap();
        pairs.push(("link.png", "below/there.png", "--force"));
        pairs.push(("below/there.png", "link.png", "--force"));
        pairs.push(("other/made.png", "below/made.png", ""));
    }
    let rest = "--device flex --evaluations 1";
    let mut cases = Vec::new();
    for (output, other, more) in &pairs {
        let whole = format!("-o {output} --checkpoint {other} {rest} {more}");
        let says: &[&str] = &["--checkpoint", "output are one file"];
        for command in ["texture", "invert", "style a_height.png"] {
            cases.push(bad(&format!("{command} a_height.png {whole}"), says));
        }
        if !["new/", "below"].contains(output) {
            let line = format!("network choose -o {output} --report {other} {rest} {more}");
            cases.push(bad(&line, &["--report and the output are one file"]));
        }
    }
    // The names that results have by default.
    for (line, name) in [
        ("texture", "texture.png"),
        ("invert", "inverted.png"),
        ("style", "styled.png"),
        ("maps a_height.png -o below", "below/a_height.png"),
        ("maps a_height.png -o below", "below/a.gltf"),
        ("maps a_height.png", "a-made"),
    ] {
        let line = format!("{line} --checkpoint {name} {rest}");
        cases.push(bad(&line, &["--checkpoint and the", "are one file"]));
    }
    cases.extend([
        bad(
            "network export --recipe net.json -o ./net.json --force",
            &["--recipe and the output are one file"],
        ),
        bad(
            &format!("network choose a_height.png -o a_height.png --force {rest}"),
            &["the picture and the output are one file"],
        ),
    ]);
    #[cfg(unix)]
    {
        // Two results of one folder, of which one leads to the other.
        picture(folder, "b.png");
        picture(folder, "c.png");
        std::os::unix::fs::symlink("c.png", folder.join("below/b.png")).unwrap();
        picture(folder, "below/c.png");
        cases.push(bad(
            &format!("texture b.png c.png -o below --force {rest}"),
            &["two results would be written to `below/c.png`"],
        ));
    }
    check("outputs that are one file", folder, &cases);
    assert_eq!(
        fs::read(folder.join("below/there.png")).unwrap(),
        b"precious"
    );
}

/// Every command that writes a file, without its name.
const WRITERS: [&str; 6] = [
    "texture a.png --device flex --evaluations 1 -o OUT.png",
    "invert a.png --device flex --evaluations 1 -o OUT.png",
    "style a.png a.png --device flex --evaluations 1 -o OUT.png",
    "network choose a.png --device flex --evaluations 1 --candidates 1 -o OUT.png",
    "network recipe -o OUT.png",
    "network export -o OUT.png",
];

#[test]
fn outputs_that_cannot_be_written_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    picture(folder, "a_height.png");
    write(folder, "there.png", "precious");
    fs::create_dir(folder.join("folder.png")).unwrap();
    let long = "n".repeat(300);
    let long_folder = format!("new/{long}");
    let mut kinds = vec![
        ("no/such/made", "", "the folder `no/such`"),
        ("a.png/made", "", "the folder `a.png`"),
        (
            "there",
            "",
            "`there.png` exists already; --force overwrites it",
        ),
        ("a", "", "`a.png` exists already; --force"),
        (&*long, "", "cannot write `nnn"),
        (&*long_folder, "", "the folder `new`"),
    ];
    let mut cases: Vec<Case> = Vec::new();
    #[cfg(unix)]
    {
        super::pipe(folder, "pipe.png");
        std::os::unix::fs::symlink("nowhere.png", folder.join("dangling.png")).unwrap();
        std::os::unix::fs::symlink("round.png", folder.join("round.png")).unwrap();
        kinds.push(("pipe", "", "allowed: regular files"));
        kinds.push(("pipe", "--force", "allowed: regular files"));
        kinds.push(("dangling", "", "`dangling.png` exists already"));
        kinds.push(("round", "", "`round.png` exists already"));
        kinds.push(("dangling", "--force", "a link that leads nowhere"));
        kinds.push(("round", "--force", "cannot write `round.png`"));
    }
    for writer in WRITERS {
        for (name, more, says) in &kinds {
            let line = format!("{} {more}", writer.replace("OUT", name));
            cases.push(bad(&line, &[says]));
        }
        if writer.starts_with("network") {
            let line = format!("{} --force", writer.replace("OUT", "folder"));
            cases.push(bad(&line, &["`folder.png`", "is a folder"]));
        }
    }
    let rest = "--device flex --evaluations 1";
    let missing = "does not exist";
    cases.extend([
        bad(
            &format!("texture a.png {rest} -o made.webp"),
            &["made.webp", ".png, .jpg"],
        ),
        bad(
            &format!("texture a.png {rest} -o made"),
            &["`made`", ".png, .jpg"],
        ),
        bad(
            &format!("texture a.png {rest} -o .png"),
            &["`.png`", ".jpg"],
        ),
        bad(
            &format!("texture a.png {rest} -o made.jpg --sixteen"),
            &["--sixteen", "made.jpg", ".tif"],
        ),
        bad(&format!("texture a.png {rest} -o no/such/"), &["no/such"]),
        bad(
            &format!("texture a.png {rest} -o there.png/"),
            &["`there.png` is no folder"],
        ),
        bad(
            &format!("texture a.png {rest} -o {long}/"),
            &["nnn", "too long"],
        ),
        bad(
            &format!("texture a.png {rest} -o ."),
            &["a.png` exists already"],
        ),
        bad(
            &format!("texture a.png {rest} --checkpoint folder.png"),
            &["folder.png", "a folder"],
        ),
        bad(
            &format!("texture a.png {rest} --checkpoint no/such"),
            &["`no`", missing],
        ),
        bad(
            &format!("texture a.png {rest} --checkpoint there.png --force -o made.png"),
            &["`there.png` as a checkpoint", "another file"],
        ),
        bad(
            "maps a_height.png --device flex -o no/such",
            &["`no`", missing],
        ),
        bad(
            "maps a_height.png --device flex -o there.png",
            &["`there.png` is no folder"],
        ),
        bad(
            "maps a_height.png --device flex -o there.png/",
            &["`there.png` is no folder"],
        ),
        bad(
            "maps a_height.png --device flex -o a.png/made",
            &["`a.png/made`", "directory"],
        ),
        bad(
            &format!("maps a_height.png --device flex -o {long}"),
            &["nnn", "too long"],
        ),
        bad(
            "network choose --device flex --report no/such -o made.json",
            &["`no`", missing],
        ),
        bad(
            "network choose --device flex --report there.png -o made.json",
            &["`there.png` as the report"],
        ),
        bad("man there.png", &["`there.png`"]),
        bad("man there.png/below", &["`there.png/below`"]),
        bad_words(["texture", "-o", ""].map(Into::into).into(), &["--output"]),
        bad_words(
            ["network", "recipe", "-o", ""].map(Into::into).into(),
            &["--output"],
        ),
        bad_words(["man", ""].map(Into::into).into(), &["<DIR>"]),
    ]);
    // Without --force, which as root would take the name away from the device.
    #[cfg(target_os = "linux")]
    cases.extend([
        bad(
            &format!("texture a.png {rest} -o /dev/full"),
            &["/dev/full", ".png"],
        ),
        bad(
            "network recipe -o /dev/full",
            &["/dev/full", "allowed: regular files"],
        ),
        bad(
            "network export -o /dev/full",
            &["/dev/full", "allowed: regular files"],
        ),
        bad(
            &format!("texture a.png {rest} --checkpoint /dev/full"),
            &["a character device"],
        ),
        bad(
            &format!("texture a.png {rest} --checkpoint /dev/zero"),
            &["a character device"],
        ),
    ]);
    check("outputs", folder, &cases);
    assert_eq!(fs::read(folder.join("there.png")).unwrap(), b"precious");
}
