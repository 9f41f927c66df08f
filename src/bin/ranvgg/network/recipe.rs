//! `ranvgg network recipe`: a network's description, from which it can be made anywhere.

use std::path::PathBuf;

use clap::Args;
use ranvgg::{Architecture, Padding, Pooling, RandomVgg};

use crate::failure::{Result, Status};
use crate::output::{check_file, if_exists};
use crate::{terminal, values};

/// Print the recipe of a random network, a few lines of JSON for --recipe
#[derive(Args)]
pub(crate) struct Arguments {
    /// File to write [default: standard output]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Overwrite the output if it exists [default: it is refused]
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    described: Described,
}

/// A random network, described by flags or by a recipe.
#[derive(Args)]
pub(super) struct Described {
    /// Recipe to start from, in place of --network and --network-seed [default: none]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["network", "network_seed"])]
    pub(super) recipe: Option<PathBuf>,

    /// Architecture of the network
    #[arg(long, default_value = "vgg19", value_name = "NAME", value_parser = values::name::<Architecture>())]
    network: Architecture,

    /// Seed of the weights
    #[arg(long, default_value_t = 0, value_name = "N")]
    network_seed: u64,

    /// Standard deviation of the biases [default: 0, that is none]
    #[arg(long, value_name = "SIGMA", value_parser = values::weight)]
    bias_sigma: Option<f64>,

    /// How feature maps are halved [default: average]
    #[arg(long, value_name = "NAME", value_parser = values::name::<Pooling>())]
    pooling: Option<Pooling>,

    /// How convolutions continue a picture beyond its edges [default: reflect]
    #[arg(long, value_name = "NAME", value_parser = values::name::<Padding>())]
    padding: Option<Padding>,
}

impl Described {
    pub(super) fn network(&self) -> Result<RandomVgg> {
        let mut network = match &self.recipe {
            Some(path) => RandomVgg::load_recipe(path)?,
            None => RandomVgg::new(self.network).with_seed(self.network_seed),
        };
        if let Some(sigma) = self.bias_sigma {
            network = network.with_bias_sigma(sigma);
        }
        if let Some(pooling) = self.pooling {
            network = network.with_pooling(pooling);
        }
        if let Some(padding) = self.padding {
            network = network.with_padding(padding);
        }
        network.check()?;
        Ok(network)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Status> {
    let network = arguments.described.network()?;
    match &arguments.output {
        Some(path) => {
            check_file(path, arguments.force)?;
            network.save_recipe(path, if_exists(arguments.force))?;
        }
        None => terminal::print(&format!("{}\n", network.to_recipe()))?,
    }
    Ok(Status::Complete)
}
