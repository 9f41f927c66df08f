//! Errors as lines that name flags, and the exit status.

use std::error::Error;
use std::ffi::OsString;
use std::process::{ExitCode, exit};

use ranvgg::error::OutputReason;

use crate::terminal;

/// Errors that a thread can hand to another one.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// How a command ended that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// All that was asked for is written.
    Complete,
    /// Some of it failed, which has been said.
    Failed,
    /// Stopped before all was written.
    Stopped,
}

/// What the library calls an option, and the flag that sets it.
const FLAGS: [(&str, &str); 26] = [
    ("bias sigma", "--bias-sigma"),
    ("candidates", "--candidates"),
    ("colour weight", "--colour-weight"),
    ("colours", "--colours"),
    ("content layer", "--content-layer"),
    ("content weight", "--content-weight"),
    ("evaluations", "--evaluations"),
    ("layers", "--layers"),
    ("memory", "memory (--memory, or a share of what is free)"),
    ("nearest weight", "--nearest-weight"),
    ("octaves", "--scales"),
    ("padding", "--padding"),
    ("pooling", "--pooling"),
    ("precision", "--precision"),
    ("statistics", "--statistics"),
    ("style layers", "--layers"),
    ("style scale", "--style-scale"),
    ("style weight", "--style-weight"),
    ("the exemplar's scale", "--exemplar-scale"),
    ("the height of the result", "--size: the height"),
    ("the weight of a picture", "a number of --weights"),
    ("the width of the result", "--size: the width"),
    ("time limit", "--seconds"),
    ("total variation weight", "--tv-weight"),
    ("a network", "--weights-file: the network"),
    ("tuning", "--no-tuning: tuning"),
];

/// What an error says, with the names that flags have here.
fn said(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<ranvgg::Error>() {
        Some(ranvgg::Error::InvalidOption {
            name,
            value,
            allowed,
        }) => {
            let flag = FLAGS.iter().find(|(option, _)| option == name);
            let name = flag.map_or(name.as_str(), |(_, flag)| flag);
            // Of statistics the library names the one that stands in the way.
            let allowed = allowed.replace("with statistics `", "with --statistics `");
            format!("{name} is {value}; allowed: {allowed}")
        }
        Some(ranvgg::Error::Output {
            path,
            reason: OutputReason::Exists,
        }) => format!("`{}` exists already; --force overwrites it", path.display()),
        _ => {
            // Decoders end some messages with empty lines, and names of files may have several.
            let text = error.to_string();
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.collect::<Vec<_>>().join(" ")
        }
    }
}

/// An error and its sources in a line. A source that the message before it ends with is left out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = said(error);
    let mut source = error.source();
    while let Some(error) = source {
        let next = said(error);
        if !line.ends_with(&next) {
            line = format!("{line}: {next}");
        }
        source = error.source();
    }
    line
}

/// Says an error on a line of standard error.
pub(crate) fn report(error: &(dyn Error + 'static)) {
    terminal::say(&format!("error: {}", chain(error)));
}

/// Ends the process as `clap` does, which has refused a command line or shows help. Words that hold control characters are
/// not shown as they are: the line may be that of a file.
pub(crate) fn leave(error: &clap::Error, line: &[OsString]) -> ! {
    let mut words = line.iter().map(|word| word.to_string_lossy());
    if error.use_stderr() && words.any(|word| word.contains(char::is_control)) {
        for line in error.to_string().lines() {
            terminal::say(line);
        }
        exit(error.exit_code());
    }
    error.exit()
}

pub(crate) fn exit_code(result: Result<Status>) -> ExitCode {
    match result {
        Ok(Status::Complete) => ExitCode::SUCCESS,
        Ok(Status::Failed) => ExitCode::FAILURE,
        Ok(Status::Stopped) => ExitCode::from(130),
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_names_of_flags() {
        let options = ranvgg::RunOptions::default().with_scales(ranvgg::Scales::Octaves {
            most: 0,
            smallest: 48,
        });
        let vgg = ranvgg::RandomVgg::vgg19()
            .init(&ranvgg::device::by_name("flex").unwrap())
            .unwrap();
        let mut texture = ranvgg::TextureOptions::default();
        texture.run = options;
        let picture = image::DynamicImage::new_rgb8(64, 64);
        let error = ranvgg::synthesize_texture(&vgg, picture, &texture, &mut ()).unwrap_err();
        assert_eq!(
            chain(&error),
            "--scales is 0; allowed: whole numbers from 1 up"
        );
    }
}
