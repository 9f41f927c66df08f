//! How a picture was made, inside the picture: as a text of PNG, a comment of JPEG, the description of
//! TIFF.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use derive_setters::Setters;
use image::{DynamicImage, ImageFormat};
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tiff::TiffError;
use tiff::encoder::colortype::{self, ColorType};
use tiff::encoder::{TiffEncoder, TiffValue};
use tiff::tags::Tag;

use super::io::Limits;
use super::source;
use crate::error::{Error, FileUse, Result};

/// Most bytes of a document that is written or read.
const LARGEST: usize = 1 << 20;

/// Most bytes of it in a comment of JPEG, whose segments hold 65533.
const PIECE: usize = 60_000;

/// What a document begins with where other programs write texts too.
const MARK: &str = "ranvgg ";

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
    /// What was done: `texture`, `maps`, `style`, `inversion`, or another program's word.
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
        let content = source::read(path, Limits::default().bytes)?;
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
    /// [`RandomVgg::to_recipe`](crate::RandomVgg::to_recipe) writes it.
    #[must_use]
    pub fn with_network(mut self, recipe: &str) -> Self {
        self.network = serde_json::from_str(recipe).ok();
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
    fn document(&self) -> Result<String> {
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

    fn read(document: &[u8]) -> Result<Self> {
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

/// What a PNG, JPEG or TIFF file says of how it was made; none if it was not written by
/// [`save_with`](super::save_with).
///
/// # Errors
///
/// [`Error::File`] if the file cannot be read, is none of these formats, or is damaged, or if what it
/// says is damaged or longer than 1 MiB.
pub fn provenance(path: impl AsRef<Path>) -> Result<Option<Provenance>> {
    let path = path.as_ref();
    let bytes = source::read(path, Limits::default().bytes)?;
    let found = match image::guess_format(&bytes) {
        Ok(ImageFormat::Png) => of_png(bytes),
        Ok(ImageFormat::Jpeg) => of_jpeg(bytes),
        Ok(ImageFormat::Tiff) => of_tiff(bytes),
        _ => Err(unusable("it is no PNG, JPEG or TIFF file")),
    };
    found.map_err(|error| error.at(path))
}

/// A file of `image` with `provenance` inside; `bytes` are the file without it.
pub(super) fn embedded(
    image: &DynamicImage,
    (format, bytes): (ImageFormat, Vec<u8>),
    provenance: &Provenance,
) -> Result<Vec<u8>> {
    let document = provenance.document()?;
    match format {
        ImageFormat::Png => with_texts(bytes, provenance, &document),
        ImageFormat::Jpeg => with_comments(bytes, &document),
        _ => tiff_with_description(image, &document).map_err(unusable),
    }
}

fn unusable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::content(FileUse::Provenance, source)
}

fn with_texts(bytes: Vec<u8>, provenance: &Provenance, document: &str) -> Result<Vec<u8>> {
    let mut png = Png::from_bytes(bytes.into()).map_err(unusable)?;
    let software = format!("ranvgg {}", provenance.version);
    let description = format!("{} by {software}", provenance.task);
    let texts = [
        ("Software", &*software),
        ("Description", &*description),
        ("ranvgg", document),
    ];
    // Right after the header, where programs look for texts first.
    for (place, (keyword, text)) in texts.into_iter().enumerate() {
        // No compression, language and translation.
        let contents = [keyword.as_bytes(), b"\0\0\0\0\0", text.as_bytes()].concat();
        let chunk = PngChunk::new(*b"iTXt", contents.into());
        png.chunks_mut().insert(1 + place, chunk);
    }
    Ok(png.encoder().bytes().to_vec())
}

fn of_png(bytes: Vec<u8>) -> Result<Option<Provenance>> {
    let png = Png::from_bytes(bytes.into()).map_err(unusable)?;
    for chunk in png.chunks_by_type(*b"iTXt") {
        if let Some(document) = chunk.contents().strip_prefix(b"ranvgg\0\0\0\0\0") {
            return Provenance::read(document).map(Some);
        }
    }
    Ok(None)
}

fn with_comments(bytes: Vec<u8>, document: &str) -> Result<Vec<u8>> {
    let mut jpeg = Jpeg::from_bytes(bytes.into()).map_err(unusable)?;
    let pieces = document.as_bytes().chunks(PIECE);
    // After the first segment, JFIF's own, which has to be the first.
    for (place, piece) in pieces.enumerate() {
        let contents = [MARK.as_bytes(), piece].concat();
        let segment = JpegSegment::new_with_contents(markers::COM, contents.into());
        jpeg.segments_mut().insert(1 + place, segment);
    }
    Ok(jpeg.encoder().bytes().to_vec())
}

fn of_jpeg(bytes: Vec<u8>) -> Result<Option<Provenance>> {
    let jpeg = Jpeg::from_bytes(bytes.into()).map_err(unusable)?;
    let mut document = Vec::new();
    for segment in jpeg.segments_by_marker(markers::COM) {
        if let Some(piece) = segment.contents().strip_prefix(MARK.as_bytes()) {
            document.extend(piece);
        }
    }
    if document.is_empty() {
        return Ok(None);
    }
    Provenance::read(&document).map(Some)
}

fn tiff_with_description(image: &DynamicImage, document: &str) -> Result<Vec<u8>, TiffError> {
    use colortype::{Gray8, Gray16, RGB8, RGB16, RGBA8, RGBA16};

    fn written<C: ColorType>(
        (width, height): (u32, u32),
        values: &[C::Inner],
        text: &str,
    ) -> Result<Vec<u8>, TiffError>
    where
        [C::Inner]: TiffValue,
    {
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes)?;
        let mut image = encoder.new_image::<C>(width, height)?;
        image.encoder().write_tag(Tag::ImageDescription, text)?;
        image.write_data(values)?;
        Ok(bytes.into_inner())
    }

    let text = format!("{MARK}{document}");
    match image {
        DynamicImage::ImageLuma8(it) => written::<Gray8>(it.dimensions(), it, &text),
        DynamicImage::ImageLuma16(it) => written::<Gray16>(it.dimensions(), it, &text),
        DynamicImage::ImageRgb8(it) => written::<RGB8>(it.dimensions(), it, &text),
        DynamicImage::ImageRgb16(it) => written::<RGB16>(it.dimensions(), it, &text),
        DynamicImage::ImageRgba8(it) => written::<RGBA8>(it.dimensions(), it, &text),
        DynamicImage::ImageRgba16(it) => written::<RGBA16>(it.dimensions(), it, &text),
        other => tiff_with_description(&other.to_rgba16().into(), document),
    }
}

fn of_tiff(bytes: Vec<u8>) -> Result<Option<Provenance>> {
    // Its own limits refuse tags that are longer than 1 MiB.
    let mut decoder = tiff::decoder::Decoder::new(Cursor::new(bytes)).map_err(unusable)?;
    let tag = decoder.find_tag(Tag::ImageDescription).map_err(unusable)?;
    let text = tag.and_then(|tag| tag.into_string().ok());
    match text.as_deref().and_then(|text| text.strip_prefix(MARK)) {
        Some(document) => Provenance::read(document.as_bytes()).map(Some),
        None => Ok(None),
    }
}
