//! Files that are written whole or not at all.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// The content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}

/// Refuses a path that could not be written.
pub(crate) fn check(path: &Path, overwrite: bool) -> Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(Error::NoFolder {
            path: path.into(),
            folder: folder.into(),
        });
    }
    if path.is_dir() {
        return Err(Error::Write {
            path: path.into(),
            source: std::io::ErrorKind::IsADirectory.into(),
        });
    }
    if path.exists() && !overwrite {
        return Err(Error::OutputExists { path: path.into() });
    }
    temporary(path).map(|_| ())
}

/// Writes `bytes` to a temporary file beside `path`, which then takes its name.
pub(crate) fn write(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
    check(path, overwrite)?;
    let writing = |source| Error::Write {
        path: path.into(),
        source,
    };
    let mut file = temporary(path)?;
    file.write_all(bytes).map_err(writing)?;
    file.as_file().sync_all().map_err(writing)?;
    let renamed = if overwrite {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
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
        .map_err(|source| Error::Write {
            path: path.into(),
            source,
        })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
