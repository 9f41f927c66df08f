//! Makes an image of any size with the texture of another.

mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ranvgg::{Size, TextureOptions, synthesize_texture_observed};

/// Synthesize a texture like that of a picture, through a network that was never trained
#[derive(Parser)]
struct Arguments {
    /// Picture whose texture to imitate (.png, .jpg, .tif) [default: gravel, from the crate]
    input: Option<PathBuf>,

    /// Size of the result: N or WxH [default: that of the input; 256 without input]
    #[arg(long, value_parser = support::parse_size, value_name = "WxH")]
    size: Option<Size>,

    /// Layers whose statistics are matched, separated by commas
    #[arg(long, value_name = "A,B,C")]
    layers: Option<String>,

    /// Weight of the total variation, in units of one layer: more is smoother
    #[arg(long, default_value_t = 0.0, value_name = "W")]
    tv_weight: f64,

    /// The published form: Gram matrices of five layers at one scale
    #[arg(long)]
    paper: bool,

    #[command(flatten)]
    common: support::Common,
}

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    let common = &arguments.common;
    let output = common.output("texture.png")?;
    let exemplar = support::open_picture(arguments.input.as_deref(), "gravel.png")?;
    let vgg = common.network()?;
    let mut options = if arguments.paper {
        TextureOptions::paper(&vgg)?
    } else {
        TextureOptions::default()
    };
    if arguments.layers.is_some() {
        options.layers = support::parse_layers(&vgg, arguments.layers.as_deref())?;
    }
    options.size = arguments.size;
    if arguments.input.is_none() {
        options.size = options.size.or(Some(Size::square(256)));
    }
    options.total_variation_weight = arguments.tv_weight;
    options.run = common.run(options.run);
    let outcome = synthesize_texture_observed(&vgg, exemplar, &options, &mut common.watch()?)?;
    common.finish(&outcome, &output)
}
