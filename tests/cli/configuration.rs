//! Flags from a file.

use std::fs;

use crate::{made, picture, refused};

#[test]
fn the_configuration_that_is_printed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "moss.png");
    let mut arguments = vec!["texture", "moss.png", "--tile", "--weights", "2.5"];
    arguments.extend([
        "--seed",
        "18446744073709551615",
        "--size",
        "48x32",
        "--seconds",
        "0.5",
    ]);
    arguments.extend(["--device", "flex", "-o", "out.png", "--print-config"]);
    let printed = made(folder.path(), &arguments);
    for line in [
        "inputs = [\"moss.png\"]",
        "seed = \"18446744073709551615\"",
        "size = \"48x32\"",
        "tile = true",
        "weights = [2.5]",
        "network = \"vgg19\"",
        "# recipe is not set",
    ] {
        assert!(
            printed.lines().any(|other| other == line),
            "no {line} in\n{printed}"
        );
    }
    fs::write(folder.path().join("moss.toml"), &printed).unwrap();
    let again = made(
        folder.path(),
        &["texture", "--config", "moss.toml", "--print-config"],
    );
    assert_eq!(again, printed);
    // What the command line says comes first, also where it excludes what the file says.
    let mut arguments = vec![
        "texture",
        "--config",
        "moss.toml",
        "--seed",
        "3",
        "--print-config",
    ];
    arguments.extend(["--padding", "zero", "--recipe", "other.json"]);
    let changed = made(folder.path(), &arguments);
    for line in [
        "seed = 3",
        "tile = false",
        "padding = \"zero\"",
        "recipe = \"other.json\"",
        "# network is not set",
    ] {
        assert!(
            changed.lines().any(|other| other == line),
            "no {line} in\n{changed}"
        );
    }
    made(folder.path(), &["texture", "--config", "moss.toml"]);
    let image = image::open(folder.path().join("out.png")).unwrap();
    assert_eq!((image.width(), image.height()), (48, 32));
}

#[test]
fn every_command_that_makes_something_has_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        &["texture"][..],
        &["invert"],
        &["style"],
        &["network", "choose"],
    ] {
        let printed = made(folder.path(), &[command, &["--print-config"]].concat());
        fs::write(folder.path().join("c.toml"), &printed).unwrap();
        let arguments = [command, &["--config", "c.toml", "--print-config"]].concat();
        assert_eq!(made(folder.path(), &arguments), printed);
    }
}

#[test]
fn mistakes_in_a_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    refused(
        folder.path(),
        &["texture", "--config", "c.toml"],
        &["cannot read `c.toml`"],
    );
    for (text, expected) in [
        (
            "sied = 3",
            &["c.toml", "unknown key `sied`", "seed", "exemplar-scale"][..],
        ),
        ("seed = ", &["c.toml", "configuration"]),
        ("seed = 'one'", &["--seed", "one"]),
        ("tile = 3", &["`tile` in `c.toml` is 3", "true or false"]),
        ("seed = { a = 1 }", &["`seed` in `c.toml`"]),
        ("size = 0", &["--size", "1 to 16384"]),
    ] {
        fs::write(&file, text).unwrap();
        refused(folder.path(), &["texture", "--config", "c.toml"], expected);
    }
}
