//! Recipes, configurations and reports that are none.

use std::fs;

use ranvgg::RandomVgg;

use crate::picture;

use super::bytes::write;
use super::{Case, bad, check};

#[test]
fn recipes_that_describe_no_network_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let recipe = RandomVgg::vgg19().to_recipe();
    let replaced = |from: &str, to: &str| {
        assert!(recipe.contains(from), "{from}");
        recipe.replace(from, to)
    };
    let mut wide: serde_json::Value = serde_json::from_str(&recipe).unwrap();
    wide["preprocessing"]["mean"] = vec![0.5; 60_000].into();
    let recipes: [(&str, String, &str); 20] = [
        ("empty", String::new(), "EOF"),
        ("list", "[]".into(), "invalid length"),
        ("half", recipe[..recipe.len() / 2].into(), "EOF"),
        ("more", format!("{recipe}x"), "trailing characters"),
        (
            "nested",
            format!("{{\"preprocessing\": {}", "[".repeat(100_000)),
            "line 1",
        ),
        (
            "long",
            format!("{recipe}{}", " ".repeat(2 << 20)),
            "allowed: up to 1048576",
        ),
        ("marked", format!("\u{feff}{recipe}"), "expected value"),
        (
            "unknown",
            replaced("\"seed\"", "\"sead\""),
            "`sead`, expected one of",
        ),
        ("architecture", replaced("vgg19", "vgg20"), "vgg20"),
        ("padding", replaced("reflect", "mirror"), "mirror"),
        (
            "negative",
            replaced("\"seed\": 0", "\"seed\": -1"),
            "integer `-1`",
        ),
        (
            "huge",
            replaced("\"seed\": 0", "\"seed\": 18446744073709551616"),
            "u64",
        ),
        ("sigma", replaced("0.015", "1e400"), "out of range"),
        ("nan", replaced("0.015", "NaN"), "expected value"),
        (
            "zero",
            replaced("0.015", "0"),
            "sigma is 0; allowed: finite numbers above 0",
        ),
        ("below", replaced("0.015", "-1"), "sigma is -1; allowed"),
        (
            "biases",
            replaced("\"bias_sigma\": 0.0", "\"bias_sigma\": -1"),
            "--bias-sigma is -1",
        ),
        (
            "layer",
            replaced("\"sigma\"", "\"layer_seeds\": {\"conv9_1\": 1}, \"sigma\""),
            "conv9_1",
        ),
        (
            "pool",
            replaced("\"sigma\"", "\"layer_seeds\": {\"pool1\": 1}, \"sigma\""),
            "pool1; allowed",
        ),
        (
            "channels",
            wide.to_string(),
            "is 60000 of mean, 3 of scale; allowed: 1 to 64",
        ),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, text, says) in &recipes {
        let file = format!("{name}.json");
        write(folder, &file, text);
        for command in ["texture --device flex", "network recipe", "network export"] {
            let line = format!("{command} --recipe {file} -o made.png");
            cases.push(bad(&line, &[says]));
        }
    }
    let mut what = vec![("absent.json", "cannot read `absent.json`")];
    fs::create_dir(folder.join("folder.json")).unwrap();
    what.push(("folder.json", "a folder; allowed: regular files"));
    #[cfg(unix)]
    {
        super::pipe(folder, "pipe.json");
        what.push(("pipe.json", "a pipe (FIFO); allowed: regular files"));
        what.push(("/dev/zero", "a character device; allowed: regular files"));
    }
    for (file, says) in what {
        for command in [
            "texture --device flex",
            "invert --device flex",
            "style --device flex",
            "network recipe",
            "network export",
        ] {
            let line = format!("{command} --recipe {file} -o made.png");
            cases.push(bad(&line, &[file, says]));
        }
        if file != "absent.json" {
            let line = format!("network choose --device flex --report {file} -o made.json");
            cases.push(bad(&line, &[file]));
        }
    }
    check("recipes", folder, &cases);
}

#[test]
fn configurations_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let texts: [(&str, &[u8], &str); 16] = [
        ("bytes", b"\xff\xfe", "UTF-8"),
        (
            "nested",
            &[&b"seed = "[..], &[b'['; 100_000]].concat(),
            "line 1: ",
        ),
        ("long", &[b' '; 2 << 20], "up to 1048576 bytes"),
        ("cut", b"tile = true\nseed = ", "line 2: "),
        ("twice", b"seed = 1\nseed = 2", "line 2: duplicate key"),
        (
            "key",
            b"sied = 3",
            "unknown key `sied`; allowed: inputs, mix",
        ),
        ("own", b"config = 'other.toml'", "unknown key `config`"),
        (
            "date",
            b"seed = 2020-01-01",
            "is 2020-01-01; allowed: a number, a text",
        ),
        ("table", b"seed = { a = 1 }", "`seed` in `table.toml`"),
        ("switch", b"tile = 3", "true or false"),
        ("huge", b"seed = 18446744073709551616", "line 1: "),
        ("nan", b"tv-weight = nan", "--tv-weight"),
        ("infinite", b"seconds = inf", "--seconds"),
        ("negative", b"size = -1", "1 to 16384"),
        ("odds", b"tile = true\npadding = 'zero'", "--padding"),
        // A file's name is none of the flags.
        ("flag", b"inputs = ['--force']", "./--force"),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, text, says) in texts {
        let file = format!("{name}.toml");
        write(folder, &file, text);
        cases.push(bad(
            &format!("texture --config {file} --device flex"),
            &[says],
        ));
    }
    let mut what = vec![("absent.toml", "cannot read `absent.toml`")];
    fs::create_dir(folder.join("folder.toml")).unwrap();
    what.push(("folder.toml", "allowed: regular files"));
    #[cfg(unix)]
    {
        super::pipe(folder, "pipe.toml");
        what.push(("pipe.toml", "allowed: regular files"));
        what.push(("/dev/zero", "allowed: regular files"));
    }
    for (file, says) in what {
        for command in ["texture", "invert", "style", "maps a.png", "network choose"] {
            cases.push(bad(&format!("{command} --config {file}"), &[file, says]));
        }
    }
    check("configurations", folder, &cases);
}
