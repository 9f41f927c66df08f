//! `ranvgg completions`: a script that completes commands and flags in a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::{Result, Status};
use crate::terminal;

/// Print a script that completes commands and flags in a shell
#[derive(Args)]
#[command(
    after_help = "Example: ranvgg completions bash > ~/.local/share/bash-completion/completions/ranvgg"
)]
pub(crate) struct Arguments {
    /// The shell to print it for
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, mut program: Command) -> Result<Status> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "ranvgg", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Status::Complete)
}
