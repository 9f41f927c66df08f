//! The program `ranvgg`: textures, inversions and styles from the command line.

mod batch;
mod completions;
mod config;
mod devices;
mod failure;
mod invert;
mod man;
mod maps;
mod memory;
mod network;
mod observers;
mod output;
mod pictures;
mod progress;
mod recall;
mod results;
mod run;
mod signals;
mod sources;
mod stations;
mod style;
mod terminal;
mod texture;
mod threads;
mod time;
mod values;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::{Result, Status};

/// Make textures, invert pictures and transfer styles with networks that were never trained.
///
/// Exit status: 0 when all that was asked for is written, 1 after an error, 2 for a wrong command
/// line, 130 when stopped before all was written. Ctrl-C stops a run and writes the picture so far;
/// pressed again, it leaves at once.
#[derive(Parser)]
#[command(
    name = "ranvgg",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    args_override_self = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Texture(Box<texture::Arguments>),
    Invert(Box<invert::Arguments>),
    Style(Box<style::Arguments>),
    Network(network::Arguments),
    Devices(devices::Arguments),
    Maps(Box<maps::Arguments>),
    Again(recall::Again),
    Resume(recall::Resume),
    Time(time::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

fn main() -> ExitCode {
    threads::start();
    ranvgg::error::quiet_caught_panics();
    let result = signals::outlive_large_files().and_then(|()| run(std::env::args_os().collect()));
    failure::exit_code(result)
}

/// The program's arguments. Flags that commands share have defaults of their own in each.
fn program() -> clap::Command {
    Arguments::command()
        .mut_subcommand("texture", |command| {
            let command = network::spread(command);
            let command = network::described(output::described(command, "texture.png"), "0");
            run::described(
                command,
                "about 120 at each size; 300 with statistics of a network",
            )
        })
        .mut_subcommand("invert", |command| {
            let command = network::spread(command);
            let command = network::described(
                command,
                "1 for layers from pool3 on, else 0; with --paper 0",
            );
            run::described(output::described(command, "inverted.png"), "200")
        })
        .mut_subcommand("maps", |command| {
            run::described(command, "about 120 at each size")
        })
        .mut_subcommand("style", |command| {
            let command = network::described(output::described(command, "styled.png"), "0");
            run::described(
                command,
                "120 at the first size to 50 at the last; 300 with statistics of a network",
            )
        })
}

fn run(line: Vec<OsString>) -> Result<Status> {
    let program = program();
    let line = config::with_file(&program, line)?;
    let matches = program
        .clone()
        .try_get_matches_from(&line)
        .unwrap_or_else(|error| failure::leave(&error, &line));
    if config::printed(&program, &matches)? {
        return Ok(Status::Complete);
    }
    recall::remember(&program, &matches);
    let arguments =
        Arguments::from_arg_matches(&matches).unwrap_or_else(|error| failure::leave(&error, &line));
    match arguments.command {
        Command::Texture(arguments) => texture::run(&arguments),
        Command::Invert(arguments) => invert::run(&arguments),
        Command::Style(arguments) => style::run(&arguments),
        Command::Network(arguments) => network::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Maps(arguments) => maps::run(&arguments),
        Command::Again(arguments) => run(recall::again(&arguments)?),
        Command::Resume(arguments) => run(recall::resume(&arguments)?),
        Command::Time(arguments) => time::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, program),
        Command::Man(arguments) => man::run(&arguments, program),
    }
}
