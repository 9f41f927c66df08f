//! Writes a random network's weights as a safetensors file with torchvision's keys.

mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ranvgg::{Architecture, Layer, RandomVgg};

/// Write the weights of a random network as safetensors, for PyTorch and others
#[derive(Parser)]
struct Arguments {
    /// File to write
    #[arg(short, long, default_value = "network.safetensors", value_name = "OUT")]
    output: PathBuf,

    /// Seed of the weights
    #[arg(long, default_value_t = 0)]
    network_seed: u64,

    /// Standard deviation of the biases; 0 for none
    #[arg(long, default_value_t = 0.0, value_name = "SIGMA")]
    bias_sigma: f64,

    /// Network: vgg16, vgg19 or alexnet
    #[arg(long, default_value = "vgg19", value_name = "NAME")]
    network: Architecture,

    /// Deepest layer to write; fc6 and deeper are large [default: the last convolution]
    #[arg(long, value_name = "NAME")]
    up_to: Option<Layer>,

    /// Overwrite the output if it exists
    #[arg(long)]
    force: bool,
}

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    let architecture = arguments.network;
    let vgg = RandomVgg::new(architecture)
        .with_seed(arguments.network_seed)
        .with_bias_sigma(arguments.bias_sigma)
        .init(&support::open_device(None)?)?;
    let last = architecture.layers().into_iter().rev();
    let mut convolutions =
        last.filter(|layer| layer.has_weights() && !matches!(layer, Layer::FullyConnected { .. }));
    let deepest = arguments.up_to.or_else(|| convolutions.next());
    let deepest = deepest.ok_or("the network has no convolutions")?;
    vgg.save_safetensors(
        deepest,
        &arguments.output,
        support::if_exists(arguments.force),
    )?;
    println!(
        "{}: {architecture} up to {deepest}",
        arguments.output.display()
    );
    Ok(())
}
