//! Why something was refused: the data of the variants of [`Error`](crate::Error).

use std::path::{Path, PathBuf};

/// Why a layer cannot be computed from an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageReason {
    /// The image is too small.
    #[error("needs at least {minimum}x{minimum} pixels")]
    TooSmall {
        /// The shortest side that the layer can be computed from.
        minimum: usize,
    },
    /// The layer is fully connected and takes images of one size.
    #[error("is fully connected and needs {side}x{side}")]
    Fixed {
        /// The side of that size.
        side: usize,
    },
    /// The layer's map is larger than a buffer of the device.
    #[error("has a map of {map} bytes, and a buffer of the device holds {largest}")]
    TooLarge {
        /// Bytes of the map.
        map: u64,
        /// Bytes that the device's largest buffer holds.
        largest: u64,
    },
}

/// What was wanted of a file, or of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileUse {
    /// To read it.
    Read,
    /// To write it.
    Write,
    /// To decode it as an image.
    DecodeImage,
    /// To encode an image in its format.
    EncodeImage,
    /// To read or write how the picture was made.
    Provenance,
    /// To read it as the recipe of a network.
    Recipe,
    /// To read or write it as the report of a greedy stack.
    Report,
    /// To read or write it as the checkpoint of a run.
    Checkpoint,
    /// To read or write weights, as safetensors or as `torch.save` writes them.
    Weights,
    /// To read the values of one tensor of the weights.
    Tensor(String),
}

impl FileUse {
    /// What was wanted, as an infinitive without `to`.
    pub(super) fn of(&self, path: Option<&Path>) -> String {
        let file = match path {
            Some(path) => format!("`{}`", path.display()),
            None => "the bytes given".into(),
        };
        match self {
            Self::Read => format!("read {file}"),
            Self::Write => format!("write {file}"),
            Self::DecodeImage => format!("decode {file} as an image"),
            Self::EncodeImage => format!("encode {file}"),
            Self::Provenance => format!("use what {file} says of how it was made"),
            Self::Recipe => format!("use {file} as a recipe"),
            Self::Report => format!("use {file} as the report of a greedy stack"),
            Self::Checkpoint => format!("use {file} as a checkpoint"),
            Self::Weights => format!("use {file} as weights"),
            Self::Tensor(name) => format!("read the tensor `{name}` of {file}"),
        }
    }
}

/// Why a path is refused as an output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputReason {
    /// A file is there, and [`IfExists::Refuse`](crate::IfExists::Refuse) was asked for.
    Exists,
    /// Its folder does not exist.
    NoFolder(PathBuf),
    /// Its name does not end in an image format that can be written.
    Format {
        /// The endings that can.
        allowed: &'static str,
    },
}

impl OutputReason {
    pub(super) fn of(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Exists => format!("`{path}` exists already; choose another name or replace it"),
            Self::NoFolder(folder) => {
                let folder = folder.display();
                format!("the folder `{folder}` of the output `{path}` does not exist")
            }
            Self::Format { allowed } => {
                format!("`{path}` does not end in a format that can be written; allowed: {allowed}")
            }
        }
    }
}

/// What is wrong with a tensor of a weight file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorReason {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// Its numbers are of a type that is not read.
    #[error("has type {0}; allowed: F16, BF16, F32 and F64")]
    Type(String),
}

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceReason {
    /// No device has this name.
    Unknown {
        /// Names of backends.
        known: String,
    },
    /// Its backend was not compiled in.
    NotCompiled {
        /// The crate feature that brings it.
        feature: String,
    },
    /// The backend was compiled in, but nothing answers; what it said.
    NoAdapter(String),
    /// It computes something else than it should.
    WrongResults {
        /// Its adapter and driver.
        adapter: String,
        /// What was wrong.
        found: String,
    },
}

impl DeviceReason {
    pub(super) fn of(&self, name: &str) -> String {
        match self {
            Self::Unknown { known } => format!("unknown device `{name}`; known names: {known}"),
            Self::NotCompiled { feature } => format!(
                "device `{name}` needs the crate feature `{feature}`, which was not compiled in"
            ),
            Self::NoAdapter(reason) => format!("no adapter answers for device `{name}`: {reason}"),
            Self::WrongResults { adapter, found } => format!(
                "device `{name}` ({adapter}) computes wrong results and is not used: {found}"
            ),
        }
    }
}
