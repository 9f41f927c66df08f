//! Lines on standard output and standard error, which may be closed or full.

use std::io::{self, ErrorKind, Write};

use crate::failure::{Failure, Result};

/// A line for whoever watches. Where nobody can, it is lost.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(line));
}

/// Text without control characters, which names of files may have: they would move the cursor of a terminal, or begin
/// another line. They are written as in JSON, so what is JSON stays it.
pub(crate) fn visible(text: &str) -> String {
    let shown = |char: char| match char {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        char if char.is_control() => format!("\\u{:04x}", u32::from(char)),
        char => char.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A line about what is safely on disk: that it cannot be printed changes nothing.
pub(crate) fn note(line: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{}", visible(line)).and_then(|()| output.flush());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        let name = "a\u{1b}[31m\r\n\u{9b}\u{7f}Ä 砂.png";
        let shown = "a\\u001b[31m\\r\\n\\u009b\\u007fÄ 砂.png";
        assert_eq!(visible(name), shown);
        let json = serde_json::to_string(name).unwrap();
        assert_eq!(
            serde_json::from_str::<String>(&visible(&json)).unwrap(),
            name
        );
    }
}
