//! Command lines of the program, from a TOML file and from words: read as clap reads them, and written
//! as words that mean the same. Nothing of them is run. The first line of the input is the command line,
//! the rest the file.

#![no_main]
#![allow(dead_code)]

include!(concat!(env!("OUT_DIR"), "/program.rs"));

use std::fs;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    static PROGRAM: OnceLock<clap::Command> = OnceLock::new();
    let program = PROGRAM.get_or_init(program);
    let (line, file) = text.split_once('\n').unwrap_or((text, ""));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ranvgg.toml");
    fs::write(&path, file).unwrap();
    let mut words: Vec<OsString> = vec!["ranvgg".into()];
    // Any other file that the words name is none of the fuzzer's business.
    words.extend(
        line.split_whitespace()
            .filter(|word| !word.starts_with("--c"))
            .map(OsString::from),
    );
    let at = words.len().min(2);
    words.splice(at..at, ["--config".into(), path.clone().into()]);
    let Ok(whole) = config::with_file(program, words) else {
        return;
    };
    let Ok(matches) = program.clone().try_get_matches_from(whole) else {
        return;
    };
    let _ = Arguments::from_arg_matches(&matches);
    // What is remembered of a line reads back as the same line.
    let (flags, files) = config::typed_line(program, &matches, |key| key == "config");
    let mut again: Vec<OsString> = vec!["ranvgg".into()];
    again.extend(flags.iter().map(OsString::from));
    again.push("--".into());
    again.extend(files.iter().map(OsString::from));
    let Ok(matches) = program.clone().try_get_matches_from(again.clone()) else {
        return;
    };
    let second = config::typed_line(program, &matches, |key| key == "config");
    assert_eq!(second, (flags, files), "{again:?}");
});
