//! `ranvgg network export`: weights as a safetensors file with torchvision's keys.

use std::path::PathBuf;

use clap::Args;
use ranvgg::{Architecture, Layer};

use super::open_device;
use super::recipe::Described;
use crate::failure::{Result, Status};
use crate::output::{check_apart, check_file, if_exists};
use crate::terminal;

/// Write the weights of a random network as safetensors, for PyTorch and others
#[derive(Args)]
pub(crate) struct Arguments {
    /// File to write
    #[arg(short, long, default_value = "network.safetensors", value_name = "OUT")]
    output: PathBuf,

    /// Overwrite the output if it exists [default: it is refused]
    #[arg(long)]
    force: bool,

    /// Deepest layer to write; fc6 and deeper are large [default: the last convolution]
    #[arg(long, value_name = "NAME")]
    up_to: Option<Layer>,

    #[command(flatten)]
    described: Described,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Status> {
    check_file(&arguments.output, arguments.force)?;
    if let Some(recipe) = &arguments.described.recipe {
        check_apart([
            ("--recipe", recipe.as_path()),
            ("the output", &arguments.output),
        ])?;
    }
    let vgg = arguments.described.network()?.init(&open_device(None)?)?;
    let architecture = vgg.architecture();
    let deepest = arguments.up_to.or_else(|| last_convolution(architecture));
    let deepest = deepest.ok_or("the network has no convolutions")?;
    vgg.save_safetensors(deepest, &arguments.output, if_exists(arguments.force))?;
    let output = arguments.output.display();
    terminal::note(&format!("{output}: {architecture} up to {deepest}"));
    Ok(Status::Complete)
}

fn last_convolution(architecture: Architecture) -> Option<Layer> {
    let convolution =
        |layer: &Layer| layer.has_weights() && !matches!(layer, Layer::FullyConnected { .. });
    architecture.layers().into_iter().rev().find(convolution)
}
