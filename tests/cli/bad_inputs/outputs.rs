//! Outputs that cannot be written: known before any work, and nothing that is there is lost.

use std::fs;

use crate::picture;

use super::bytes::write;
use super::{Case, bad, bad_words, check};

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
