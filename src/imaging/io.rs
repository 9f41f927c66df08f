//! Files in and out: read within limits, written whole or not at all.

use std::io::Cursor;
use std::path::Path;

use derive_setters::Setters;
use image::error::{UnsupportedError, UnsupportedErrorKind};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader};
use serde::{Deserialize, Serialize};

use crate::error::{Error, FileUse, OutputReason, Result};
use crate::file::{self, IfExists};

/// Limits on an image file that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct Limits {
    /// Most pixels of a side. Default: 16384.
    pub side: u32,
    /// Most bytes that decoding may allocate. Default: 1 GiB.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            side: 16384,
            bytes: 1 << 30,
        }
    }
}

/// Endings of files that can be written.
const WRITABLE: &str = ".png, .jpg, .jpeg, .tif, .tiff";

/// Reads a PNG, JPEG or TIFF file. The format is found from the content, not from the name.
///
/// # Errors
///
/// [`Error::File`] if there is no such file, or if it is empty, cut off, not an image, or beyond
/// `limits`.
pub fn open(path: impl AsRef<Path>, limits: Limits) -> Result<DynamicImage> {
    let path = path.as_ref();
    // Read first: an image that is written over its own input must not lose it half-way, and a
    // folder or device gives one clear error.
    let bytes = file::read(path)?;
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| Error::file(FileUse::Read, path, source))?;
    let mut allowed = image::Limits::default();
    allowed.max_image_width = Some(limits.side);
    allowed.max_image_height = Some(limits.side);
    allowed.max_alloc = Some(limits.bytes);
    reader.limits(allowed);
    reader
        .decode()
        .map_err(|source| Error::file(FileUse::DecodeImage, path, source))
}

/// Refuses an output that could not be written: call it before a long run.
///
/// # Errors
///
/// [`Error::Output`] for a name that does not end in .png, .jpg, .jpeg, .tif or .tiff, if its folder
/// does not exist, or if the file does and `if_exists` is [`IfExists::Refuse`]. [`Error::File`] if its
/// folder takes no files.
pub fn check_output(path: impl AsRef<Path>, if_exists: IfExists) -> Result<()> {
    let path = path.as_ref();
    format_of(path)?;
    file::check(path, if_exists)
}

/// Writes an image in the format that the path ends in. The bytes go to a temporary file in the same
/// folder, which then takes the path's name, so that the file is never half-written.
///
/// # Errors
///
/// Those of [`check_output`], and [`Error::File`] if the format cannot hold the image (JPEG holds
/// 8 bits a channel).
pub fn save(image: &DynamicImage, path: impl AsRef<Path>, if_exists: IfExists) -> Result<()> {
    let path = path.as_ref();
    check_output(path, if_exists)?;
    let format = format_of(path)?;
    let encoding = |source| Error::file(FileUse::EncodeImage, path, source);
    let color = image.color();
    if format == ImageFormat::Jpeg && color.bytes_per_pixel() > color.channel_count() {
        // The encoder would drop the extra depth without a word.
        let kind = UnsupportedErrorKind::Color(color.into());
        let error = UnsupportedError::from_format_and_kind(format.into(), kind);
        return Err(encoding(ImageError::Unsupported(error)));
    }
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).map_err(encoding)?;
    file::write(path, bytes.get_ref(), if_exists)
}

fn format_of(path: &Path) -> Result<ImageFormat> {
    match ImageFormat::from_path(path) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Tiff)) => Ok(format),
        _ => Err(Error::output(
            path,
            OutputReason::Format { allowed: WRITABLE },
        )),
    }
}
