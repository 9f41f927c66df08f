//! Files: only regular ones, read within limits and written whole or not at all.

use std::fs::{DirEntry, File, FileType, Metadata, OpenOptions, Permissions};
use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, FileUse, OutputReason, Result, unknown_name};

/// What names of unfinished files begin and end with.
const PREFIX: &str = ".ranvgg-";
const SUFFIX: &str = ".tmp";

/// The age at which an unfinished file is taken for one that nobody will finish.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);

/// What happens to an output file that exists already.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum IfExists {
    /// The call is refused and the file stays.
    #[default]
    Refuse,
    /// The new file takes its place, whole or not at all, and its permissions (on Unix). Of a symbolic link
    /// the file is replaced that it leads to.
    Replace,
}

fn unknown(name: &str) -> Error {
    unknown_name::<IfExists>("what happens to a file that exists", name)
}

/// The content of the regular file at `path`, of at most `limit` bytes; `wanted` is what a longer file
/// cannot be used for.
pub(crate) fn read(path: &Path, limit: u64, wanted: FileUse) -> Result<Vec<u8>> {
    let reading = |source: IoError| Error::file(FileUse::Read, path, source);
    let length = regular(path)?.len();
    let too_long = |bytes: u64| {
        let said = format!("it has {bytes} bytes or more; allowed: up to {limit}");
        Error::file(wanted.clone(), path, said)
    };
    if length > limit {
        return Err(too_long(length));
    }
    let mut bytes = Vec::new();
    // A sparse file can be longer than memory.
    if bytes.try_reserve_exact(length as usize).is_err() {
        let said = format!("there is no memory for its {length} bytes");
        return Err(reading(IoError::new(ErrorKind::OutOfMemory, said)));
    }
    let file = File::open(path).map_err(reading)?;
    // The file may have grown since.
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    if read.map_err(reading)? as u64 > limit {
        return Err(too_long(limit.saturating_add(1)));
    }
    Ok(bytes)
}

/// The first bytes of the regular file at `path`, at most `count`, and its length.
pub(crate) fn start(path: &Path, count: u64) -> Result<(Vec<u8>, u64)> {
    let reading = |source: IoError| Error::file(FileUse::Read, path, source);
    let (file, length) = open(path)?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes).map_err(reading)?;
    Ok((bytes, length))
}

/// Opens the regular file at `path`, and says its length.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let length = regular(path)?.len();
    let file = File::open(path).map_err(|source| Error::file(FileUse::Read, path, source))?;
    Ok((file, length))
}

/// Refuses what is no regular file. Asked before anything is opened: opening a pipe waits for its writer.
fn regular(path: &Path) -> Result<Metadata> {
    let reading = |source: IoError| Error::file(FileUse::Read, path, source);
    let asked = std::fs::metadata(path).map_err(reading)?;
    match irregular(asked.file_type()) {
        Some(kind) => Err(reading(of_kind(kind))),
        None => Ok(asked),
    }
}

fn of_kind(kind: &str) -> IoError {
    let said = format!("it is {kind}; allowed: regular files");
    IoError::new(ErrorKind::InvalidInput, said)
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

/// Refuses a path that could not be written.
pub(crate) fn check(path: &Path, if_exists: IfExists) -> Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(Error::output(path, OutputReason::NoFolder(folder.into())));
    }
    // A pipe or a device would be lost under a new file.
    if let Some(kind) = std::fs::metadata(path)
        .ok()
        .and_then(|it| irregular(it.file_type()))
    {
        return Err(Error::file(FileUse::Write, path, of_kind(kind)));
    }
    // A link that leads nowhere has the name too.
    if path.symlink_metadata().is_ok() && if_exists == IfExists::Refuse {
        return Err(Error::output(path, OutputReason::Exists));
    }
    Place::of(path)?.temporary().map(|_| ())
}

/// Writes `bytes` to a temporary file beside `path`, which then takes its name.
pub(crate) fn write(path: &Path, bytes: &[u8], if_exists: IfExists) -> Result<()> {
    write_with(path, if_exists, |file| {
        let written = file.write_all(bytes);
        written.map_err(|source| Error::file(FileUse::Write, path, source))
    })
}

/// As [`write`](self::write), of what `content` writes.
pub(crate) fn write_with(
    path: &Path,
    if_exists: IfExists,
    content: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    check(path, if_exists)?;
    let place = Place::of(path)?;
    clear(folder_of(&place.file));
    let writing = |source| Error::file(FileUse::Write, path, source);
    let mut file = place.temporary()?;
    // Errors of the temporary file itself would name it, which nobody knows.
    content(file.as_file_mut())?;
    if let Some(permissions) = place.permissions {
        file.as_file()
            .set_permissions(permissions)
            .map_err(writing)?;
    }
    file.as_file().sync_all().map_err(writing)?;
    let renamed = match if_exists {
        IfExists::Replace => file.persist(&place.file),
        IfExists::Refuse => file.persist_noclobber(&place.file),
    };
    renamed.map(|_| ()).map_err(|error| writing(error.error))
}

/// Where an output lies.
struct Place<'a> {
    /// The output's name, which errors tell.
    path: &'a Path,
    /// The file: that at the end of links.
    file: PathBuf,
    /// Those of the file that is there, for the one that replaces it.
    permissions: Option<Permissions>,
}

impl<'a> Place<'a> {
    /// Refuses links that lead nowhere or round.
    fn of(path: &'a Path) -> Result<Self> {
        let is_link = path.symlink_metadata().is_ok_and(|it| it.is_symlink());
        let file = match is_link {
            true => std::fs::canonicalize(path).map_err(|source| {
                let said = format!("it is a link that leads nowhere: {source}");
                Error::file(FileUse::Write, path, said)
            })?,
            false => path.into(),
        };
        let permissions = permissions(&file);
        Ok(Self {
            path,
            file,
            permissions,
        })
    }

    /// A new file beside it. It is as readable as any new file is, and never more than the file that it
    /// replaces.
    fn temporary(&self) -> Result<tempfile::NamedTempFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        if let Some(permissions) = &self.permissions {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            options.mode(permissions.mode());
        }
        tempfile::Builder::new()
            .prefix(PREFIX)
            .suffix(SUFFIX)
            .make_in(folder_of(&self.file), |path| options.open(path))
            .map_err(|source| Error::file(FileUse::Write, self.path, source))
    }
}

/// Who may read and write the file at `path`, if there is one.
#[cfg(unix)]
fn permissions(path: &Path) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    let there = std::fs::metadata(path).ok()?;
    Some(Permissions::from_mode(there.permissions().mode() & 0o777))
}

/// A file that is marked as read-only could not take another one's place.
#[cfg(not(unix))]
fn permissions(_: &Path) -> Option<Permissions> {
    None
}

/// Removes the unfinished files of writers that were killed. A younger one may still be written. Folders
/// are left: those of sets of maps may hold what they were to replace.
fn clear(folder: &Path) {
    let old = |entry: &DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let asked = match name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            true => entry.metadata().ok()?,
            false => return None,
        };
        let age = asked.modified().ok()?.elapsed().ok()?;
        (asked.is_file() && age > UNFINISHED).then(|| entry.path())
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.filter_map(|entry| old(&entry)) {
        // Another run may have been faster.
        let _ = std::fs::remove_file(path);
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
