//! The bytes of a picture's file: of regular files alone, and no more than a limit.

use std::fs::{File, FileType};
use std::io::{Error as IoError, ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, FileUse, Result};

/// The content of the regular file at `path`, of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let reading = |source: IoError| Error::file(FileUse::Read, path, source);
    // Asked before it is opened: opening a pipe waits for its writer.
    let asked = std::fs::metadata(path).map_err(reading)?;
    if let Some(kind) = irregular(asked.file_type()) {
        let said = format!("it is {kind}; allowed: regular files");
        return Err(reading(IoError::new(ErrorKind::InvalidInput, said)));
    }
    let too_long = |bytes: u64| {
        let said = format!("it has {bytes} bytes or more; allowed: up to {limit}");
        Error::file(FileUse::DecodeImage, path, said)
    };
    if asked.len() > limit {
        return Err(too_long(asked.len()));
    }
    let mut bytes = Vec::with_capacity(asked.len() as usize);
    let file = File::open(path).map_err(reading)?;
    // The file may have grown since.
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    if read.map_err(reading)? as u64 > limit {
        return Err(too_long(limit.saturating_add(1)));
    }
    Ok(bytes)
}

/// What something is that is no regular file.
fn irregular(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some("a folder");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a pipe (FIFO)");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() {
            return Some("a character device");
        }
        if kind.is_block_device() {
            return Some("a block device");
        }
    }
    Some("no regular file")
}
