//! Files that are written whole or not at all.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, FileUse, OutputReason, Result, unknown_name};

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
    /// The new file takes its place, whole or not at all.
    Replace,
}

fn unknown(name: &str) -> Error {
    unknown_name::<IfExists>("what happens to a file that exists", name)
}

/// The content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::file(FileUse::Read, path, source))
}

/// Refuses a path that could not be written.
pub(crate) fn check(path: &Path, if_exists: IfExists) -> Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(Error::output(path, OutputReason::NoFolder(folder.into())));
    }
    if path.is_dir() {
        let source = std::io::Error::from(std::io::ErrorKind::IsADirectory);
        return Err(Error::file(FileUse::Write, path, source));
    }
    if path.exists() && if_exists == IfExists::Refuse {
        return Err(Error::output(path, OutputReason::Exists));
    }
    temporary(path).map(|_| ())
}

/// Writes `bytes` to a temporary file beside `path`, which then takes its name.
pub(crate) fn write(path: &Path, bytes: &[u8], if_exists: IfExists) -> Result<()> {
    check(path, if_exists)?;
    let writing = |source| Error::file(FileUse::Write, path, source);
    let mut file = temporary(path)?;
    file.write_all(bytes).map_err(writing)?;
    file.as_file().sync_all().map_err(writing)?;
    let renamed = match if_exists {
        IfExists::Replace => file.persist(path),
        IfExists::Refuse => file.persist_noclobber(path),
    };
    renamed.map(|_| ()).map_err(|error| writing(error.error))
}

fn temporary(path: &Path) -> Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ranvgg-").suffix(".tmp");
    // Temporary files are private by default; the output should be readable as any new file is.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
        .tempfile_in(folder_of(path))
        .map_err(|source| Error::file(FileUse::Write, path, source))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
