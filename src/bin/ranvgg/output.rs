//! Where results go: a file, a folder or standard output, checked before any work.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use ranvgg::{IfExists, imaging};

use crate::failure::Result;

/// Where results go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// File to write (.png, .jpg or .tif); or a folder, for files named after their inputs; or - for
    /// a PNG on standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Overwrite files that exist [default: they are refused]
    #[arg(long)]
    pub(crate) force: bool,

    /// Write 16 bits a channel, to .png or .tif [default: 8]
    #[arg(long)]
    pub(crate) sixteen: bool,

    /// Print one JSON object for each result on standard output
    #[arg(long)]
    pub(crate) json: bool,

    /// Leave out of pictures how they were made, which `ranvgg again` reads
    #[arg(long)]
    pub(crate) no_metadata: bool,

    /// Print nothing but errors, and show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Tells the default of --output.
pub(crate) fn described(command: Command, default: &str) -> Command {
    with_default(command, "output", default)
}

/// Tells the default of a flag that has another one in each command.
pub(crate) fn with_default(command: Command, id: &str, default: &str) -> Command {
    command.mut_arg(id, |arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let help = format!("{help} [default: {default}]");
        arg.help(help.clone()).long_help(help)
    })
}

/// Where one result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    StandardOutput,
    /// One file, or one for each map.
    Files(Vec<PathBuf>),
}

impl Output {
    /// Whether results go into a folder, each named after its input.
    pub(crate) fn is_folder(&self) -> bool {
        let Some(path) = &self.output else {
            return false;
        };
        let ending = path.as_os_str().to_string_lossy();
        path.is_dir() || ending.ends_with(std::path::is_separator)
    }

    fn is_standard_output(&self) -> bool {
        self.output.as_deref() == Some(Path::new("-"))
    }

    /// The targets of results named `names`; `default` is the file without --output. All of them can
    /// be written, or this is an error. A folder that is not there is made in the folder above it.
    pub(crate) fn targets(&self, default: &str, names: &[Name<'_>]) -> Result<Vec<Target>> {
        if self.is_standard_output() {
            return self.standard_output(names);
        }
        let folder = self.new_folder();
        if let Some(folder) = folder {
            check_parent(folder)?;
        }
        let mut taken: Vec<PathBuf> = Vec::new();
        let mut targets = Vec::new();
        for name in names {
            let files = self.files(default, name);
            for file in &files {
                if folder.is_none() {
                    self.check(file)?;
                }
                let only = identity(file);
                if taken.contains(&only) {
                    let what = if name.maps.is_empty() {
                        "results"
                    } else {
                        "maps"
                    };
                    let file = file.display();
                    return Err(format!("two {what} would be written to `{file}`").into());
                }
                taken.push(only);
            }
            targets.push(Target::Files(files));
        }
        Ok(targets)
    }

    fn standard_output(&self, names: &[Name<'_>]) -> Result<Vec<Target>> {
        let [Name { maps: [], .. }] = names else {
            return Err("-o - takes one picture; allowed for several: a file or a folder".into());
        };
        if self.json {
            return Err("-o - and --json both write to standard output; allowed: one".into());
        }
        if stdout().is_terminal() {
            return Err(
                "-o - would write a PNG to the terminal; redirect it, or name a file".into(),
            );
        }
        Ok(vec![Target::StandardOutput])
    }

    /// The folder that is still to be made.
    fn new_folder(&self) -> Option<&Path> {
        let folder = self.output.as_deref().filter(|_| self.is_folder());
        folder.filter(|folder| !folder.exists())
    }

    /// Makes the folder of the results, if there is one to make. If that fails, writing to it says so.
    pub(crate) fn make_folder(&self) {
        if let Some(folder) = self.new_folder() {
            let _ = fs::create_dir(folder);
        }
    }

    fn files(&self, default: &str, name: &Name<'_>) -> Vec<PathBuf> {
        let first = match &self.output {
            Some(folder) if self.is_folder() => folder.join(format!("{}.png", name.stem)),
            Some(file) => file.clone(),
            None => default.into(),
        };
        let first = match name.seed {
            Some(seed) => suffixed(&first, &seed.to_string()),
            None => first,
        };
        let mut files = vec![first];
        for map in name.maps {
            let name = map.file_stem().unwrap_or_default().to_string_lossy();
            files.push(suffixed(&files[0], &name));
        }
        files
    }

    /// Refuses a path that could not be written.
    fn check(&self, path: &Path) -> Result<()> {
        imaging::check_output(path, if_exists(self.force))?;
        check_name(path)?;
        if self.sixteen && !holds_16_bits(path) {
            let path = path.display();
            return Err(
                format!("--sixteen cannot write `{path}`; allowed: .png, .tif, .tiff").into(),
            );
        }
        Ok(())
    }
}

/// What a result is called.
pub(crate) struct Name<'a> {
    /// Inside of a folder.
    pub(crate) stem: String,
    /// Of one of several variations.
    pub(crate) seed: Option<u64>,
    /// The other maps that are made with it.
    pub(crate) maps: &'a [PathBuf],
}

/// The name of a result that is made of `path`.
pub(crate) fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(OsStr::new("picture"));
    stem.to_string_lossy().into_owned()
}

/// What `--force` says of files that exist.
pub(crate) fn if_exists(force: bool) -> IfExists {
    match force {
        true => IfExists::Replace,
        false => IfExists::Refuse,
    }
}

/// Refuses a file of any kind that could not be written.
pub(crate) fn check_file(path: &Path, force: bool) -> Result<()> {
    let folder = folder_of(path);
    let shown = path.display();
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(format!("the folder `{folder}` of the output `{shown}` does not exist").into());
    }
    if path.is_dir() {
        return Err(format!("cannot write `{shown}`: it is a folder").into());
    }
    if path.exists() && !path.is_file() {
        // A pipe or a device would be lost under a new file.
        return Err(format!("cannot write `{shown}`: allowed: regular files").into());
    }
    if path.symlink_metadata().is_ok() && !force {
        return Err(format!("`{shown}` exists already; --force overwrites it").into());
    }
    check_name(path)?;
    let place = place(path)?;
    match tempfile::tempfile_in(folder_of(&place)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot write `{shown}`: {error}").into()),
    }
}

/// The folder that a path lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// The file that an output is written to: that at the end of links.
pub(crate) fn place(path: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => fs::canonicalize(path).map_err(|error| {
            let path = path.display();
            format!("cannot write `{path}`: it is a link that leads nowhere: {error}").into()
        }),
        _ => Ok(path.to_owned()),
    }
}

/// One name for each file, however it is spelled and whether it is there already.
fn identity(path: &Path) -> PathBuf {
    let there = fs::canonicalize(path);
    let named = || {
        let folder = fs::canonicalize(folder_of(path)).ok()?;
        Some(folder.join(path.file_name()?))
    };
    there.ok().or_else(named).unwrap_or_else(|| path.to_owned())
}

/// Refuses files of which one would be lost under another. Each comes with what it is.
pub(crate) fn check_apart<'a>(
    files: impl IntoIterator<Item = (&'static str, &'a Path)>,
) -> Result<()> {
    let mut taken: Vec<(&str, PathBuf)> = Vec::new();
    for (what, file) in files {
        let only = identity(file);
        if let Some((other, _)) = taken.iter().find(|(_, there)| *there == only) {
            let file = file.display();
            return Err(
                format!("{other} and {what} are one file, `{file}`; allowed: two files").into(),
            );
        }
        taken.push((what, only));
    }
    Ok(())
}

/// Refuses a folder that could not be made.
fn check_parent(folder: &Path) -> Result<()> {
    check_is_none(folder)?;
    match tempfile::tempfile_in(folder_of(folder)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let folder = folder.display();
            Err(format!("cannot make the folder `{folder}`: {error}").into())
        }
    }
}

/// Refuses the name of a folder that something else has.
pub(crate) fn check_is_none(folder: &Path) -> Result<()> {
    // Without a separator at its end, which asks for a folder.
    let name = folder.components().as_path();
    match name.symlink_metadata() {
        Ok(_) => Err(format!("the output `{}` is no folder", name.display()).into()),
        Err(_) => check_name(name),
    }
}

/// Refuses a name that the file system does not take: too long, for example.
fn check_name(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("cannot write `{}`: {error}", path.display()).into())
        }
        _ => Ok(()),
    }
}

/// Whether the format that a path ends in holds 16 bits a channel.
pub(crate) fn holds_16_bits(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ["png", "tif", "tiff"].contains(&&*ending.to_lowercase())
}

/// `moss.png` with the suffix `3` is `moss-3.png`.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let part = |part: Option<&OsStr>| part.unwrap_or_default().to_owned();
    let (mut name, ending) = (part(path.file_stem()), part(path.extension()));
    name.push("-");
    name.push(suffix);
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}
