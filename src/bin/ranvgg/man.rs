//! `ranvgg man`: manual pages.

use std::path::PathBuf;

use clap::{Args, Command};

use crate::failure::{Result, Status};

/// Write manual pages, one for each command
#[derive(Args)]
#[command(after_help = "Example: ranvgg man ~/.local/share/man/man1")]
pub(crate) struct Arguments {
    /// Folder to write them to, made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, program: Command) -> Result<Status> {
    let folder = &arguments.folder;
    let failed = |error| format!("cannot write to `{}`: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(program, folder).map_err(failed)?;
    Ok(Status::Complete)
}
