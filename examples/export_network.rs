//! Writes a random network's weights as a safetensors file with torchvision's keys.

mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ranvgg::{Architecture, RandomVgg};

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

    /// Network: vgg16 or vgg19
    #[arg(long, default_value = "vgg19")]
    network: String,

    /// Deepest layer to write; fc6 and deeper are large
    #[arg(long, default_value = "conv5_4", value_name = "NAME")]
    up_to: String,

    /// Overwrite the output if it exists
    #[arg(long)]
    force: bool,
}

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    let architecture = match arguments.network.as_str() {
        "vgg16" => Architecture::Vgg16,
        "vgg19" => Architecture::Vgg19,
        other => return Err(format!("--network is `{other}`; allowed: vgg16, vgg19").into()),
    };
    let vgg = RandomVgg::new(architecture)
        .with_seed(arguments.network_seed)
        .with_bias_sigma(arguments.bias_sigma)
        .init(&support::open_device(None)?)?;
    let deepest = vgg.layer(&arguments.up_to)?;
    vgg.save_safetensors(deepest, &arguments.output, arguments.force)?;
    println!(
        "{}: {architecture} up to {deepest}",
        arguments.output.display()
    );
    Ok(())
}
