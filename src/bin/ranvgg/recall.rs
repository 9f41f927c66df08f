//! Commands that run again: `ranvgg again` from a picture, `ranvgg resume` from a checkpoint.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::{ArgMatches, Args, Command};
use ranvgg::imaging;
use ranvgg::run::Checkpoint;

use crate::config;
use crate::failure::Result;
use crate::output::stem;
use crate::terminal;

/// Make a picture again, from what it carries of how it was made
///
/// The inputs have to be where they were, and unchanged. With the same version, device and number of
/// threads the pixels are the same. A picture whose run a time limit, Ctrl-C or a failure ended, or that was
/// resumed with other --evaluations, comes out differently.
#[derive(Args)]
pub(crate) struct Again {
    /// A picture that this program wrote, without --no-metadata
    picture: PathBuf,

    /// File to write; for maps a folder [default: PICTURE-again, in the current folder]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Overwrite files that exist [default: they are refused]
    #[arg(long)]
    force: bool,

    /// Print nothing but errors, and show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Go on with a run from its checkpoint, in the folder that it was begun in
///
/// The picture is the same, to the bit, as that of a run that was never stopped: with the same version and
/// device. If the run wrote its picture before it ended, give --force or -o.
#[derive(Args)]
pub(crate) struct Resume {
    /// A file that --checkpoint wrote; it is kept up to date from here on
    checkpoint: PathBuf,

    /// Evaluations of the loss in the whole run [default: as it was begun]
    #[arg(long, value_name = "N", value_parser = crate::values::evaluations)]
    evaluations: Option<usize>,

    /// Device to go on on, where the first one is lost or another is free; the picture is almost the same then
    /// [default: as it was begun]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,

    /// File to write [default: as it was begun]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Overwrite files that exist [default: they are refused]
    #[arg(long)]
    force: bool,

    /// Print nothing but errors, and show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Flags that say nothing of what is made: where a run is saved and shown.
const OF_THE_RUN: [&str; 4] = ["checkpoint", "checkpoint-every", "resume", "watch"];

/// Flags that say nothing of what is made: where it goes, and which of several results it is.
const OF_THE_OUTPUT: [&str; 7] = [
    "output",
    "force",
    "json",
    "quiet",
    "no-metadata",
    "seed",
    "variations",
];

/// Commands that a file may name.
const COMMANDS: [&str; 4] = ["texture", "invert", "style", "maps"];

/// Flags that a file may not set: what they do is for the user to say. Lines that this program stores
/// have none of them.
const FORBIDDEN: [&str; 4] = ["force", "config", "print-config", "report"];

/// Flags that name files which a result is made from.
const READ: [&str; 7] = [
    "map",
    "guide",
    "fill",
    "mask",
    "content-mask",
    "recipe",
    "weights-file",
];

/// The command line in effect: its flags without those of the output, and the whole.
#[derive(Clone)]
struct Line {
    flags: Vec<String>,
    whole: Vec<String>,
    /// Files that flags name.
    read: Vec<PathBuf>,
}

static LINE: Mutex<Line> = Mutex::new(Line {
    flags: Vec::new(),
    whole: Vec::new(),
    read: Vec::new(),
});

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the command line, for checkpoints and for what pictures carry. The line that `again` or `resume`
/// makes takes the place of theirs.
pub(crate) fn remember(program: &Command, matches: &ArgMatches) {
    let left_out = |key: &str| OF_THE_RUN.contains(&key) || OF_THE_OUTPUT.contains(&key);
    let (flags, _) = config::typed_line(program, matches, left_out);
    let (mut whole, files) = config::typed_line(program, matches, |key| {
        let of_the_run = OF_THE_RUN.contains(&key) && key != "checkpoint-every";
        of_the_run || FORBIDDEN.contains(&key)
    });
    whole.extend(files.iter().map(|file| plain(file)));
    let (read, _) = config::typed_line(program, matches, |key| !READ.contains(&key));
    let read = read.iter().filter_map(|word| word.split_once('='));
    let read = read.map(|(_, path)| path.into()).collect();
    *line() = Line { flags, whole, read };
}

/// A flag and its value.
pub(crate) type Flag = (&'static str, String);

/// Sets a flag to another value than the words of a line have, or adds it behind the command.
fn set(words: &mut Vec<String>, (key, value): &Flag) {
    let own = format!("--{key}=");
    let there = words.iter().position(|word| word.starts_with(&own));
    words.retain(|word| !word.starts_with(&own));
    let place = there.unwrap_or(1).min(words.len());
    words.insert(place, format!("{own}{value}"));
}

impl Line {
    /// Sets flags to other values than the command line has, or adds them behind the command.
    fn set(&mut self, flags: &[Flag]) {
        for flag in flags {
            set(&mut self.flags, flag);
            set(&mut self.whole, flag);
        }
    }
}

/// Has all that is stored from now on say what flags of several values were in effect.
pub(crate) fn settle(flags: &[Flag]) {
    line().set(flags);
}

/// The line that makes one result, of these inputs and this seed; `own` are flags that are other ones for
/// this result than for the whole command.
pub(crate) fn line_of(inputs: &[PathBuf], seed: u64, own: &[Flag]) -> Vec<OsString> {
    let mut line = line().clone();
    line.set(own);
    let mut all: Vec<OsString> = line.flags.iter().map(OsString::from).collect();
    all.extend(["--seed".into(), seed.to_string().into()]);
    all.extend(
        inputs
            .iter()
            .map(|input| plain(&input.to_string_lossy()).into()),
    );
    all
}

/// Files that flags of the command line in effect name.
pub(crate) fn files_read() -> Vec<PathBuf> {
    line().read.clone()
}

/// A file's name that cannot be taken for a flag.
pub(crate) fn plain(file: &str) -> String {
    match file.starts_with('-') {
        true => format!("./{file}"),
        false => file.to_owned(),
    }
}

/// What a checkpoint notes: the line as a JSON list.
pub(crate) fn note() -> String {
    serde_json::to_string(&line().whole).unwrap_or_default()
}

/// Refuses a line that this program would not have stored in `file`: whoever wrote it could do more with
/// it than make a picture.
fn check_stored(words: &[String], file: &Path, outputs: bool) -> Result<()> {
    let refused = |what: &str| -> Result<()> {
        let shown = file.display();
        Err(
            format!("the command line in `{shown}` {what}; it was not written by this program")
                .into(),
        )
    };
    match words.first() {
        Some(command) if COMMANDS.contains(&command.as_str()) => {}
        _ => return refused("makes no picture"),
    }
    for word in words.iter().filter(|word| word.starts_with('-')) {
        let flag = word.strip_prefix("--").unwrap_or("");
        let flag = flag.split('=').next().unwrap_or("");
        let of_the_output = !outputs && flag != "seed" && OF_THE_OUTPUT.contains(&flag);
        let of_the_run = OF_THE_RUN.contains(&flag) && flag != "checkpoint-every";
        if flag.is_empty() || of_the_output || FORBIDDEN.contains(&flag) || of_the_run {
            // As a text of a file, which could hold a terminal's control characters.
            return refused(&format!("has {word:?}"));
        }
        if flag == "device" && word.contains("remote:") {
            // Whoever wrote the file would get the inputs.
            let shown = file.display();
            return Err(format!(
                "`{shown}` names another machine, {word:?}; allowed: the command typed, with that device"
            )
            .into());
        }
    }
    Ok(())
}

/// The line that makes a picture again.
pub(crate) fn again(arguments: &Again) -> Result<Vec<OsString>> {
    let picture = &arguments.picture;
    let shown = picture.display();
    let Some(made) = imaging::provenance(picture)? else {
        return Err(format!("`{shown}` does not say how it was made; allowed: pictures of this program, written without --no-metadata").into());
    };
    check_stored(&made.arguments, picture, false)?;
    for input in &made.inputs {
        if !input.is_unchanged()? {
            return Err(format!(
                "{:?} is not what `{shown}` was made from: it has changed",
                input.path
            )
            .into());
        }
    }
    if made.version != env!("CARGO_PKG_VERSION") && !arguments.quiet {
        let here = env!("CARGO_PKG_VERSION");
        terminal::say(&format!(
            "made by version {:?}, this is {here}: pixels may differ",
            made.version
        ));
    }
    let ending = picture.extension().unwrap_or("png".as_ref());
    let output = match (&arguments.output, made.task.as_str()) {
        (Some(output), _) => output.clone(),
        (None, "maps") => PathBuf::from(format!("{}-again", stem(picture))),
        (None, _) => PathBuf::from(format!("{}-again.{}", stem(picture), ending.display())),
    };
    said(&made.arguments, arguments.quiet);
    let mut line: Vec<OsString> = vec!["ranvgg".into()];
    line.extend(made.arguments.into_iter().map(OsString::from));
    line.extend(["--output".into(), output.into_os_string()]);
    line.extend(switches(arguments.force, arguments.quiet));
    Ok(line)
}

/// The line that goes on with a run.
pub(crate) fn resume(arguments: &Resume) -> Result<Vec<OsString>> {
    let file = &arguments.checkpoint;
    let mut words: Vec<String> =
        serde_json::from_str(&Checkpoint::note_of(file)?).unwrap_or_default();
    if words.is_empty() {
        let shown = file.display();
        return Err(format!(
            "`{shown}` was not written by this program; allowed: files of --checkpoint"
        )
        .into());
    }
    check_stored(&words, file, true)?;
    if let Some(device) = &arguments.device {
        set(&mut words, &("device", device.clone()));
    }
    said(&words, arguments.quiet);
    let mut line: Vec<OsString> = vec!["ranvgg".into()];
    line.extend(words.into_iter().map(OsString::from));
    for flag in ["--resume", "--checkpoint"] {
        line.extend([flag.into(), file.clone().into_os_string()]);
    }
    if let Some(evaluations) = arguments.evaluations {
        line.extend(["--evaluations".into(), evaluations.to_string().into()]);
    }
    if let Some(output) = &arguments.output {
        line.extend(["--output".into(), output.clone().into_os_string()]);
    }
    line.extend(switches(arguments.force, arguments.quiet));
    Ok(line)
}

/// Says which command a file holds, before it runs.
fn said(words: &[String], quiet: bool) {
    if !quiet {
        let words: Vec<String> = words
            .iter()
            .map(|word| word.escape_debug().to_string())
            .collect();
        terminal::say(&format!("ranvgg {}", words.join(" ")));
    }
}

fn switches(force: bool, quiet: bool) -> impl Iterator<Item = OsString> {
    let force = force.then(|| "--force".into());
    force.into_iter().chain(quiet.then(|| "--quiet".into()))
}
