//! Files in and out: read within limits, written whole or not at all.

use std::io::Cursor;
use std::path::Path;

use derive_setters::Setters;
use image::error::{UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use serde::{Deserialize, Serialize};

use super::provenance::Provenance;
use super::{Size, jpeg, metadata, profile};
use crate::error::{Error, FileUse, OutputReason, Result, caught};
use crate::file::{self, IfExists};

/// Limits on an image file that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct Limits {
    /// Most pixels of a side. Default: 16384.
    pub side: u32,
    /// Most bytes of the file, of what decoding may allocate, and of the pixels as tasks hold them: 4
    /// bytes for each of at least three channels. Default: 1 GiB, which is 9459x9459 pixels of a
    /// photograph.
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

/// Most bytes of what a PNG file holds beside its picture.
const BESIDE: u64 = 64 << 20;

/// Endings of files that can be written.
const WRITABLE: &str = ".png, .jpg, .jpeg, .tif, .tiff";

/// Reads a PNG, JPEG or TIFF file, with the crate features `webp` and `exr` also these. The format is
/// found from the content, not from the name. The picture is turned as its EXIF data say. Colours of a
/// profile (ICC) other than sRGB are converted to sRGB; a profile that cannot be read is ignored.
///
/// # Errors
///
/// [`Error::File`] if there is no such file, if it is something else than a regular file, or if it is
/// empty, cut off, not an image, or beyond `limits`.
pub fn open(path: impl AsRef<Path>, limits: Limits) -> Result<DynamicImage> {
    let path = path.as_ref();
    without_panics(path, || {
        let (image, profile) = decoded(path, limits)?;
        Ok(match profile {
            Some(profile) => profile::to_srgb(image, &profile),
            None => image,
        })
    })
}

/// As [`open`], with the values as they are stored, whatever profile the file has: for normals, height
/// and other maps that are no colours.
///
/// # Errors
///
/// Those of [`open`].
pub fn open_data(path: impl AsRef<Path>, limits: Limits) -> Result<DynamicImage> {
    let path = path.as_ref();
    Ok(without_panics(path, || decoded(path, limits))?.0)
}

/// The size of the picture that [`open`] would give.
///
/// # Errors
///
/// Those of [`open`], but for damage beyond the file's head.
pub fn dimensions(path: impl AsRef<Path>, limits: Limits) -> Result<Size> {
    let path = path.as_ref();
    without_panics(path, || {
        let mut decoder = decoder(path, limits)?;
        let (width, height) = decoder.dimensions();
        let (width, height) = (width as usize, height as usize);
        Ok(match orientation(&mut decoder) {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => Size::new(height, width),
            _ => Size::new(width, height),
        })
    })
}

/// What `decode` gives. Decoders of other crates panic at some damaged files; such a panic is an error of the file.
fn without_panics<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(decode).unwrap_or_else(|text| {
        let said = format!("its decoder stopped: {text}");
        Err(Error::file(FileUse::DecodeImage, path, said))
    })
}

/// The picture of a file, the right way up, and its profile.
fn decoded(path: &Path, limits: Limits) -> Result<(DynamicImage, Option<Vec<u8>>)> {
    let mut decoder = decoder(path, limits)?;
    let orientation = orientation(&mut decoder);
    let profile = decoder.icc_profile().ok().flatten();
    let mut image = DynamicImage::from_decoder(decoder)
        .map_err(|source| Error::file(FileUse::DecodeImage, path, source))?;
    image.apply_orientation(orientation);
    Ok((image, profile))
}

/// How a picture has to be turned. What is damaged here does not hide the picture.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

/// The decoder of a file whose picture is within `limits`.
fn decoder(path: &Path, limits: Limits) -> Result<impl ImageDecoder> {
    let decoding = |source: ImageError| Error::file(FileUse::DecodeImage, path, source);
    // Read first: an image that is written over its own input must not lose it half-way.
    let bytes = file::read(path, limits.bytes, FileUse::DecodeImage)?;
    let length = bytes.len();
    let is_jpeg = jpeg::is_jpeg(&bytes);
    let cut = is_jpeg && !jpeg::is_whole(&bytes);
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| Error::file(FileUse::Read, path, source))?;
    let mut allowed = image::Limits::default();
    allowed.max_image_width = Some(limits.side);
    allowed.max_image_height = Some(limits.side);
    allowed.max_alloc = Some(match reader.format() {
        // Of PNG these are rows and what is beside the picture, among it a profile, compressed.
        Some(ImageFormat::Png) => limits.bytes.min(BESIDE),
        _ => limits.bytes,
    });
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(decoding)?;
    if cut {
        let said = "it is cut off: a JPEG without its end marker";
        return Err(Error::file(FileUse::DecodeImage, path, said));
    }
    let (width, height) = decoder.dimensions();
    if is_jpeg && length < jpeg::shortest(width, height) {
        let said = format!("its {length} bytes are too few for {width}x{height} pixels");
        return Err(Error::file(FileUse::DecodeImage, path, said));
    }
    // A small file can unfold to far more than it holds.
    let channels = u64::from(decoder.color_type().channel_count()).max(3);
    let bytes = (u64::from(width) * u64::from(height)).saturating_mul(4 * channels);
    if bytes > limits.bytes {
        let said = format!(
            "{width}x{height} pixels of {channels} channels take {} MiB; allowed: up to {} MiB",
            bytes >> 20,
            limits.bytes >> 20
        );
        return Err(Error::file(FileUse::DecodeImage, path, said));
    }
    Ok(decoder)
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
    file::write(path, &encoded(image, path)?.1, if_exists)
}

/// As [`save`], with how the picture was made inside the file: see [`provenance`](super::provenance()).
///
/// # Errors
///
/// Those of [`save`].
pub fn save_with(
    image: &DynamicImage,
    path: impl AsRef<Path>,
    if_exists: IfExists,
    provenance: &Provenance,
) -> Result<()> {
    let path = path.as_ref();
    check_output(path, if_exists)?;
    let plain = encoded(image, path)?;
    let bytes = metadata::embedded(image, plain, provenance).map_err(|error| error.at(path))?;
    file::write(path, &bytes, if_exists)
}

/// The file that `path` would be.
fn encoded(image: &DynamicImage, path: &Path) -> Result<(ImageFormat, Vec<u8>)> {
    let format = format_of(path)?;
    let encoding = |source| Error::file(FileUse::EncodeImage, path, source);
    let color = image.color();
    let deep = color.bytes_per_pixel() > color.channel_count();
    if format == ImageFormat::Jpeg && (deep || color.has_alpha()) {
        // The encoder would drop the extra depth, or the transparency, without a word.
        let kind = UnsupportedErrorKind::Color(color.into());
        let error = UnsupportedError::from_format_and_kind(format.into(), kind);
        return Err(encoding(ImageError::Unsupported(error)));
    }
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).map_err(encoding)?;
    Ok((format, bytes.into_inner()))
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
