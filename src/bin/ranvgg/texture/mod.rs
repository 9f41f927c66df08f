//! `ranvgg texture`: textures like given ones.

mod plan;

use std::path::{Path, PathBuf};

use clap::Args;
use image::DynamicImage;
use ranvgg::{
    Exemplars, Inpainting, Padding, Picture, Size, Statistics, TextureOptions, Vgg,
    synthesize_texture,
};

use crate::batch::{self, Item, Job};
use crate::config::Config;
use crate::failure::{Result, Status};
use crate::memory::Need;
use crate::network::{self, Network};
use crate::observers::Watch;
use crate::output::Output;
use crate::pictures::{self, GRAVEL};
use crate::recall::Flag;
use crate::results::{self, Made};
use crate::run::{self, Run};
use crate::sources::Sources;
use crate::stations::Station;
use crate::values::{self, InSize};

/// Make textures like given pictures, at any size
///
/// Several pictures make one texture each, in the folder that --output names. With --mix, --weights or
/// --guide they make one texture together.
#[derive(Args)]
#[command(after_help = "\
Examples:
  ranvgg texture moss.jpg --size 512x256 -o meadow.png
  ranvgg texture moss.jpg --tile --variations 3 -o tile.png
  ranvgg texture moss.jpg stone.jpg --weights 1,2 -o mixed.png
  ranvgg texture *.png -o out/")]
pub(crate) struct Arguments {
    /// Pictures of textures (.png, .jpg, .tif) [default: gravel, from the program]
    #[arg(value_name = "PICTURE")]
    inputs: Vec<PathBuf>,

    /// Make one texture of several pictures, a mixture; --weights and --guide do so too
    #[arg(long)]
    mix: bool,

    /// Another map of the input's surface, made together with it: give it once for each (normals,
    /// height, roughness, ...); of -o out.png, the one made like height.png is out-height.png
    /// [default: none]
    #[arg(long = "map", value_name = "PICTURE", conflicts_with_all = ["fill", "weights", "guide", "sixteen", "mix"])]
    maps: Vec<PathBuf>,

    /// Size of the result in pixels [default: that of the first input; 256 without input]
    #[arg(long, value_parser = values::size, value_name = "N|WxH")]
    size: Option<Size>,

    /// Size that inputs are brought to first, in pixels: N for the shorter side, or WxH [default: theirs]
    #[arg(long, value_parser = values::in_size, value_name = "N|WxH", conflicts_with = "maps")]
    in_size: Option<InSize>,

    /// Size of the exemplar in the texture, as a factor [default: 1, less for an exemplar much larger
    /// than the result]
    #[arg(long, value_name = "FACTOR", value_parser = values::factor)]
    exemplar_scale: Option<f64>,

    /// Do not look for periods of an exemplar that repeats itself (rows of bricks, tiles, weaves)
    #[arg(long)]
    no_periods: bool,

    /// How strongly patches are pulled to the exemplar's nearest ones: 1 for flowers, leaves and other
    /// things with parts; takes two to four times as long
    #[arg(long, default_value_t = 0.0, value_name = "W", value_parser = values::weight)]
    nearest_weight: f64,

    /// Layers of the network whose statistics are matched, separated by commas [default: none;
    /// conv1_1,conv2_1,conv3_1 with statistics of a network]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    layers: Vec<String>,

    /// Weight of the total variation, with statistics of a network and in units of one of them: more
    /// is smoother
    #[arg(long, default_value_t = 0.0, value_name = "W", value_parser = values::weight)]
    tv_weight: f64,

    /// The published form: Gram matrices of five layers at one size
    #[arg(long, conflicts_with = "statistics")]
    paper: bool,

    /// Make a result that tiles: short for --padding circular
    #[arg(long, conflicts_with = "padding")]
    tile: bool,

    /// Picture to fill in (inpainting): what is black in --mask stays as it is [default: none]
    #[arg(
        long,
        value_name = "PICTURE",
        requires = "mask",
        conflicts_with = "size"
    )]
    fill: Option<PathBuf>,

    /// Mask of --fill, of the same size: white is made anew [default: none]
    #[arg(long, value_name = "PICTURE", requires = "fill")]
    mask: Option<PathBuf>,

    /// Picture to start from in place of noise, resized to the first size of the run [default: none]
    #[arg(long, value_name = "PICTURE", conflicts_with_all = ["maps"])]
    start: Option<PathBuf>,

    /// Results to make, each of the next seed, in files numbered by their seed
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    variations: u64,

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
    let items = plan::items(arguments)?;
    arguments.run.check_results(batch::targets(&items))?;
    // A single input that cannot be read is found before a network is made.
    let only = match &items[..] {
        [item] => Some(opened(arguments, item)?),
        _ => None,
    };
    let channels = only.as_ref().map_or(3, Opened::channels);
    let padding = arguments.tile.then_some(Padding::Circular);
    let network = &arguments.network;
    let results = batch::targets(&items).count();
    let stations = network.stations(results, channels, padding, None)?;
    network::say_all(&stations, arguments.output.quiet);
    let first = stations.first().ok_or("there is no device")?;
    let options = options(arguments, &first.vgg)?;
    let resampled = options.statistics == Statistics::Resampled;
    batch::run(
        &items,
        (&arguments.output, &arguments.run),
        (stations, resampled),
        |job, station, watch| {
            let opened = match &only {
                Some(only) => only.clone(),
                None => opened(arguments, job.item)?,
            };
            let mut options = options.clone();
            options.run.seed = job.seed;
            options.run.memory = station.memory;
            let bound = check_sizes(arguments, (job, &opened), &options, station, watch)?;
            let mut own = station.own.clone();
            own.extend(run::bounded(&mut options.run, bound));
            let exemplars = exemplars(arguments, opened)?;
            make(arguments, job, exemplars, (&options, own), (station, watch))
        },
    )
}

/// One result of an input.
fn make(
    arguments: &Arguments,
    job: &Job<'_>,
    exemplars: Exemplars,
    (options, own): (&TextureOptions, Vec<Flag>),
    (station, watch): (&Station, &mut Watch),
) -> Result<()> {
    let outcome = synthesize_texture(&station.vgg, exemplars, options, &mut watch.observers)?;
    job.check_device(&outcome)?;
    let made = Made {
        command: "texture",
        inputs: &job.item.inputs,
        vgg: &station.vgg,
        own,
        seed: job.seed,
        outcome: &outcome,
        options: serde_json::to_value(options)?,
        psnr: None,
    };
    results::write(&arguments.output, job.target, &made, &watch.meter)
}

/// Says which inputs are brought to another size, since that decides what a result shows; refuses a
/// result that memory does not hold, and returns a bound for one that would take most of it.
fn check_sizes(
    arguments: &Arguments,
    (job, opened): (&Job<'_>, &Opened),
    options: &TextureOptions,
    station: &Station,
    watch: &Watch,
) -> Result<Option<u64>> {
    let sizes = opened.sizes(arguments.in_size)?;
    let filled = options.inpainting.as_ref().map(Inpainting::size);
    let Some(result) = options.size.or(filled).or(sizes.first().copied()) else {
        return Ok(None);
    };
    let resampled = options.statistics == Statistics::Resampled;
    let fits = |what, need| station.check(what, need, resampled);
    let channels = station.vgg.channels();
    let need = Need::texture(options.statistics, channels)
        .saved(options.run.checkpoint.is_some(), channels)
        .within(options.run.memory);
    let bound = fits(("a result", result), need)?;
    for (place, given) in sizes.into_iter().enumerate() {
        let used = options.exemplar_size(given, result);
        fits(
            ("an exemplar", used),
            Need::exemplar(options.statistics, channels),
        )?;
        let told = used != given && job.first && !arguments.output.quiet;
        if let Some(path) = job.item.inputs.get(place).filter(|_| told) {
            let path = path.display();
            watch.meter.say(&format!(
                "{path}: {given} brought to {used}; --exemplar-scale 1 keeps its size"
            ));
        }
    }
    Ok(bound)
}

/// What is read of an item, at its own size.
#[derive(Clone)]
enum Opened {
    Pictures(Vec<DynamicImage>),
    /// Maps of one surface.
    Maps(Picture, Size),
}

impl Opened {
    fn channels(&self) -> usize {
        match self {
            Self::Pictures(_) => 3,
            Self::Maps(stack, _) => stack.channels(),
        }
    }

    /// The sizes that its pictures are brought to.
    fn sizes(&self, wanted: Option<InSize>) -> Result<Vec<Size>> {
        match self {
            Self::Pictures(pictures) => pictures
                .iter()
                .map(|picture| pictures::brought_size(picture, wanted))
                .collect(),
            Self::Maps(_, size) => Ok(vec![*size]),
        }
    }
}

/// Reads what a texture is made of; what --in-size makes too large is refused.
fn opened(arguments: &Arguments, item: &Item) -> Result<Opened> {
    if arguments.maps.is_empty() {
        let opened = arguments.sources.open(&item.inputs, GRAVEL)?;
        let opened = Opened::Pictures(opened);
        opened.sizes(arguments.in_size)?;
        return Ok(opened);
    }
    let mut maps = Vec::new();
    for path in &item.inputs {
        maps.push(pictures::open(path)?);
    }
    let size = pictures::brought_size(&maps[0], None)?;
    for path in &arguments.maps {
        maps.push(pictures::open_data(path)?);
    }
    Ok(Opened::Maps(Picture::maps(maps), size))
}

/// What a texture is made of.
fn exemplars(arguments: &Arguments, opened: Opened) -> Result<Exemplars> {
    match opened {
        Opened::Pictures(pictures) => {
            let brought = pictures.into_iter();
            let brought = brought.map(|picture| pictures::resized(picture, arguments.in_size));
            arguments.sources.exemplars(brought.collect::<Result<_>>()?)
        }
        Opened::Maps(stack, _) => Ok(stack.into()),
    }
}

fn options(arguments: &Arguments, vgg: &Vgg) -> Result<TextureOptions> {
    let layers = values::layers(vgg, &arguments.layers)?;
    let mut options = if arguments.paper {
        TextureOptions::paper(vgg)
    } else {
        let statistics = arguments.sources.statistics(vgg, layers.is_some());
        TextureOptions::default().with_statistics(statistics)
    };
    options.exemplar_scale = arguments.exemplar_scale;
    options.periods = !arguments.no_periods;
    options.nearest_weight = arguments.nearest_weight;
    if layers.is_some() {
        options.layers = layers;
    }
    options.size = arguments.size;
    if arguments.inputs.is_empty() && arguments.fill.is_none() {
        options.size = options.size.or(Some(Size::square(256)));
    }
    options.total_variation_weight = arguments.tv_weight;
    let colour_weight = arguments.sources.colour_weight;
    options.colour_weight = colour_weight.unwrap_or(options.colour_weight);
    if let Some(start) = &arguments.start {
        options.start_picture = Some(pictures::open(start)?.into());
    }
    if let (Some(picture), Some(mask)) = (&arguments.fill, &arguments.mask) {
        let open = |path: &Path| pictures::open(path);
        options.inpainting = Some(Inpainting::new(open(picture)?, open(mask)?));
    }
    options.run = arguments.run.options(options.run);
    Ok(options)
}
