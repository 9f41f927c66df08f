//! The files of a set: named beforehand, written all or none.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use ranvgg::IfExists;
use ranvgg::imaging::{self, Provenance};

use super::Result;
use super::format::Format;
use super::found::Found;
use super::gltf::{self, Material};
use super::kind::{Green, Kind, PACKED};
use super::normals;
use super::set::Set;
use crate::failure::chain;
use crate::output::{check_is_none, folder_of, place};

/// Where a set goes, and what its files are called.
pub(super) struct Output {
    folder: PathBuf,
    name: String,
    if_exists: IfExists,
    /// Whether normals for DirectX are wanted beside those for OpenGL, which glTF takes.
    direct_x: bool,
    /// Formats beside PNG.
    also: Vec<Format>,
}

impl Output {
    pub(super) fn new(
        folder: PathBuf,
        name: String,
        force: bool,
        green: Green,
        also: Vec<Format>,
    ) -> Self {
        Self {
            folder,
            name,
            if_exists: match force {
                true => IfExists::Replace,
                false => IfExists::Refuse,
            },
            direct_x: green == Green::Dx,
            also,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same files in another folder.
    pub(super) fn in_folder(&self, folder: PathBuf) -> Self {
        Self {
            folder,
            name: self.name.clone(),
            also: self.also.clone(),
            ..*self
        }
    }

    fn png(&self, suffix: &str) -> String {
        format!("{}_{suffix}.png", self.name)
    }

    fn other(&self, suffix: &str, format: Format) -> String {
        format!("{}_{suffix}.{}", self.name, format.ending())
    }

    /// The names of all files, of a set of the maps found.
    fn names(&self, found: &Found) -> Vec<String> {
        let kinds = found.places.keys();
        let mut names: Vec<String> = kinds.clone().map(|kind| self.png(kind.suffix())).collect();
        for format in &self.also {
            names.extend(kinds.clone().map(|kind| self.other(kind.suffix(), *format)));
        }
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
            check_is_none(&self.folder)?;
            let parent = folder_of(&self.folder);
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
            if path.is_dir() {
                return Err(format!("cannot write `{}`: it is a folder", path.display()).into());
            }
            if path.symlink_metadata().is_ok() && self.if_exists == IfExists::Refuse {
                let path = path.display();
                return Err(format!("`{path}` exists already; --force overwrites it").into());
            }
            let file = place(&path)?;
            if file != path && !on_one_disk(&self.folder, &file) {
                let (path, file) = (path.display(), file.display());
                return Err(format!(
                    "cannot write `{path}`: it leads to `{file}`; allowed: links to files on the disk of the folder"
                )
                .into());
            }
        }
        Ok(())
    }

    /// The files of a set, as the maps found make it.
    pub(super) fn files(&self, found: &Found) -> Vec<PathBuf> {
        let names = self.names(found).into_iter();
        names.map(|name| self.folder.join(name)).collect()
    }

    /// Writes the set: first into a folder beside the output, then under its names.
    pub(super) fn write(&self, set: &Set, provenance: Option<&Provenance>) -> Result<()> {
        let parent = match self.folder.is_dir() {
            true => self.folder.as_path(),
            false => folder_of(&self.folder),
        };
        let writing =
            |source: std::io::Error| format!("cannot write into `{}`: {source}", parent.display());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".ranvgg-").suffix(".tmp");
        // Temporary folders are private by default; the output should be readable as any new one is.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        // Without the folder's name, which nobody knows.
        let failed = |error: std::io::Error| writing(error.kind().into());
        let temporary = builder.tempdir_in(parent).map_err(failed)?;
        let names = self.write_into(temporary.path(), set, provenance);
        let names = names.map_err(|error| {
            let temporary = temporary.path().display().to_string();
            let folder = self.folder.display().to_string();
            chain(&*error).replace(&temporary, &folder)
        })?;
        if self.folder.is_dir() {
            let moved = self.moved(temporary.path(), &names);
            if names
                .iter()
                .any(|name| replaced(temporary.path(), name).exists())
                && moved.is_err()
            {
                // Files that were there before could not be put back: they stay where they are.
                let kept = temporary.keep();
                let kept = kept.display();
                return moved
                    .map_err(|error| format!("{error}; what was there is in `{kept}`").into());
            }
            return moved;
        }
        fs::rename(temporary.path(), &self.folder).map_err(writing)?;
        // It has its name now and is no longer temporary.
        let _ = temporary.keep();
        Ok(())
    }

    /// Moves files from a folder inside the output to their names; if one cannot be moved, those before
    /// it are taken back.
    fn moved(&self, from: &Path, names: &[String]) -> Result<()> {
        for (place, name) in names.iter().enumerate() {
            if let Err(source) = self.move_one(from, name) {
                for name in names[..place].iter().rev() {
                    self.take_back(from, name)?;
                }
                let path = self.folder.join(name);
                return Err(format!("cannot write `{}`: {source}", path.display()).into());
            }
        }
        Ok(())
    }

    fn move_one(&self, from: &Path, name: &str) -> std::io::Result<()> {
        let path = self.folder.join(name);
        let place = place(&path).unwrap_or(path);
        let there = place.exists();
        if there && self.if_exists == IfExists::Refuse {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        if there {
            as_readable(&from.join(name), &place)?;
            fs::rename(&place, replaced(from, name))?;
        }
        let moved = fs::rename(from.join(name), &place);
        if moved.is_err() && there {
            fs::rename(replaced(from, name), &place)?;
        }
        moved
    }

    /// Undoes [`move_one`](Self::move_one).
    fn take_back(&self, from: &Path, name: &str) -> std::io::Result<()> {
        let path = self.folder.join(name);
        let place = place(&path).unwrap_or(path);
        let old = replaced(from, name);
        match old.exists() {
            true => fs::rename(old, place),
            false => fs::remove_file(place),
        }
    }

    /// Writes all files of a set into `folder`, and gives their names.
    fn write_into(
        &self,
        folder: &Path,
        set: &Set,
        made: Option<&Provenance>,
    ) -> Result<Vec<String>> {
        let (mut names, mut others) = (Vec::new(), Vec::new());
        let mut save = |suffix: &str, image: &DynamicImage| -> Result<String> {
            let name = self.png(suffix);
            let path = folder.join(&name);
            match made {
                Some(made) => imaging::save_with(image, path, IfExists::Refuse, made)?,
                None => imaging::save(image, path, IfExists::Refuse)?,
            }
            names.push(name.clone());
            Ok(name)
        };
        for (kind, map) in &set.maps {
            save(kind.suffix(), map)?;
        }
        for format in &self.also {
            for (kind, map) in &set.maps {
                let name = self.other(kind.suffix(), *format);
                format.write(map, &folder.join(&name), made)?;
                others.push(name);
            }
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
        names.extend(others);
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

/// Where a file waits that another one replaces, until all are in their places.
fn replaced(from: &Path, name: &str) -> PathBuf {
    from.join(format!("{name}.replaced"))
}

/// Whether a file can be moved into the folder's disk and out of it.
#[cfg(unix)]
fn on_one_disk(folder: &Path, file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let disk = |path: &Path| fs::metadata(path).ok().map(|it| it.dev());
    disk(folder) == disk(file)
}

/// Not known; a set that cannot be moved is kept elsewhere.
#[cfg(not(unix))]
fn on_one_disk(_: &Path, _: &Path) -> bool {
    true
}

/// Gives a file the permissions of the one that it replaces.
#[cfg(unix)]
fn as_readable(new: &Path, old: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(old)?.permissions().mode() & 0o777;
    fs::set_permissions(new, fs::Permissions::from_mode(mode))
}

/// A file that is marked as read-only could not take another one's place.
#[cfg(not(unix))]
fn as_readable(_: &Path, _: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The third file of a set is missing: the two before it are taken back.
    #[test]
    fn a_set_that_cannot_be_moved_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("temporary");
        fs::create_dir(&from).unwrap();
        for name in ["a", "b"] {
            fs::write(from.join(name), b"new").unwrap();
        }
        fs::write(folder.path().join("a"), b"old").unwrap();
        fs::write(folder.path().join("c"), b"old").unwrap();
        let output = Output::new(
            folder.path().into(),
            "m".into(),
            true,
            Green::Gl,
            Vec::new(),
        );
        let names = ["a", "b", "c"].map(str::to_owned);
        assert!(output.moved(&from, &names).is_err());
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"old");
        assert!(!folder.path().join("b").exists());
        assert_eq!(fs::read(folder.path().join("c")).unwrap(), b"old");
    }
}
