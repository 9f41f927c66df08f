//! Reproduces the comparisons of He, Wang and Hopcroft (NIPS 2016) as pictures, figures and pages.

mod archive;
mod charts;
mod convergence;
mod grid;
mod inversions;
mod layers;
mod measuring;
mod networks;
mod options;
mod page;
mod settings;
mod statistics;
mod study;
mod styles;
#[path = "../support/mod.rs"]
mod support;
mod sweeps;
mod textures;
mod trained;
mod variation;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::options::{Context, Options};
use crate::study::Study;

/// Reproduce the comparisons of the paper, on your pictures and networks: for each a page, a sheet
/// of pictures and a table of figures
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reconstructions from convolutions, poolings and fully connected layers
    Layers(Options),
    /// Reconstructions through random and trained weights, by pooling layer (needs --weights-file)
    Trained(Options),
    /// How the loss falls with the number of evaluations
    Convergence(Options),
    /// How much reconstructions vary from draw to draw: purely random networks and greedy stacks
    Variation(Options),
    /// Textures from more and more layers
    Textures(Options),
    /// Contents in styles
    Styles(Options),
    /// What the settings that the paper leaves open change
    Settings(Options),
    /// All of these, each in a folder of its own
    All(Options),
}

fn main() -> ExitCode {
    support::report(run(Arguments::parse().command))
}

fn run(command: Command) -> support::Result<()> {
    let (studies, options): (Vec<Box<dyn Study>>, Options) = match command {
        Command::Layers(options) => (vec![Box::new(layers::Layers)], options),
        Command::Trained(options) => (vec![Box::new(trained::Trained)], options),
        Command::Convergence(options) => (vec![Box::new(convergence::Convergence)], options),
        Command::Variation(options) => (vec![Box::new(variation::Variation)], options),
        Command::Textures(options) => (vec![Box::new(textures::Textures)], options),
        Command::Styles(options) => (vec![Box::new(styles::Styles)], options),
        Command::Settings(options) => (vec![Box::new(settings::Settings)], options),
        Command::All(options) => {
            let mut studies: Vec<Box<dyn Study>> = vec![
                Box::new(layers::Layers),
                Box::new(convergence::Convergence),
                Box::new(variation::Variation),
                Box::new(textures::Textures),
                Box::new(styles::Styles),
                Box::new(settings::Settings),
            ];
            if options.weights_file.is_some() {
                studies.insert(1, Box::new(trained::Trained));
            }
            (studies, options)
        }
    };
    let asked = support::interrupts()?;
    for study in studies {
        let context = Context::new(&options, &*study)?;
        study::carry_out(&*study, &context, &asked)?;
        println!("{}", context.folder.join("index.html").display());
    }
    Ok(())
}
