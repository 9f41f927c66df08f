//! The program `ranvgg`: textures, inversions, styles and material maps from the command line.

mod devices;
mod maps;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Make pictures with convolutional networks that were never trained
#[derive(Parser)]
#[command(name = "ranvgg", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Devices(devices::Arguments),
    Maps(maps::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Maps(arguments) => maps::run(&arguments),
    }
}
