//! What can go wrong, as data: which thing, which value, what is allowed.

use std::path::PathBuf;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call was refused or a run could not go on.
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
    /// An image is too small for the deepest layer that a task uses.
    #[error("{what} is {width}x{height}; layer {layer} needs at least {minimum}x{minimum} pixels")]
    ImageTooSmall {
        /// Which image.
        what: String,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The layer.
        layer: String,
        /// The smallest side that the layer can be computed from.
        minimum: usize,
    },
    /// A map of an image is larger than a device can hold in one buffer.
    #[error(
        "{what} is {width}x{height}; its map at {layer} takes {map} bytes, and a buffer of the device \
         holds {largest}"
    )]
    ImageTooLarge {
        /// Which image.
        what: String,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The layer.
        layer: String,
        /// Bytes of its map there.
        map: u64,
        /// Bytes that the device's largest buffer holds.
        largest: u64,
    },
    /// A layer is defined for one image size only.
    #[error("{what} is {width}x{height}; layer {layer} is fully connected and needs {size}x{size}")]
    ImageSize {
        /// Which image.
        what: String,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The layer.
        layer: String,
        /// The side it needs.
        size: usize,
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
    /// A file could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold an image that can be decoded.
    #[error("cannot decode `{}` as an image: {source}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: image::ImageError,
    },
    /// An output file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An image cannot be encoded.
    #[error("cannot encode `{}`: {source}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: image::ImageError,
    },
    /// An output exists already.
    #[error("`{}` exists already; choose another name or allow overwriting", path.display())]
    OutputExists {
        /// The file.
        path: PathBuf,
    },
    /// An output's folder does not exist.
    #[error("the folder `{}` of the output `{}` does not exist", folder.display(), path.display())]
    NoFolder {
        /// The output.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// An output's name does not end in a known image format.
    #[error("`{}` does not end in a format that can be written; allowed: {allowed}", path.display())]
    UnknownFormat {
        /// The output.
        path: PathBuf,
        /// Known endings.
        allowed: &'static str,
    },
    /// A recipe does not describe a network.
    #[error("the recipe is not valid: {0}")]
    Recipe(#[source] serde_json::Error),
    /// The report of a greedy stack cannot be read or written.
    #[error("the report `{}` is not valid: {source}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file or buffer is not in the safetensors format.
    #[error("not a valid safetensors file: {0}")]
    Safetensors(#[source] safetensors::SafeTensorError),
    /// A file of weights is neither safetensors nor what `torch.save` writes.
    #[error("cannot read weights from `{}`: {source}", path.display())]
    PyTorch {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<pytorch_reader::PytorchError>,
    },
    /// The values of a tensor cannot be read from its file.
    #[error("cannot read the tensor `{name}`: {source}")]
    TensorData {
        /// Its key.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// Weights lack a tensor.
    #[error("the weights hold no tensor `{name}`")]
    MissingTensor {
        /// Its key.
        name: String,
    },
    /// A tensor of a weight file has a type that is not read.
    #[error("tensor `{name}` has type {found}; allowed: F16, BF16, F32 and F64")]
    TensorType {
        /// Its key.
        name: String,
        /// Its type.
        found: String,
    },
    /// No device has this name.
    #[error("unknown device `{name}`; known names: {known}")]
    UnknownDevice {
        /// The name given.
        name: String,
        /// Names that exist.
        known: String,
    },
    /// A device's backend was not compiled in.
    #[error("device `{name}` needs the crate feature `{feature}`, which was not compiled in")]
    BackendNotCompiled {
        /// The device asked for.
        name: String,
        /// The feature that brings it.
        feature: String,
    },
    /// A backend is compiled in but nothing answers.
    #[error("no adapter answers for device `{name}`: {reason}")]
    NoAdapter {
        /// The device asked for.
        name: String,
        /// What the backend said.
        reason: String,
    },
    /// A device computes something else than it should.
    #[error("device `{name}` ({adapter}) computes wrong results and is not used: {reason}")]
    WrongResults {
        /// The device.
        name: String,
        /// Its adapter and driver.
        adapter: String,
        /// What was wrong.
        reason: String,
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
}

/// Refuses the first value that is not finite.
pub(crate) fn all_finite(what: impl Into<String>, values: &[f32]) -> Result<()> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(Error::NotFinite {
            what: what.into(),
            value,
        }),
        None => Ok(()),
    }
}

/// Refuses a number that is not finite and greater than zero.
pub(crate) fn positive(name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(Error::option(name, value, "finite numbers above 0"))
    }
}

/// Refuses a number that is not finite or below zero.
pub(crate) fn not_negative(name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::option(name, value, "finite numbers from 0 up"))
    }
}

/// Refuses a count of zero.
pub(crate) fn at_least_one(name: &str, value: usize) -> Result<()> {
    if value >= 1 {
        Ok(())
    } else {
        Err(Error::option(name, value, "whole numbers from 1 up"))
    }
}

/// What is said of a name that none of the values of `T` has; `what` is what they are names of.
pub(crate) fn unknown_name<T: strum::VariantNames>(what: &str, name: &str) -> Error {
    Error::option(what, format!("`{name}`"), T::VARIANTS.join(", "))
}
