//! The files of a set: which is what, by their names, before anything is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Result;
use super::kind::{Content, Green, Kind, PACKED, USUAL, recognise};

/// Endings of files that are looked at in a folder.
const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "tif", "tiff", "webp", "exr"];

/// The files of one material.
pub(super) struct Found {
    /// The material's name; empty where files are named by their suffixes alone.
    pub(super) name: String,
    /// Where each map is.
    pub(super) places: BTreeMap<Kind, Place>,
    /// Which way the green of normals points, if a name says so.
    pub(super) green: Option<Green>,
    /// What is worth saying about files that were left out.
    pub(super) notes: Vec<String>,
}

/// Where a map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// The channel of a packed file.
    pub(super) channel: Option<usize>,
}

/// The maps that `inputs`, a folder or files, name. Of normals of both kinds those of `preferred` are
/// taken.
pub(super) fn find(inputs: &[PathBuf], preferred: Option<Green>) -> Result<Found> {
    let mut files: Vec<(String, PathBuf, Content)> = Vec::new();
    let mut notes = Vec::new();
    for input in inputs {
        for file in candidates(input)? {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            match recognise(&stem) {
                Some((name, content)) => files.push((name.to_owned(), file.clone(), content)),
                None if file == *input => {
                    let file = file.display();
                    return Err(format!("the name of `{file}` does not say which map it is; it ends in one of {USUAL}").into());
                }
                None => notes.push(format!("left out `{}`: no map by its name", file.display())),
            }
        }
    }
    let name = one_name(inputs, &files)?;
    let mut found = Found {
        name,
        places: BTreeMap::new(),
        green: None,
        notes,
    };
    found.place_normals(&files, preferred)?;
    for (_, file, content) in &files {
        if let Content::Map(kind) = content
            && *kind != Kind::Normal
        {
            found.place(*kind, file)?;
        }
    }
    found.place_packed(&files)?;
    Ok(found)
}

/// A file, or the pictures in a folder, in the order of their names.
fn candidates(input: &Path) -> Result<Vec<PathBuf>> {
    if !input.exists() {
        return Err(format!("there is no file or folder `{}`", input.display()).into());
    }
    if !input.is_dir() {
        return Ok(vec![input.to_owned()]);
    }
    let failed = |source| format!("cannot read the folder `{}`: {source}", input.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(input).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        if path.is_file() && ENDINGS.iter().any(|known| ending == *known) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The name that all files share.
fn one_name(inputs: &[PathBuf], files: &[(String, PathBuf, Content)]) -> Result<String> {
    let Some((name, first, _)) = files.first() else {
        let named: Vec<String> = inputs
            .iter()
            .map(|input| format!("`{}`", input.display()))
            .collect();
        return Err(format!(
            "no map in {}; names of maps end in one of {USUAL}",
            named.join(", ")
        )
        .into());
    };
    match files.iter().find(|(other, ..)| other != name) {
        Some((other, second, _)) => Err(format!(
            "`{}` and `{}` are maps of two materials, `{name}` and `{other}`; give the files of one",
            first.display(),
            second.display()
        )
        .into()),
        None => Ok(name.clone()),
    }
}

impl Found {
    fn place(&mut self, kind: Kind, file: &Path) -> Result<()> {
        let place = Place {
            file: file.to_owned(),
            channel: None,
        };
        if let Some(other) = self.places.insert(kind, place) {
            let (first, second) = (other.file.display(), file.display());
            let what = kind.suffix();
            return Err(
                format!("`{first}` and `{second}` are both the map `{what}`; give one").into(),
            );
        }
        Ok(())
    }

    /// Of normals for OpenGL and for DirectX, which libraries give side by side, one is enough.
    fn place_normals(
        &mut self,
        files: &[(String, PathBuf, Content)],
        preferred: Option<Green>,
    ) -> Result<()> {
        let mut normals: Vec<(&PathBuf, Option<Green>)> = Vec::new();
        for (_, file, content) in files {
            match content {
                Content::Normals(green) => normals.push((file, Some(*green))),
                Content::Map(Kind::Normal) => normals.push((file, None)),
                _ => {}
            }
        }
        let wanted = Some(preferred.unwrap_or(Green::Gl));
        let both = [Some(Green::Gl), Some(Green::Dx)]
            .iter()
            .all(|green| normals.iter().any(|(_, found)| found == green));
        if both {
            normals.retain(|(file, green)| {
                let kept = *green == wanted || green.is_none();
                if !kept {
                    let note = format!("left out `{}`: normals of the other kind", file.display());
                    self.notes.push(note);
                }
                kept
            });
        }
        for (file, green) in normals {
            self.place(Kind::Normal, file)?;
            self.green = green;
        }
        Ok(())
    }

    /// Channels of packed files, where there is no file of their own.
    fn place_packed(&mut self, files: &[(String, PathBuf, Content)]) -> Result<()> {
        let packed = files
            .iter()
            .filter(|(.., content)| *content == Content::Packed);
        let packed: Vec<&PathBuf> = packed.map(|(_, file, _)| file).collect();
        if let [first, second, ..] = packed[..] {
            let (first, second) = (first.display(), second.display());
            return Err(format!("`{first}` and `{second}` are both packed maps; give one").into());
        }
        for file in packed {
            for (channel, kind) in PACKED.into_iter().enumerate() {
                match self.places.get(&kind) {
                    Some(place) => self.notes.push(format!(
                        "left out the channel `{}` of `{}`: it is `{}`",
                        kind.suffix(),
                        file.display(),
                        place.file.display()
                    )),
                    None => {
                        let place = Place {
                            file: file.clone(),
                            channel: Some(channel),
                        };
                        self.places.insert(kind, place);
                    }
                }
            }
        }
        Ok(())
    }
}
