//! Makes a texture like a given one, at any size.

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use image::DynamicImage;
use ranvgg::{Exemplars, Kept, Size, Statistics, TextureOptions, Vgg, synthesize_texture_observed};

/// Make a texture like a given picture, through a network that was never trained
#[derive(Parser)]
struct Arguments {
    /// Pictures of a texture (.png, .jpg, .tif); of several a mixture is made [default: gravel, from
    /// the crate]
    inputs: Vec<PathBuf>,

    /// Shares of several pictures, separated by commas [default: equal]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    weights: Vec<f64>,

    /// Size of the result: N or WxH [default: that of the first input; 256 without input]
    #[arg(long, value_parser = support::parse_size, value_name = "WxH")]
    size: Option<Size>,

    /// Layers whose statistics are matched, separated by commas
    #[arg(long, value_name = "A,B,C")]
    layers: Option<String>,

    /// Statistics that are matched: whitened, distributions, moments or gram
    #[arg(long, default_value = "whitened")]
    statistics: String,

    /// Weight of the distribution of colours, in units of one statistic [default: 1]
    #[arg(long, value_name = "W")]
    colour_weight: Option<f64>,

    /// Weight of the total variation, in units of one layer: more is smoother
    #[arg(long, default_value_t = 0.0, value_name = "W")]
    tv_weight: f64,

    /// The published form: Gram matrices of five layers at one scale
    #[arg(long, conflicts_with = "statistics")]
    paper: bool,

    /// Make a result that tiles: short for --padding circular
    #[arg(long, conflicts_with = "padding")]
    tile: bool,

    /// Picture to fill in: what is black in --mask stays as it is
    #[arg(
        long,
        value_name = "PICTURE",
        requires = "mask",
        conflicts_with = "size"
    )]
    fill: Option<PathBuf>,

    /// Mask of --fill, of the same size: white is made anew
    #[arg(long, value_name = "PICTURE", requires = "fill")]
    mask: Option<PathBuf>,

    /// Make so many, of seeds that follow one another, into files numbered by their seed
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    variations: u64,

    #[command(flatten)]
    common: support::Common,
}

fn main() -> ExitCode {
    support::report(run(Arguments::parse()))
}

fn run(mut arguments: Arguments) -> support::Result<()> {
    if arguments.tile {
        arguments.common.padding = "circular".into();
    }
    let common = &arguments.common;
    let output = common.output("texture.png")?;
    let seeds: Vec<u64> = (common.seed..)
        .take(arguments.variations as usize)
        .collect();
    let mut outputs = vec![output.clone()];
    if seeds.len() > 1 {
        outputs = seeds.iter().map(|seed| numbered(&output, *seed)).collect();
        for output in &outputs {
            common.check_output(output)?;
        }
    }
    let exemplars = exemplars(&arguments)?;
    let vgg = common.network()?;
    let mut options = options(&arguments, &vgg)?;
    let mut watch = common.watch()?;
    for (seed, output) in seeds.into_iter().zip(&outputs) {
        options.run.seed = seed;
        let outcome = synthesize_texture_observed(&vgg, exemplars.clone(), &options, &mut watch)?;
        common.finish(&outcome, output)?;
        if outcome.stop_reason() == ranvgg::StopReason::Asked {
            break;
        }
    }
    Ok(())
}

/// `moss.png` of seed 3 is `moss-3.png`.
fn numbered(path: &Path, seed: u64) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().display().to_string();
    let (stem, ending) = (part(path.file_stem()), part(path.extension()));
    path.with_file_name(format!("{stem}-{seed}.{ending}"))
}

fn exemplars(arguments: &Arguments) -> support::Result<Exemplars> {
    let (inputs, weights) = (&arguments.inputs, &arguments.weights);
    if inputs.is_empty() {
        return Ok(support::open_picture(None, "gravel.png")?.into());
    }
    if !weights.is_empty() && weights.len() != inputs.len() {
        let (found, expected) = (weights.len(), inputs.len());
        return Err(format!("--weights has {found} numbers for {expected} pictures").into());
    }
    let mut pictures: Vec<(DynamicImage, f64)> = Vec::new();
    for (number, path) in inputs.iter().enumerate() {
        let weight = weights.get(number).copied().unwrap_or(1.0);
        pictures.push((support::open_picture(Some(path), "")?, weight));
    }
    Ok(Exemplars::mixture(pictures))
}

fn statistics(name: &str) -> support::Result<Statistics> {
    Ok(match name {
        "whitened" => Statistics::Whitened,
        "distributions" => Statistics::Distributions,
        "moments" => Statistics::Moments,
        "gram" => Statistics::Gram,
        other => {
            let allowed = "whitened, distributions, moments, gram";
            return Err(support::choice("--statistics", other, allowed));
        }
    })
}

fn options(arguments: &Arguments, vgg: &Vgg) -> support::Result<TextureOptions> {
    let mut options = if arguments.paper {
        TextureOptions::paper(vgg)?
    } else {
        TextureOptions {
            statistics: statistics(&arguments.statistics)?,
            ..TextureOptions::default()
        }
    };
    if arguments.layers.is_some() {
        options.layers = support::parse_layers(vgg, arguments.layers.as_deref())?;
    }
    options.size = arguments.size;
    if arguments.inputs.is_empty() && arguments.fill.is_none() {
        options.size = options.size.or(Some(Size::square(256)));
    }
    options.total_variation_weight = arguments.tv_weight;
    options.colour_weight = arguments.colour_weight.unwrap_or(options.colour_weight);
    if let (Some(picture), Some(mask)) = (&arguments.fill, &arguments.mask) {
        options.kept = Some(Kept {
            picture: support::open_picture(Some(picture), "")?.into(),
            mask: support::open_picture(Some(mask), "")?.into(),
        });
    }
    options.run = arguments.common.run(options.run);
    Ok(options)
}
