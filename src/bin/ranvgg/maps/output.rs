//! The files of a set: named beforehand, written all or none.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use ranvgg::IfExists;
use ranvgg::imaging::{self, Provenance};

use super::Result;
use super::found::Found;
use super::gltf::{self, Material};
use super::kind::{Green, Kind, PACKED};
use super::normals;
use super::set::Set;

/// Where a set goes, and what its files are called.
pub(super) struct Output {
    folder: PathBuf,
    name: String,
    if_exists: IfExists,
    /// Whether normals for DirectX are wanted beside those for OpenGL, which glTF takes.
    direct_x: bool,
}

impl Output {
    pub(super) fn new(folder: PathBuf, name: String, force: bool, green: Green) -> Self {
        Self {
            folder,
            name,
            if_exists: match force {
                true => IfExists::Replace,
                false => IfExists::Refuse,
            },
            direct_x: green == Green::Dx,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn png(&self, suffix: &str) -> String {
        format!("{}_{suffix}.png", self.name)
    }

    /// The names of all files, of a set of the maps found.
    fn names(&self, found: &Found) -> Vec<String> {
        let kinds = found.places.keys();
        let mut names: Vec<String> = kinds.clone().map(|kind| self.png(kind.suffix())).collect();
        if self.direct_x && found.places.contains_key(&Kind::Normal) {
            names.push(self.png("normal_dx"));
        }
        if kinds.clone().any(|kind| PACKED.contains(kind)) {
            names.push(self.png("orm"));
        }
        names.push(format!("{}.bin", self.name));
        names.push(format!("{}.gltf", self.name));
        names
    }

    /// Refuses outputs that could not be written.
    pub(super) fn check(&self, found: &Found) -> Result<()> {
        if !self.folder.is_dir() {
            // The folder will be made: its own place is what counts.
            if self.folder.exists() {
                return Err(format!("the output `{}` is no folder", self.folder.display()).into());
            }
            let parent = parent_of(&self.folder);
            if !parent.is_dir() {
                let (parent, folder) = (parent.display(), self.folder.display());
                return Err(format!(
                    "the folder `{parent}` of the output `{folder}` does not exist"
                )
                .into());
            }
            tempfile::tempfile_in(parent)
                .map_err(|source| format!("cannot write into `{}`: {source}", parent.display()))?;
            return Ok(());
        }
        for name in self.names(found) {
            let path = self.folder.join(name);
            // Files of any ending are checked as a picture beside them would be.
            imaging::check_output(path.with_extension("png"), IfExists::Replace)?;
            if path.exists() && self.if_exists == IfExists::Refuse {
                let path = path.display();
                return Err(format!("`{path}` exists already; --force overwrites it").into());
            }
        }
        Ok(())
    }

    /// Writes the set: first into a folder beside the output, then under its names.
    pub(super) fn write(&self, set: &Set, provenance: &Provenance) -> Result<()> {
        let parent = match self.folder.is_dir() {
            true => self.folder.as_path(),
            false => parent_of(&self.folder),
        };
        let writing = |source| format!("cannot write into `{}`: {source}", parent.display());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".ranvgg-").suffix(".tmp");
        // Temporary folders are private by default; the output should be readable as any new one is.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let temporary = builder.tempdir_in(parent).map_err(writing)?;
        let names = self.write_into(temporary.path(), set, provenance)?;
        if self.folder.is_dir() {
            return self.moved(temporary.path(), &names);
        }
        fs::rename(temporary.path(), &self.folder).map_err(writing)?;
        // It has its name now and is no longer temporary.
        let _ = temporary.keep();
        Ok(())
    }

    /// Moves files from a folder inside the output to their names; if one cannot be moved, those before
    /// it are taken back.
    fn moved(&self, from: &Path, names: &[String]) -> Result<()> {
        let mut done: Vec<&String> = Vec::new();
        let replaced = |name: &str| from.join(format!("{name}.replaced"));
        for name in names {
            let place = self.folder.join(name);
            let moved = match (place.exists(), self.if_exists) {
                (true, IfExists::Refuse) => Err(std::io::ErrorKind::AlreadyExists.into()),
                (true, IfExists::Replace) => fs::rename(&place, replaced(name)),
                (false, _) => Ok(()),
            };
            let moved = moved.and_then(|()| fs::rename(from.join(name), &place));
            done.push(name);
            if let Err(source) = moved {
                for name in done {
                    let place = self.folder.join(name);
                    if replaced(name).exists() {
                        fs::rename(replaced(name), place)?;
                    } else if !from.join(name).exists() {
                        fs::remove_file(place)?;
                    }
                }
                return Err(format!("cannot write `{}`: {source}", place.display()).into());
            }
        }
        Ok(())
    }

    /// Writes all files of a set into `folder`, and gives their names.
    fn write_into(&self, folder: &Path, set: &Set, made: &Provenance) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut save = |suffix: &str, image: &DynamicImage| -> Result<String> {
            let name = self.png(suffix);
            imaging::save_with(image, folder.join(&name), IfExists::Refuse, made)?;
            names.push(name.clone());
            Ok(name)
        };
        for (kind, map) in &set.maps {
            save(kind.suffix(), map)?;
        }
        let normals = set.maps.get(&Kind::Normal);
        if let Some(normals) = normals.filter(|_| self.direct_x) {
            save("normal_dx", &normals::flipped(normals))?;
        }
        let packed = match packed(set) {
            Some(packed) => Some(save("orm", &packed.into())?),
            None => None,
        };
        let file_of = |kind: Kind| {
            set.maps
                .contains_key(&kind)
                .then(|| self.png(kind.suffix()))
        };
        let (albedo, normal) = (file_of(Kind::Albedo), file_of(Kind::Normal));
        let albedo_alpha = set
            .maps
            .get(&Kind::Albedo)
            .is_some_and(|map| map.color().has_alpha());
        let material = Material {
            name: &self.name,
            albedo: albedo.as_deref(),
            transparent: albedo_alpha,
            normal: normal.as_deref(),
            packed: packed.as_deref(),
            occluded: set.maps.contains_key(&Kind::Occlusion),
            rough_or_metallic: [Kind::Roughness, Kind::Metallic]
                .iter()
                .any(|kind| set.maps.contains_key(kind)),
        };
        let buffer = format!("{}.bin", self.name);
        let document = gltf::document(&material, &buffer);
        let file = format!("{}.gltf", self.name);
        fs::write(folder.join(&buffer), gltf::buffer())?;
        fs::write(folder.join(&file), serde_json::to_vec_pretty(&document)?)?;
        names.extend([buffer, file]);
        Ok(names)
    }
}

/// Occlusion, roughness and metallic as one picture; none of a set that has none of them. What is
/// missing is not occluded, rough and no metal.
fn packed(set: &Set) -> Option<RgbImage> {
    let maps: Vec<Option<GrayImage>> = PACKED
        .iter()
        .map(|kind| set.maps.get(kind).map(DynamicImage::to_luma8))
        .collect();
    let (width, height) = maps.iter().flatten().next()?.dimensions();
    let value = |channel: usize, x, y| match &maps[channel] {
        Some(map) => {
            let Luma([value]) = map.get_pixel(x, y);
            *value
        }
        None => [255, 255, 0][channel],
    };
    Some(RgbImage::from_fn(width, height, |x, y| {
        Rgb([value(0, x, y), value(1, x, y), value(2, x, y)])
    }))
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
