//! Paints one picture in the style of another.

mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ranvgg::{Colours, Size, StyleOptions, StyleStart, transfer_style};

/// Paint a picture in the style of another, through a network that was never trained
#[derive(Parser)]
struct Arguments {
    /// Picture whose content to keep (.png, .jpg, .tif) [default: a rocket at night, from the crate]
    content: Option<PathBuf>,

    /// Pictures whose style to take; of several a mixture [default: painted strokes, from the crate]
    styles: Vec<PathBuf>,

    /// Size of the result: N or WxH [default: that of the content]
    #[arg(long, value_parser = support::parse_size, value_name = "WxH")]
    size: Option<Size>,

    /// How strongly the content pulls [default: 0.15; for statistics of a network 3]
    #[arg(long, value_name = "W")]
    content_weight: Option<f64>,

    /// How strongly each layer's style pulls [default: 1]
    #[arg(long, value_name = "W")]
    style_weight: Option<f64>,

    /// Weight of the total variation: more is smoother [default: 0]
    #[arg(long, value_name = "W")]
    tv_weight: Option<f64>,

    /// Layer whose features are kept, of statistics of a network [default: conv2_2]
    #[arg(long, value_name = "NAME")]
    content_layer: Option<String>,

    /// Layers whose statistics are matched, separated by commas, in place of resampled filters
    #[arg(long, value_name = "A,B,C")]
    layers: Option<String>,

    /// Size of the style's strokes compared with the result
    #[arg(long, value_name = "FACTOR")]
    style_scale: Option<f64>,

    /// Whose colours the result has: style, matched (the style pictures get the content's first) or
    /// luminance (light and dark alone are painted)
    #[arg(long, value_name = "NAME", default_value_t = Colours::Style)]
    colours: Colours,

    /// Where the content is kept: white of this picture [default: everywhere]
    #[arg(long, value_name = "PICTURE")]
    content_mask: Option<PathBuf>,

    /// Start from noise instead of the content
    #[arg(long)]
    from_noise: bool,

    #[command(flatten)]
    sources: support::Sources,

    #[command(flatten)]
    common: support::Common,
}

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    let common = &arguments.common;
    let output = common.output("styled.png")?;
    let content = support::open_picture(arguments.content.as_deref(), "launch.png")?;
    let style = arguments.sources.read(&arguments.styles, "strokes.png")?;
    let vgg = common.network(3)?;
    let mut options = StyleOptions::default();
    if let Some(name) = &arguments.content_layer {
        options.content_layer = Some(vgg.layer(name)?);
    }
    options.style_layers = support::parse_layers(&vgg, arguments.layers.as_deref())?;
    options.size = arguments.size;
    options.content_weight = arguments.content_weight;
    options.style_weight = arguments.style_weight.unwrap_or(options.style_weight);
    options.total_variation_weight = arguments
        .tv_weight
        .unwrap_or(options.total_variation_weight);
    options.style_scale = arguments.style_scale.unwrap_or(options.style_scale);
    let layers = arguments.layers.is_some() || arguments.content_layer.is_some();
    options.statistics = arguments.sources.statistics(&vgg, layers);
    let colour_weight = arguments.sources.colour_weight;
    options.colour_weight = colour_weight.unwrap_or(options.colour_weight);
    options.colours = arguments.colours;
    if let Some(mask) = &arguments.content_mask {
        options.content_mask = Some(support::open_picture(Some(mask), "")?.into());
    }
    if arguments.from_noise {
        options.start = StyleStart::Noise;
    }
    options.run = common.run(options.run);
    let mut watch = common.watch()?;
    let outcome = transfer_style(&vgg, content, style, &options, &mut watch)?;
    watch.ended();
    common.finish(&outcome, &output)
}
