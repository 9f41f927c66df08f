//! File formats beside PNG, in which a set can be written too.

#[cfg(feature = "exr")]
use std::fs;
use std::path::Path;

use clap::ValueEnum;
use image::DynamicImage;
use ranvgg::IfExists;
use ranvgg::imaging::{self, Provenance};

use super::Result;

/// A format of single maps. The glTF material takes PNG alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// TIFF with the bits of each map
    Tif,
    /// OpenEXR in f32, values as they are in the PNG, 0 to 1
    #[cfg(feature = "exr")]
    Exr,
}

impl Format {
    /// The end of the names of its files.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Tif => "tif",
            #[cfg(feature = "exr")]
            Self::Exr => "exr",
        }
    }

    /// Writes a map to a file that is not there yet.
    pub(super) fn write(
        self,
        image: &DynamicImage,
        path: &Path,
        made: Option<&Provenance>,
    ) -> Result<()> {
        match (self, made) {
            (Self::Tif, Some(made)) => imaging::save_with(image, path, IfExists::Refuse, made)?,
            (Self::Tif, None) => imaging::save(image, path, IfExists::Refuse)?,
            #[cfg(feature = "exr")]
            (Self::Exr, _) => {
                let mut bytes = std::io::Cursor::new(Vec::new());
                let image = DynamicImage::from(image.to_rgb32f());
                image.write_to(&mut bytes, image::ImageFormat::OpenExr)?;
                fs::write(path, bytes.into_inner())?;
            }
        }
        Ok(())
    }
}
