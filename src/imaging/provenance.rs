//! How a picture was made, as one document.

use std::collections::BTreeMap;
use std::path::Path;

use derive_setters::Setters;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::io::Limits;
use crate::error::{Error, FileUse, Result};
use crate::file;

/// Most bytes of a document that is written or read.
const LARGEST: usize = 1 << 20;

/// How a picture was made: enough to make it again, where its inputs are there.
///
/// ```
/// use ranvgg::imaging::Provenance;
///
/// let made = Provenance::of("texture")
///     .with_arguments(["texture", "moss.jpg", "--seed", "7"])
///     .with_seed("start", 7);
/// assert_eq!(made.version, env!("CARGO_PKG_VERSION"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Setters)]
#[serde(default)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct Provenance {
    /// The version of this crate.
    #[setters(skip)]
    pub version: String,
    /// What was done: `texture`, `maps`, `style`, `invert`, or another program's word.
    #[setters(into)]
    pub task: String,
    /// The arguments of the program, without its own name.
    #[setters(skip)]
    pub arguments: Vec<String>,
    /// The task's options, as serde writes them.
    pub options: Value,
    /// Seeds by what they seed.
    #[setters(skip)]
    pub seeds: BTreeMap<String, u64>,
    /// The network's recipe.
    #[setters(skip)]
    pub network: Option<Value>,
    /// The files that it was made from.
    #[setters(skip)]
    pub inputs: Vec<InputFile>,
}

/// A file that a picture was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputFile {
    /// Its path, as it was given.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

impl InputFile {
    /// The file at `path`, whose content is read and hashed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it is no regular file or cannot be read.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let content = file::read(path, Limits::default().bytes, FileUse::Read)?;
        let digest = Sha256::digest(&content);
        Ok(Self {
            path: path.display().to_string(),
            bytes: content.len() as u64,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// Whether the file is what it was.
    ///
    /// # Errors
    ///
    /// Those of [`of`](Self::of): it may not be there any more.
    pub fn is_unchanged(&self) -> Result<bool> {
        Ok(Self::of(&self.path)? == *self)
    }
}

impl Provenance {
    /// Of a task, by this version of the crate.
    #[must_use]
    pub fn of(task: impl Into<String>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            task: task.into(),
            ..Self::default()
        }
    }

    /// Sets [`arguments`](Self::arguments). What is no Unicode is replaced by U+FFFD.
    #[must_use]
    pub fn with_arguments(
        mut self,
        arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> Self {
        let arguments = arguments.into_iter();
        self.arguments = arguments
            .map(|argument| argument.as_ref().to_string_lossy().into_owned())
            .collect();
        self
    }

    /// Adds a seed.
    #[must_use]
    pub fn with_seed(mut self, of: impl Into<String>, seed: u64) -> Self {
        self.seeds.insert(of.into(), seed);
        self
    }

    /// Sets [`network`](Self::network) to a recipe, as
    /// [`RandomVgg::to_recipe`](crate::RandomVgg::to_recipe) writes it. Another text is kept as it is.
    #[must_use]
    pub fn with_network(mut self, recipe: &str) -> Self {
        let text = |_| Value::String(recipe.into());
        self.network = Some(serde_json::from_str(recipe).unwrap_or_else(text));
        self
    }

    /// Adds an input, whose content is read and hashed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it is no regular file or cannot be read.
    pub fn with_input(mut self, path: impl AsRef<Path>) -> Result<Self> {
        self.inputs.push(InputFile::of(path)?);
        Ok(self)
    }

    /// As JSON of ASCII characters, which all formats hold.
    pub(super) fn document(&self) -> Result<String> {
        let json = serde_json::to_string(self)
            .map_err(|source| Error::content(FileUse::Provenance, source))?;
        let mut document = String::with_capacity(json.len());
        for letter in json.chars() {
            // Beyond ASCII there are only letters inside of strings.
            if letter.is_ascii() {
                document.push(letter);
            } else {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    document.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        fitting(document.len())?;
        Ok(document)
    }

    pub(super) fn read(document: &[u8]) -> Result<Self> {
        fitting(document.len())?;
        serde_json::from_slice(document)
            .map_err(|source| Error::content(FileUse::Provenance, source))
    }
}

fn fitting(bytes: usize) -> Result<()> {
    if bytes <= LARGEST {
        return Ok(());
    }
    let said = format!("it has {bytes} bytes; allowed: up to {LARGEST}");
    Err(Error::content(FileUse::Provenance, said))
}
