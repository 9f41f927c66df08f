//! Flags from a TOML file, and the flags in effect as one.
//!
//! A key is a flag without its dashes, or `inputs` and the like for files without a flag. What the file
//! says is put in front of what the command line says, as if it had been typed there; what the command
//! line sets itself, or what excludes it, is left out.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use toml::{Table, Value};

use crate::failure::Result;
use crate::recall::plain;
use crate::terminal;

/// Flags from a file.
#[derive(Args, Debug)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Config {
    /// Read flags from a TOML file, as --print-config writes it; those of the command line come first
    /// [default: none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print all flags with their values as TOML, and make nothing
    #[arg(long)]
    print_config: bool,
}

/// Most bytes of a configuration.
const LONGEST: u64 = 1 << 20;

/// Flags that a file cannot set.
const OUTSIDE: [&str; 4] = ["config", "print-config", "help", "version"];

/// The command line with what its --config says.
pub(crate) fn with_file(program: &Command, line: Vec<OsString>) -> Result<Vec<OsString>> {
    let loose = program.clone().ignore_errors(true);
    let Ok(matches) = loose.try_get_matches_from(&line) else {
        return Ok(line);
    };
    let (command, matches, depth) = innermost(program, &matches);
    let Some(path) = single(matches, "config") else {
        return Ok(line);
    };
    let path = Path::new(&path);
    let shown = path.display();
    let text = text_of(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    let table: Table = toml::from_str(&text).map_err(|error| {
        format!(
            "cannot use `{shown}` as a configuration: {}",
            said(&error, &text)
        )
    })?;
    let mut given = Vec::new();
    let mut files = Vec::new();
    for (key, value) in &table {
        let arg = arguments(command).find(|arg| key_of(arg) == *key);
        let Some(arg) = arg else {
            let allowed: Vec<String> = arguments(command).map(key_of).collect();
            let allowed = allowed.join(", ");
            return Err(
                format!("`{shown}` has the unknown key `{key}`; allowed: {allowed}").into(),
            );
        };
        if is_typed(arg, matches) || excluded(command, arg, matches) {
            continue;
        }
        let values = values_of(value, arg).ok_or_else(|| {
            let expected = match is_switch(arg) {
                true => "true or false",
                false => "a number, a text or a list of them",
            };
            format!("`{key}` in `{shown}` is {value}; allowed: {expected}")
        })?;
        match arg.is_positional() {
            true => files.extend(values.iter().map(|file| plain(file).into())),
            false => given.extend(flags(key, arg, values)),
        }
    }
    let mut whole: Vec<OsString> = line[..=depth].to_vec();
    whole.extend(given);
    whole.extend(files);
    whole.extend_from_slice(&line[depth + 1..]);
    Ok(whole)
}

/// The text of a regular file: a pipe would be waited for, and a device has no end.
fn text_of(path: &Path) -> std::io::Result<String> {
    let asked = fs::metadata(path)?;
    if !asked.is_file() || asked.len() > LONGEST {
        let said = format!("allowed: regular files of up to {LONGEST} bytes");
        return Err(std::io::Error::new(ErrorKind::InvalidInput, said));
    }
    fs::read_to_string(path)
}

/// What is wrong with a text, on one line.
fn said(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

/// Prints the flags in effect, if that is asked for.
pub(crate) fn printed(program: &Command, matches: &ArgMatches) -> Result<bool> {
    let (command, matches, _) = innermost(program, matches);
    let wanted = matches.try_get_one::<bool>("print_config");
    if wanted.ok().flatten() != Some(&true) {
        return Ok(false);
    }
    let mut text = format!("# ranvgg {} --config FILE\n", command.get_name());
    for arg in arguments(command) {
        let key = key_of(arg);
        let unset = !is_switch(arg) && !is_typed(arg, matches);
        let hidden = unset && excluded(command, arg, matches);
        match effective(arg, matches).filter(|_| !hidden) {
            Some(value) => text.push_str(&format!("{key} = {value}\n")),
            None => text.push_str(&format!("# {key} is not set\n")),
        }
    }
    terminal::print(&text)?;
    Ok(true)
}

/// What the command line and its configuration set: the command with its flags, and the files.
pub(crate) fn typed_line(
    program: &Command,
    matches: &ArgMatches,
    left_out: impl Fn(&str) -> bool,
) -> (Vec<String>, Vec<String>) {
    let mut flags = Vec::new();
    let mut outer = matches;
    while let Some((name, inner)) = outer.subcommand() {
        flags.push(name.to_owned());
        outer = inner;
    }
    let (command, matches, _) = innermost(program, matches);
    let mut files = Vec::new();
    for arg in arguments(command) {
        let key = key_of(arg);
        if !is_typed(arg, matches) || left_out(&key) {
            continue;
        }
        let raw = matches.try_get_raw(arg.get_id().as_str()).ok().flatten();
        let words = raw.into_iter().flatten();
        let words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        match (
            arg.is_positional(),
            is_switch(arg),
            arg.get_value_delimiter(),
        ) {
            (true, ..) => files.extend(words),
            (_, true, _) => flags.push(format!("--{key}")),
            (_, _, Some(comma)) => {
                flags.push(format!("--{key}={}", words.join(&comma.to_string())))
            }
            _ => flags.extend(words.iter().map(|word| format!("--{key}={word}"))),
        }
    }
    (flags, files)
}

/// The command that is meant, its matches, and how many words of the line name it.
fn innermost<'a>(
    program: &'a Command,
    matches: &'a ArgMatches,
) -> (&'a Command, &'a ArgMatches, usize) {
    let (mut command, mut matches, mut depth) = (program, matches, 0);
    while let Some((name, inner)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else {
            break;
        };
        (command, matches, depth) = (found, inner, depth + 1);
    }
    (command, matches, depth)
}

/// What a file can set.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let set = command.get_arguments();
    set.filter(|arg| !OUTSIDE.contains(&&*key_of(arg)))
}

fn key_of(arg: &Arg) -> String {
    let name = arg.get_long().unwrap_or(arg.get_id().as_str());
    name.to_owned()
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// Whether the command line sets it.
fn is_typed(arg: &Arg, matches: &ArgMatches) -> bool {
    matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// Whether something that the command line sets does not go with it, in either direction.
fn excluded(command: &Command, arg: &Arg, matches: &ArgMatches) -> bool {
    let conflicts = |a: &Arg, b: &Arg| {
        let mut conflicts = command.get_arg_conflicts_with(a).into_iter();
        conflicts.any(|other| other.get_id() == b.get_id())
    };
    let mut typed = arguments(command).filter(|other| is_typed(other, matches));
    typed.any(|other| conflicts(arg, other) || conflicts(other, arg))
}

fn single(matches: &ArgMatches, id: &str) -> Option<OsString> {
    let mut raw = matches.try_get_raw(id).ok().flatten()?;
    raw.next().map(OsStr::to_owned)
}

/// The words of a value; none if it is of a kind that the flag does not take.
fn values_of(value: &Value, arg: &Arg) -> Option<Vec<String>> {
    if let (Value::Boolean(on), true) = (value, is_switch(arg)) {
        return Some(if *on { vec!["true".into()] } else { Vec::new() });
    }
    if is_switch(arg) {
        return None;
    }
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Float(number) => Some(vec![number.to_string()]),
        Value::Array(values) => {
            let words: Option<Vec<Vec<String>>> =
                values.iter().map(|value| values_of(value, arg)).collect();
            Some(words?.concat())
        }
        _ => None,
    }
}

/// A flag with its values, as it would be typed.
fn flags(key: &str, arg: &Arg, values: Vec<String>) -> Vec<OsString> {
    if is_switch(arg) {
        return values.iter().map(|_| format!("--{key}").into()).collect();
    }
    match arg.get_value_delimiter() {
        Some(_) if values.is_empty() => Vec::new(),
        Some(comma) => vec![format!("--{key}={}", values.join(&comma.to_string())).into()],
        None => values
            .iter()
            .map(|value| format!("--{key}={value}").into())
            .collect(),
    }
}

/// The value in effect.
fn effective(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    let id = arg.get_id().as_str();
    if is_switch(arg) {
        return Some(Value::Boolean(matches.get_flag(id)));
    }
    let words: Vec<String> = matches
        .get_raw(id)?
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let several =
        matches!(arg.get_action(), ArgAction::Append) || arg.get_value_delimiter().is_some();
    match several {
        true => Some(Value::Array(words.iter().map(|word| typed(word)).collect())),
        false => words.first().map(|word| typed(word)),
    }
}

/// A word as the number that it is, or as text.
fn typed(word: &str) -> Value {
    if let Ok(number) = word.parse::<i64>()
        && number.to_string() == word
    {
        return Value::Integer(number);
    }
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() && number.to_string() == word => Value::Float(number),
        _ => Value::String(word.to_owned()),
    }
}
