//! The maps of a set, read, and made anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use image::DynamicImage;
use ranvgg::imaging::{self, Limits};
use ranvgg::{Picture, Size};

use super::Result;
use super::found::Found;
use super::kind::Kind;

/// The maps of one surface, of one size.
pub(super) struct Set {
    pub(super) maps: BTreeMap<Kind, DynamicImage>,
    /// Whether the file of the normals has 16 bits a channel.
    pub(super) deep_normals: bool,
}

impl Set {
    /// Reads the files of a set.
    pub(super) fn read(found: &Found) -> Result<Self> {
        let mut files: BTreeMap<&PathBuf, DynamicImage> = BTreeMap::new();
        for (kind, place) in &found.places {
            if !files.contains_key(&place.file) {
                let image = match kind {
                    Kind::Albedo => imaging::open(&place.file, Limits::default())?,
                    _ => imaging::open_data(&place.file, Limits::default())?,
                };
                within_range(&image, &place.file)?;
                files.insert(&place.file, image);
            }
        }
        one_size(&files)?;
        let mut maps = BTreeMap::new();
        let mut deep_normals = false;
        for (kind, place) in &found.places {
            let file = &files[&place.file];
            deep_normals |= *kind == Kind::Normal && is_deep(file);
            maps.insert(*kind, prepared(*kind, file, place.channel));
        }
        Ok(Self { maps, deep_normals })
    }

    pub(super) fn size(&self) -> Size {
        let sizes = self.maps.values().map(size_of).next();
        sizes.unwrap_or(Size::square(0))
    }

    /// The maps that vary, stacked. A map of one value throughout says nothing about the others and
    /// needs no synthesis.
    pub(super) fn stack(&self) -> Picture {
        let varying = self.maps.values().filter(|map| !is_constant(map));
        Picture::maps(varying.cloned())
    }

    /// The set with `made` in place of the maps that vary, and the others at the same size.
    pub(super) fn remade(&self, made: Vec<DynamicImage>) -> Self {
        let mut made = made.into_iter();
        let mut maps = BTreeMap::new();
        let mut constant = Vec::new();
        for (kind, map) in &self.maps {
            match is_constant(map) {
                true => constant.push((*kind, map)),
                false => maps.extend(made.next().map(|made| (*kind, made))),
            }
        }
        let size = maps.values().map(size_of).next().unwrap_or(self.size());
        for (kind, map) in constant {
            let (width, height) = (size.width as u32, size.height as u32);
            // Of one value, the nearest pixel is as good as any.
            let filter = image::imageops::FilterType::Nearest;
            maps.insert(kind, map.resize_exact(width, height, filter));
        }
        Self {
            maps,
            deep_normals: self.deep_normals,
        }
    }
}

fn size_of(image: &DynamicImage) -> Size {
    Size::new(image.width() as usize, image.height() as usize)
}

fn is_deep(image: &DynamicImage) -> bool {
    image.color().bytes_per_pixel() > image.color().channel_count()
}

/// Files of floating point may hold heights in metres: encoding would clip them.
fn within_range(image: &DynamicImage, file: &std::path::Path) -> Result<()> {
    let values: &[f32] = match image {
        DynamicImage::ImageRgb32F(pixels) => pixels,
        DynamicImage::ImageRgba32F(pixels) => pixels,
        _ => return Ok(()),
    };
    let wrong = values.iter().find(|value| !(0.0..=1.0).contains(*value));
    match wrong {
        Some(value) => Err(format!(
            "`{}` holds the value {value}; allowed: values from 0 to 1",
            file.display()
        )
        .into()),
        None => Ok(()),
    }
}

fn one_size(files: &BTreeMap<&PathBuf, DynamicImage>) -> Result<()> {
    let mut sizes = files.iter().map(|(file, image)| (file, size_of(image)));
    let Some((first, expected)) = sizes.next() else {
        return Ok(());
    };
    match sizes.find(|(_, size)| *size != expected) {
        Some((file, size)) => Err(format!(
            "`{}` is {expected} and `{}` is {size}; maps of one surface have one size",
            first.display(),
            file.display()
        )
        .into()),
        None => Ok(()),
    }
}

/// A map with the channels of its kind. Normals and heights get 16 bits: normals to be rounded once,
/// when they have been brought to unit length, heights because 8 bits are steps on a surface.
fn prepared(kind: Kind, file: &DynamicImage, channel: Option<usize>) -> DynamicImage {
    let deep = is_deep(file);
    match kind {
        Kind::Albedo if file.color().has_alpha() => match deep {
            true => file.to_rgba16().into(),
            false => file.to_rgba8().into(),
        },
        Kind::Albedo => match deep {
            true => file.to_rgb16().into(),
            false => file.to_rgb8().into(),
        },
        Kind::Normal => file.to_rgb16().into(),
        // Greys are stored in colours too: any channel is the value.
        _ => {
            let channel = channel.unwrap_or(0);
            let grey = image::ImageBuffer::from_fn(file.width(), file.height(), {
                let colours = file.to_rgb16();
                move |x, y| image::Luma([colours.get_pixel(x, y).0[channel]])
            });
            let grey = DynamicImage::ImageLuma16(grey);
            match deep || kind == Kind::Height {
                true => grey,
                false => grey.to_luma8().into(),
            }
        }
    }
}

/// Whether a map has one value throughout.
fn is_constant(map: &DynamicImage) -> bool {
    let pixel = usize::from(map.color().bytes_per_pixel());
    let mut pixels = map.as_bytes().chunks_exact(pixel);
    let first = pixels.next();
    pixels.all(|other| Some(other) == first)
}
