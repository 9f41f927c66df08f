//! Pictures that are read, and those that the program brings along.

use std::path::Path;

use image::DynamicImage;
use image::imageops::FilterType;
use ranvgg::Size;
use ranvgg::imaging::{self, Limits};

use crate::failure::Result;
use crate::values::{InSize, SIDE};

/// A picture inside of the program, for a first try without files.
#[derive(Clone, Copy)]
pub(crate) struct Bundled {
    /// What results made of it are called after.
    pub(crate) name: &'static str,
    bytes: &'static [u8],
}

pub(crate) const GRAVEL: Bundled = Bundled {
    name: "gravel",
    bytes: include_bytes!("../../../examples/images/gravel.png"),
};
pub(crate) const CAT: Bundled = Bundled {
    name: "cat",
    bytes: include_bytes!("../../../examples/images/cat.png"),
};
pub(crate) const LAUNCH: Bundled = Bundled {
    name: "launch",
    bytes: include_bytes!("../../../examples/images/launch.png"),
};
pub(crate) const STROKES: Bundled = Bundled {
    name: "strokes",
    bytes: include_bytes!("../../../examples/images/strokes.png"),
};

/// Reads a picture.
pub(crate) fn open(path: &Path) -> Result<DynamicImage> {
    Ok(imaging::open(path, Limits::default())?)
}

/// Reads a map of a material, whose values are no colours.
pub(crate) fn open_data(path: &Path) -> Result<DynamicImage> {
    Ok(imaging::open_data(path, Limits::default())?)
}

/// Reads a picture, or one that comes with the program.
pub(crate) fn open_or(path: Option<&Path>, bundled: Bundled) -> Result<DynamicImage> {
    match path {
        Some(path) => open(path),
        None => Ok(image::load_from_memory(bundled.bytes)?),
    }
}

/// Brought to the size asked for. Of a large one it is asked first whether memory holds what it is for.
pub(crate) fn resized(picture: DynamicImage, wanted: Option<InSize>) -> Result<DynamicImage> {
    let size = brought_size(&picture, wanted)?;
    let (width, height) = (size.width as u32, size.height as u32);
    Ok(match wanted {
        Some(_) => picture.resize_exact(width, height, FilterType::Lanczos3),
        None => picture,
    })
}

/// The size of a picture in a file; none if the file does not tell.
pub(crate) fn dimensions(path: &Path) -> Option<Size> {
    imaging::dimensions(path, Limits::default()).ok()
}

/// The size of a picture when it is [resized], within the limits of pictures.
pub(crate) fn brought_size(picture: &DynamicImage, wanted: Option<InSize>) -> Result<Size> {
    let Some(wanted) = wanted else {
        return Ok(Size::new(
            picture.width() as usize,
            picture.height() as usize,
        ));
    };
    let size = brought(picture.width(), picture.height(), wanted);
    if size.width.max(size.height) > SIDE {
        return Err(
            format!("--in-size brings a picture to {size}; allowed: sides up to {SIDE}").into(),
        );
    }
    // As large as a file's picture may be.
    let (bytes, most) = (12 * size.pixels() as u64, Limits::default().bytes);
    if bytes > most {
        let (bytes, most) = (bytes >> 20, most >> 20);
        return Err(format!(
            "--in-size brings a picture to {size}, which takes {bytes} MiB; allowed: up to {most} MiB"
        )
        .into());
    }
    Ok(size)
}

fn brought(width: u32, height: u32, wanted: InSize) -> Size {
    match wanted {
        InSize::Exactly(size) => size,
        InSize::Shorter(side) => {
            let factor = side as f64 / f64::from(width.min(height));
            let scaled = |side: u32| ((f64::from(side) * factor).round() as usize).max(1);
            Size::new(scaled(width), scaled(height))
        }
    }
}
