//! Arguments as values, and errors as lines.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use ranvgg::{IfExists, Layer, Size, Vgg};

use super::Result;

/// What `--force` says of files that exist.
pub(crate) fn if_exists(force: bool) -> IfExists {
    match force {
        true => IfExists::Replace,
        false => IfExists::Refuse,
    }
}

/// Reads `256` or `320x200`.
pub(crate) fn parse_size(text: &str) -> std::result::Result<Size, String> {
    let side = |text: &str| match text.parse::<usize>() {
        Ok(side) if (1..=16384).contains(&side) => Ok(side),
        _ => Err(format!(
            "`{text}` is not a number of pixels from 1 to 16384"
        )),
    };
    match text.split_once(['x', 'X']) {
        Some((width, height)) => Ok(Size::new(side(width)?, side(height)?)),
        None => side(text).map(Size::square),
    }
}

/// Reads a number of seconds above 0.
pub(crate) fn parse_seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|seconds| *seconds > 0.0);
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or_else(|| format!("`{text}` is not a number of seconds above 0"))
}

/// Reads the names of layers, separated by commas.
pub(crate) fn parse_layers(vgg: &Vgg, names: Option<&str>) -> Result<Option<Vec<Layer>>> {
    let Some(names) = names else { return Ok(None) };
    let layers: ranvgg::Result<Vec<Layer>> = names.split(',').map(|name| vgg.layer(name)).collect();
    Ok(Some(layers?))
}

/// An error and its sources in a line. A source that the message before it ends with is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !line.ends_with(&said) {
            line = format!("{line}: {said}");
        }
        source = error.source();
    }
    line
}

/// Runs a program; an error becomes one line on standard error and exit code 1.
pub(crate) fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}
