//! Reconstructs an image from its features at one layer.

mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ranvgg::{InvertOptions, RandomVgg, invert};

/// Reconstruct a picture from its features at one layer of a network that was never trained
#[derive(Parser)]
struct Arguments {
    /// Picture to reconstruct (.png, .jpg, .tif) [default: a cat, from the crate]
    input: Option<PathBuf>,

    /// Layer to invert: conv1_1 ... conv5_4, pool1 ... pool5, fc6 ... fc8 (224x224 pictures only)
    #[arg(long, default_value = "conv3_1", value_name = "NAME")]
    layer: String,

    /// Weight of the total variation, in units of the content loss: more is smoother [default: by
    /// layer, 0.001 for each pixel of its stride]
    #[arg(long, value_name = "W")]
    tv_weight: Option<f64>,

    /// The published form: features alone, at one size
    #[arg(long, conflicts_with_all = ["tv_weight", "scales"])]
    paper: bool,

    #[command(flatten)]
    common: support::Common,
}

fn main() -> ExitCode {
    support::report(run(Arguments::parse()))
}

fn run(arguments: Arguments) -> support::Result<()> {
    let mut common = arguments.common;
    let described = common.recipe.is_some() || common.weights_file.is_some() || arguments.paper;
    if common.bias_sigma.is_none() && !described {
        let random = RandomVgg::new(common.network);
        let random = random.with_biases_for(arguments.layer.parse()?)?;
        common.bias_sigma = Some(random.bias_sigma());
    }
    let output = common.output("inverted.png")?;
    let picture = support::open_picture(arguments.input.as_deref(), "cat.png")?;
    let vgg = common.network(3)?;
    let layer = vgg.layer(&arguments.layer)?;
    let mut options = InvertOptions::default();
    options.total_variation_weight = arguments.tv_weight;
    if arguments.paper {
        options = InvertOptions::paper();
    }
    options.run = common.run(options.run);
    let mut watch = common.watch()?;
    let outcome = invert(&vgg, &picture, layer, &options, &mut watch)?;
    watch.ended();
    common.finish(&outcome, &output)?;
    let psnr = ranvgg::metrics::psnr(
        &outcome.image().to_rgb32f(),
        &ranvgg::imaging::flatten(&picture),
    )?;
    common.say(&format!("PSNR {psnr:.2} dB"));
    Ok(())
}
