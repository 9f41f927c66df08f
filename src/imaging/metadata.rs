//! How a picture was made, inside the picture: as a text of PNG, a comment of JPEG, the description of
//! TIFF.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat};
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use tiff::TiffError;
use tiff::encoder::colortype::{self, ColorType};
use tiff::encoder::{TiffEncoder, TiffValue};
use tiff::tags::Tag;

use super::io::Limits;
use super::provenance::Provenance;
use crate::error::{Error, FileUse, Result};
use crate::file;

/// Most bytes of it in a comment of JPEG, whose segments hold 65533.
const PIECE: usize = 60_000;

/// What a document begins with where other programs write texts too.
const MARK: &str = "ranvgg ";

/// What a PNG, JPEG or TIFF file says of how it was made; none if it was not written by
/// [`save_with`](super::save_with).
///
/// # Errors
///
/// [`Error::File`] if the file cannot be read, is none of these formats, or is damaged, or if what it
/// says is damaged or longer than 1 MiB.
pub fn provenance(path: impl AsRef<Path>) -> Result<Option<Provenance>> {
    let path = path.as_ref();
    let bytes = file::read(path, Limits::default().bytes, FileUse::Provenance)?;
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
    use colortype::{Gray8, Gray16, RGB8, RGB16, RGB32Float, RGBA8, RGBA16, RGBA32Float};

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
        DynamicImage::ImageRgb32F(it) => written::<RGB32Float>(it.dimensions(), it, &text),
        DynamicImage::ImageRgba32F(it) => written::<RGBA32Float>(it.dimensions(), it, &text),
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
