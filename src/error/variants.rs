//! The error type, and constructors for the crate.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use super::{DeviceReason, FileUse, ImageReason, OutputReason, TensorReason};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call was refused or a run could not go on.
///
/// The message of an error that has a [source](StdError::source) does not repeat the source's. Print
/// the chain to tell the whole:
///
/// ```
/// use std::error::Error;
///
/// fn whole(error: &dyn Error) -> String {
///     match error.source() {
///         Some(source) => format!("{error}: {}", whole(source)),
///         None => error.to_string(),
///     }
/// }
///
/// let error = ranvgg::RandomVgg::load_recipe("no/such.json").unwrap_err();
/// assert_eq!(error.to_string(), "cannot read `no/such.json`");
/// assert!(whole(&error).starts_with("cannot read `no/such.json`: "));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No layer has this name.
    #[error("unknown layer `{name}`; the nearest of {architecture} are {}", nearest.join(", "))]
    UnknownLayer {
        /// The name given.
        name: String,
        /// The network asked.
        architecture: String,
        /// Names that look most like it.
        nearest: Vec<String>,
    },
    /// An option has a value outside of what is allowed.
    #[error("{name} is {value}; allowed: {allowed}")]
    InvalidOption {
        /// The option.
        name: String,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A layer cannot be computed from an image of this size.
    #[error("{what} is {width}x{height}; layer {layer} {reason}")]
    ImageSize {
        /// Which image.
        what: String,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The layer.
        layer: String,
        /// Why it cannot.
        reason: ImageReason,
    },
    /// A tensor has a shape that does not fit.
    #[error("{what} has shape {found:?}; expected {expected}")]
    Shape {
        /// Which tensor.
        what: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: String,
    },
    /// A picture has not as many channels as the network reads.
    #[error("{what} has {found} channels; the network reads {expected}")]
    Channels {
        /// Which picture.
        what: String,
        /// Its channels.
        found: usize,
        /// Those that the network reads.
        expected: usize,
    },
    /// Numbers that should be finite are not.
    #[error("{what} holds {value}; allowed: finite numbers")]
    NotFinite {
        /// What holds them.
        what: String,
        /// The first offending value.
        value: f32,
    },
    /// A file, or its content, cannot be used.
    #[error("cannot {}", wanted.of(path.as_deref()))]
    File {
        /// The file; none where its content was given.
        path: Option<PathBuf>,
        /// What was wanted of it.
        wanted: FileUse,
        /// Why that failed.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A path is refused as an output; nothing was written.
    #[error("{}", reason.of(path))]
    Output {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: OutputReason,
    },
    /// A run cannot go on from the checkpoint of another run.
    #[error("cannot go on from `{}`: {what} is {found}; the checkpoint has {expected}", path.display())]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// What differs, for example `options.run.seed`.
        what: String,
        /// What the run was given.
        found: String,
        /// What the checkpoint's run was given.
        expected: String,
    },
    /// A tensor of a weight file is not there, or of another type.
    #[error("the tensor `{name}` of the weights {reason}")]
    Tensor {
        /// Its key.
        name: String,
        /// What is wrong with it.
        reason: TensorReason,
    },
    /// A device cannot be used.
    #[error("{}", reason.of(name))]
    DeviceUnavailable {
        /// The name it was asked for by.
        name: String,
        /// Why.
        reason: DeviceReason,
    },
    /// Two things that must live on one device do not.
    #[error("{what} lives on {found}; expected {expected}")]
    DeviceMismatch {
        /// Which tensor.
        what: String,
        /// Its device.
        found: String,
        /// The device it should be on.
        expected: String,
    },
    /// The system refuses the threads that compute; what it said. Runs on a GPU need them, too.
    #[error("cannot start the threads of the processor: {0}; RAYON_NUM_THREADS asks for fewer")]
    Threads(String),
    /// A device failed while it computed.
    #[error("the device failed: {0}")]
    Device(String),
}

impl Error {
    pub(crate) fn device(error: impl std::fmt::Debug) -> Self {
        Self::Device(format!("{error:?}"))
    }

    pub(crate) fn option(
        name: impl Into<String>,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self::InvalidOption {
            name: name.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    pub(crate) fn image_size(
        what: impl Into<String>,
        [width, height]: [usize; 2],
        layer: impl ToString,
        reason: ImageReason,
    ) -> Self {
        Self::ImageSize {
            what: what.into(),
            width,
            height,
            layer: layer.to_string(),
            reason,
        }
    }

    /// The content of a file could not be used; [`at`](Self::at) says of which.
    pub(crate) fn content(
        wanted: FileUse,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::File {
            path: None,
            wanted,
            source: source.into(),
        }
    }

    pub(crate) fn file(
        wanted: FileUse,
        path: &Path,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::content(wanted, source).at(path)
    }

    /// The same error, of the file at `path` if it is about a file that has none yet.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        if let Self::File {
            path: place @ None, ..
        } = &mut self
        {
            *place = Some(path.into());
        }
        self
    }

    pub(crate) fn output(path: &Path, reason: OutputReason) -> Self {
        Self::Output {
            path: path.into(),
            reason,
        }
    }

    pub(crate) fn missing_tensor(name: impl Into<String>) -> Self {
        Self::Tensor {
            name: name.into(),
            reason: TensorReason::Missing,
        }
    }

    pub(crate) fn unavailable(name: impl Into<String>, reason: DeviceReason) -> Self {
        Self::DeviceUnavailable {
            name: name.into(),
            reason,
        }
    }

    pub(crate) fn no_adapter(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::unavailable(name, DeviceReason::NoAdapter(reason.into()))
    }
}
