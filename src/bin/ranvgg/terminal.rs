//! Lines on standard output and standard error, which may be closed or full.

use std::io::{self, ErrorKind, Write};

use crate::failure::{Failure, Result};

/// A line for whoever watches. Where nobody can, it is lost.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A line about what is safely on disk: that it cannot be printed changes nothing.
pub(crate) fn note(line: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Text that is itself the result. A reader who has seen enough and closed the pipe is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    match write(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritable(&error)),
        _ => Ok(()),
    }
}

/// A picture, all of which has to arrive.
pub(crate) fn write_picture(bytes: &[u8]) -> Result<()> {
    write(bytes).map_err(|error| unwritable(&error))
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()
}

fn unwritable(error: &io::Error) -> Failure {
    format!("cannot write to standard output: {error}").into()
}
