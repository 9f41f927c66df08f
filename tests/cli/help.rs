//! What every `--help` says, kept as text. `RANVGG_WRITE_HELP=1 cargo test --test cli` writes it anew.

use std::fs;
use std::path::Path;

use crate::programs::files;
use crate::{made, refused};

const COMMANDS: [&[&str]; 15] = [
    &[],
    &["texture"],
    &["invert"],
    &["style"],
    &["network"],
    &["network", "choose"],
    &["network", "export"],
    &["network", "recipe"],
    &["maps"],
    &["again"],
    &["resume"],
    &["devices"],
    &["time"],
    &["completions"],
    &["man"],
];

#[test]
fn every_help_is_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/help");
    let write = std::env::var_os("RANVGG_WRITE_HELP").is_some();
    for command in COMMANDS {
        let help = made(folder.path(), &[command, &["--help"]].concat());
        let name = [&["ranvgg"], command].concat().join("-");
        let file = kept.join(format!("{name}.txt"));
        if write {
            fs::write(&file, &help).unwrap();
        }
        // Checkouts on Windows may end lines otherwise.
        let expected = fs::read_to_string(&file).unwrap().replace('\r', "");
        let help = help.replace(".exe", "");
        assert_eq!(
            help,
            expected,
            "RANVGG_WRITE_HELP=1 writes {}",
            file.display()
        );
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_wrong_flag_or_command_is_named_with_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    for command in &COMMANDS[1..] {
        refused(
            folder.path(),
            &[*command, &["--no-such-flag"]].concat(),
            &["--no-such-flag"],
        );
    }
    refused(folder.path(), &["textur"], &["textur", "'texture'"]);
    refused(
        folder.path(),
        &["texture", "--sed", "1"],
        &["--sed", "'--seed'"],
    );
    refused(
        folder.path(),
        &["texture", "--padding", "reflct"],
        &["'reflect'"],
    );
    refused(folder.path(), &[], &["Usage:", "texture"]);
    let version = made(folder.path(), &["--version"]);
    assert_eq!(version, format!("ranvgg {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_pages_name_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = made(folder.path(), &["completions", shell]);
        assert!(script.contains("exemplar-scale"), "{shell}");
    }
    made(folder.path(), &["man", "pages/man1"]);
    let pages = files(&folder.path().join("pages/man1"));
    for page in ["ranvgg.1", "ranvgg-texture.1", "ranvgg-network-choose.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let page = fs::read_to_string(folder.path().join("pages/man1/ranvgg-texture.1")).unwrap();
    assert!(page.contains("exemplar"));
    refused(folder.path(), &["completions", "csh"], &["csh", "bash"]);
}

/// Every command of the README is one that this program takes.
#[test]
fn the_commands_of_the_readme_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(readme).unwrap();
    let mut seen = 0;
    for line in text.lines() {
        let installed = line.strip_prefix("ranvgg ");
        let run = installed.or(line.strip_prefix("cargo run --release --features cli -- "));
        let Some(command) = run else { continue };
        let command = command.split('#').next().unwrap();
        let mut words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["texture" | "invert" | "style", ..] | ["network", "choose", ..] => {
                words.push("--print-config");
            }
            _ => words.push("--help"),
        }
        made(folder.path(), &words);
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}
