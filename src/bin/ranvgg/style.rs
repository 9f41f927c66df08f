//! `ranvgg style`: one picture in the style of another.

use std::path::PathBuf;

use clap::Args;
use ranvgg::{Colours, Size, Statistics, StyleOptions, StyleStart, Vgg, transfer_style};

use crate::config::Config;
use crate::failure::{Result, Status};
use crate::memory::{self, Need};
use crate::network::{self, Network};
use crate::observers::Watch;
use crate::output::{Name, Output, stem};
use crate::pictures::{self, LAUNCH, STROKES};
use crate::results::{self, Made};
use crate::run::{self, Run};
use crate::sources::Sources;
use crate::values;

/// Paint a picture in the style of another
#[derive(Args)]
#[command(after_help = "\
Examples:
  ranvgg style photo.jpg painting.jpg -o painted.png
  ranvgg style photo.jpg painting.jpg --content-weight 0.06 -o looser.png
  ranvgg style photo.jpg one.jpg other.jpg --guide where.png -o both.png")]
pub(crate) struct Arguments {
    /// Picture whose content to keep (.png, .jpg, .tif) [default: a rocket at night, from the program]
    content: Option<PathBuf>,

    /// Pictures whose style to take; of several a mixture [default: painted strokes, from the program]
    #[arg(value_name = "STYLE")]
    styles: Vec<PathBuf>,

    /// Size of the result in pixels [default: that of the content]
    #[arg(long, value_parser = values::size, value_name = "N|WxH")]
    size: Option<Size>,

    /// How strongly the content pulls [default: 0.15; with statistics of a network 3]
    #[arg(long, value_name = "W", value_parser = values::weight)]
    content_weight: Option<f64>,

    /// How strongly the style pulls; with statistics of a network, at each layer [default: 1]
    #[arg(long, value_name = "W", value_parser = values::positive)]
    style_weight: Option<f64>,

    /// Weight of the total variation, with statistics of a network: more is smoother [default: 0]
    #[arg(long, value_name = "W", value_parser = values::weight)]
    tv_weight: Option<f64>,

    /// Layer whose features are kept, with statistics of a network [default: conv2_2]
    #[arg(long, value_name = "NAME")]
    content_layer: Option<String>,

    /// Layers whose statistics are matched, separated by commas, in place of resampled filters
    /// [default: none; conv1_1,conv2_1,conv3_1 with statistics of a network]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    layers: Vec<String>,

    /// Size of the style's strokes compared with the result, as a factor [default: 1]
    #[arg(long, value_name = "FACTOR", value_parser = values::factor)]
    style_scale: Option<f64>,

    /// Whose colours the result has: style; matched, where style pictures get the content's first; or
    /// luminance, where light and dark alone are painted
    #[arg(long, value_name = "NAME", default_value_t = Colours::Style, value_parser = values::name::<Colours>())]
    colours: Colours,

    /// Where the content is kept: white of this picture [default: everywhere]
    #[arg(long, value_name = "PICTURE")]
    content_mask: Option<PathBuf>,

    /// Picture to start from in place of the content, resized to the first size of the run: a smaller
    /// result, for a larger one with --scales 2 [default: none]
    #[arg(long, value_name = "PICTURE", conflicts_with = "from_noise")]
    start: Option<PathBuf>,

    /// Start from noise instead of the content
    #[arg(long)]
    from_noise: bool,

    #[command(flatten)]
    sources: Sources,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    run: Run,

    #[command(flatten)]
    network: Network,

    #[command(flatten)]
    _config: Config,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Status> {
    let content = arguments.content.as_deref();
    let name = Name {
        stem: content.map_or(LAUNCH.name.into(), stem),
        seed: None,
        maps: &[],
    };
    let targets = arguments.output.targets("styled.png", &[name])?;
    arguments.run.check_results(&targets)?;
    let content = pictures::open_or(content, LAUNCH)?;
    let style = arguments.sources.open(&arguments.styles, STROKES)?;
    let style = arguments.sources.exemplars(style)?;
    let vgg = arguments.network.init()?;
    network::say(&vgg, arguments.output.quiet);
    let mut options = options(arguments, &vgg)?;
    let given = Size::new(content.width() as usize, content.height() as usize);
    let resampled = options.statistics == Statistics::Resampled;
    let size = options.size.unwrap_or(given);
    let fits = |what, need| memory::check(what, need, vgg.device(), resampled);
    let need = Need::style(options.statistics)
        .saved(options.run.checkpoint.is_some(), 3)
        .within(options.run.memory);
    let bound = fits(("a result", size), need)?;
    let own = run::bounded(&mut options.run, bound);
    let styles = arguments.styles.iter();
    for given in styles.filter_map(|path| pictures::dimensions(path)) {
        let used = options.style_size(given, size);
        fits(("a style", used), Need::exemplar(options.statistics, 3))?;
    }
    let mut watch = Watch::start(arguments.output.quiet, &arguments.run)?;
    let outcome = transfer_style(&vgg, content, style, &options, &mut watch.observers)?;
    let inputs = arguments.content.iter().chain(&arguments.styles);
    let made = Made {
        command: "style",
        inputs: &inputs.cloned().collect::<Vec<_>>(),
        vgg: &vgg,
        own,
        seed: options.run.seed,
        outcome: &outcome,
        options: serde_json::to_value(&options)?,
        psnr: None,
    };
    for target in &targets {
        results::write(&arguments.output, target, &made, &watch.meter)?;
    }
    Ok(Status::Complete)
}

fn options(arguments: &Arguments, vgg: &Vgg) -> Result<StyleOptions> {
    let mut options = StyleOptions::default();
    if let Some(name) = &arguments.content_layer {
        options.content_layer = Some(vgg.layer(name)?);
    }
    options.style_layers = values::layers(vgg, &arguments.layers)?;
    options.size = arguments.size;
    options.content_weight = arguments.content_weight;
    let or = |given: Option<f64>, default: f64| given.unwrap_or(default);
    options.style_weight = or(arguments.style_weight, options.style_weight);
    options.total_variation_weight = or(arguments.tv_weight, options.total_variation_weight);
    options.style_scale = or(arguments.style_scale, options.style_scale);
    options.colour_weight = or(arguments.sources.colour_weight, options.colour_weight);
    let layers = options.style_layers.is_some() || arguments.content_layer.is_some();
    options.statistics = arguments.sources.statistics(vgg, layers);
    options.colours = arguments.colours;
    if let Some(mask) = &arguments.content_mask {
        options.content_mask = Some(pictures::open(mask)?.into());
    }
    if let Some(start) = &arguments.start {
        options.start_picture = Some(pictures::open(start)?.into());
    }
    if arguments.from_noise {
        options.start = StyleStart::Noise;
    }
    options.run = arguments.run.options(options.run);
    Ok(options)
}
