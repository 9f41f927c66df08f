//! `ranvgg invert`: pictures from their features at one layer.

use std::path::PathBuf;

use clap::Args;
use image::DynamicImage;
use ranvgg::{InvertOptions, Layer, RandomVgg, imaging, invert, metrics};

use crate::batch::{self, Item, Job};
use crate::config::Config;
use crate::failure::{Result, Status};
use crate::memory::Need;
use crate::network::{self, Network};
use crate::observers::Watch;
use crate::output::{Name, Output, stem};
use crate::pictures::{self, CAT};
use crate::results::{self, Made};
use crate::run::{self, Run};
use crate::stations::Station;
use crate::values::{self, InSize};

/// Reconstruct pictures from their features at one layer
#[derive(Args)]
#[command(after_help = "\
Examples:
  ranvgg invert photo.jpg --layer conv4_1
  ranvgg invert photo.jpg --layer fc6 --in-size 224x224 -o fc6.png
  ranvgg invert *.jpg --layer pool3 -o inverted/")]
pub(crate) struct Arguments {
    /// Pictures to reconstruct (.png, .jpg, .tif); of several, --output names a folder [default: a cat,
    /// from the program]
    #[arg(value_name = "PICTURE")]
    inputs: Vec<PathBuf>,

    /// Layer to invert: conv1_1 ... conv5_4, pool1 ... pool5, fc6 ... fc8 (224x224 pictures only)
    #[arg(long, default_value = "conv3_1", value_name = "NAME")]
    layer: Layer,

    /// Size that inputs are brought to first, in pixels: N for the shorter side, or WxH [default: theirs]
    #[arg(long, value_parser = values::in_size, value_name = "N|WxH")]
    in_size: Option<InSize>,

    /// Weight of the total variation, in units of the content loss: more is smoother [default: by
    /// layer, 0.001 for each pixel of its stride]
    #[arg(long, value_name = "W", value_parser = values::weight)]
    tv_weight: Option<f64>,

    /// The published form: features alone, at one size
    #[arg(long, conflicts_with_all = ["tv_weight", "scales"])]
    paper: bool,

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
    let items = items(arguments)?;
    arguments.run.check_results(batch::targets(&items))?;
    // A single input that cannot be read is found before a network is made.
    let only = match &items[..] {
        [item] => Some(opened(arguments, item)?),
        _ => None,
    };
    let network = &arguments.network;
    let stations = network.stations(items.len(), 3, None, biases(arguments)?)?;
    network::say_all(&stations, arguments.output.quiet);
    if let Some(station) = stations.first() {
        // Says which layers there are.
        station.vgg.layer(&arguments.layer.to_string())?;
    }
    let mut options = InvertOptions::default();
    options.total_variation_weight = arguments.tv_weight;
    if arguments.paper {
        options = InvertOptions::paper();
    }
    options.run = arguments.run.options(options.run);
    batch::run(
        &items,
        (&arguments.output, &arguments.run),
        (stations, false),
        |job, station, watch| {
            let picture = match &only {
                Some(picture) => picture.clone(),
                None => opened(arguments, job.item)?,
            };
            make(arguments, job, picture, &options, (station, watch))
        },
    )
}

/// The result of one input.
fn make(
    arguments: &Arguments,
    job: &Job<'_>,
    picture: DynamicImage,
    options: &InvertOptions,
    (station, watch): (&Station, &mut Watch),
) -> Result<()> {
    let size = pictures::brought_size(&picture, arguments.in_size)?;
    let need = Need::NETWORK.within(station.memory);
    let bound = station.check(("a result", size), need, false)?;
    let mut options = options.clone();
    options.run.memory = station.memory;
    let mut own = station.own.clone();
    own.extend(run::bounded(&mut options.run, bound));
    let picture = pictures::resized(picture, arguments.in_size)?;
    let (vgg, layer) = (&station.vgg, arguments.layer);
    let outcome = invert(vgg, &picture, layer, &options, &mut watch.observers)?;
    job.check_device(&outcome)?;
    let (image, given) = (outcome.image().to_rgb32f(), imaging::flatten(&picture));
    let made = Made {
        command: "invert",
        inputs: &job.item.inputs,
        vgg,
        own,
        seed: job.seed,
        outcome: &outcome,
        options: serde_json::to_value(&options)?,
        psnr: metrics::psnr(&image, &given).ok(),
    };
    results::write(&arguments.output, job.target, &made, &watch.meter)
}

/// What is to be made, and where it goes.
fn items(arguments: &Arguments) -> Result<Vec<Item>> {
    let inputs = &arguments.inputs;
    if inputs.len() > 1 && !arguments.output.is_folder() {
        return Err("several pictures need a folder as their output: -o out/".into());
    }
    let groups: Vec<Vec<PathBuf>> = match &inputs[..] {
        [] => vec![Vec::new()],
        inputs => inputs.iter().map(|input| vec![input.clone()]).collect(),
    };
    let names: Vec<Name<'_>> = groups
        .iter()
        .map(|group| Name {
            stem: group.first().map_or(CAT.name.into(), |path| stem(path)),
            seed: None,
            maps: &[],
        })
        .collect();
    let targets = arguments.output.targets("inverted.png", &names)?;
    let seed = arguments.run.seed;
    let items = groups
        .into_iter()
        .zip(targets)
        .map(|(inputs, target)| Item {
            inputs,
            results: vec![(seed, target)],
        });
    Ok(items.collect())
}

/// The picture of an item at its own size; one that --in-size makes too large is refused.
fn opened(arguments: &Arguments, item: &Item) -> Result<DynamicImage> {
    let path = item.inputs.first().map(PathBuf::as_path);
    let picture = pictures::open_or(path, CAT)?;
    pictures::brought_size(&picture, arguments.in_size)?;
    Ok(picture)
}

/// The biases that the layer is best inverted with, where nothing else describes the network.
fn biases(arguments: &Arguments) -> Result<Option<f64>> {
    let network = &arguments.network;
    if network.recipe.is_some() || network.weights_file.is_some() || arguments.paper {
        return Ok(None);
    }
    let random = RandomVgg::new(network.network).with_biases_for(arguments.layer)?;
    Ok(Some(random.bias_sigma()))
}
