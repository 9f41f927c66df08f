//! The network that a picture is made through, and `ranvgg network`.

mod choose;
mod export;
mod recipe;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Args, Subcommand};
use ranvgg::{Architecture, Padding, Pooling, Precision, RandomVgg, Vgg, WeightFile, device};

use crate::failure::{Result, Status};
use crate::output::with_default;
use crate::stations::{self, Station};
use crate::{terminal, values};

/// Choose, describe or export a network
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Tells the default of --bias-sigma.
pub(crate) fn described(command: clap::Command, bias_sigma: &str) -> clap::Command {
    with_default(command, "bias_sigma", bias_sigma)
}

#[derive(Subcommand)]
enum Command {
    Choose(choose::Arguments),
    Export(export::Arguments),
    Recipe(recipe::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<Status> {
    match &arguments.command {
        Command::Choose(arguments) => choose::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Recipe(arguments) => recipe::run(arguments),
    }
}

/// The network, and the device that it is computed on.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Seed of the network's weights: another one, another network
    #[arg(long, default_value_t = 0, value_name = "N")]
    network_seed: u64,

    /// Standard deviation of the network's biases; about 1 brings more back from deep layers
    #[arg(long, value_name = "SIGMA", value_parser = values::weight)]
    pub(crate) bias_sigma: Option<f64>,

    /// Recipe of a network, written by `ranvgg network choose` or `recipe`, in place of --network-seed,
    /// --network and --pooling [default: none]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["network_seed", "network", "pooling", "weights_file"])]
    pub(crate) recipe: Option<PathBuf>,

    /// Trained weights, from torchvision (.pth) or with its names (.safetensors), in place of random
    /// ones; see --network [default: none]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["network_seed", "bias_sigma"])]
    pub(crate) weights_file: Option<PathBuf>,

    /// Read --weights-file as Caffe trained them, among them Gatys' normalised VGG: blue first, 0 to 255
    #[arg(long, requires = "weights_file")]
    caffe: bool,

    /// Architecture of the network
    #[arg(long, default_value = "vgg19", value_name = "NAME", value_parser = values::name::<Architecture>())]
    pub(crate) network: Architecture,

    /// How feature maps are halved [default: average; of --weights-file, max]
    #[arg(long, value_name = "NAME", value_parser = values::name::<Pooling>())]
    pooling: Option<Pooling>,

    /// How convolutions continue a picture beyond its edges [default: reflect, or that of the recipe; of
    /// --weights-file, zero]
    #[arg(long, value_name = "NAME", value_parser = values::name::<Padding>())]
    padding: Option<Padding>,

    /// Numbers between layers: single; plain, which rounds less and is slower; or half, on GPUs
    #[arg(long, default_value = "single", value_name = "NAME", value_parser = values::name::<Precision>())]
    precision: Precision,

    /// Device to compute on: flex, wgpu, wgpu:1, vulkan:0, ...; `ranvgg devices` lists them [default:
    /// the best]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    device: Vec<String>,

    /// On a GPU, choose kernels by rule instead of trying out which are the fastest: starts sooner,
    /// runs slower
    #[arg(long)]
    no_tuning: bool,
}

impl Network {
    /// The network on the one device of a command that makes one picture.
    pub(crate) fn init(&self) -> Result<Vgg> {
        self.tune()?;
        self.on(&stations::open_device(&self.device)?, 3, None, None)
    }

    /// The network on each device that `results` are spread over, for pictures of so many channels; with a
    /// padding and biases that the task needs.
    pub(crate) fn stations(
        &self,
        results: usize,
        channels: usize,
        padding: Option<Padding>,
        bias_sigma: Option<f64>,
    ) -> Result<Vec<Station>> {
        self.tune()?;
        stations::open(&self.device, results, |device| {
            self.on(device, channels, padding, bias_sigma)
        })
    }

    fn tune(&self) -> Result<()> {
        if self.no_tuning {
            device::without_tuning()?;
        }
        Ok(())
    }

    fn on(
        &self,
        device: &Device,
        channels: usize,
        padding: Option<Padding>,
        bias_sigma: Option<f64>,
    ) -> Result<Vgg> {
        let padding = padding.or(self.padding);
        let vgg = match &self.weights_file {
            Some(path) => self.trained(path, padding, device)?,
            None => self.random(channels, padding, bias_sigma)?.init(device)?,
        };
        Ok(vgg.with_precision(self.precision)?)
    }

    fn random(
        &self,
        channels: usize,
        padding: Option<Padding>,
        bias_sigma: Option<f64>,
    ) -> Result<RandomVgg> {
        let mut random = match &self.recipe {
            Some(path) => RandomVgg::load_recipe(path)?,
            None => RandomVgg::new(self.network)
                .with_seed(self.network_seed)
                .with_channels(channels),
        };
        if let Some(sigma) = self.bias_sigma.or(bias_sigma) {
            random = random.with_bias_sigma(sigma);
        }
        if let Some(pooling) = self.pooling {
            random = random.with_pooling(pooling);
        }
        if let Some(padding) = padding {
            random = random.with_padding(padding);
        }
        Ok(random)
    }

    fn trained(&self, path: &Path, padding: Option<Padding>, device: &Device) -> Result<Vgg> {
        let mut file = match self.caffe {
            true => WeightFile::caffe(self.network),
            false => WeightFile::torchvision(self.network),
        };
        if let Some(pooling) = self.pooling {
            file = file.with_pooling(pooling);
        }
        if let Some(padding) = padding {
            file = file.with_padding(padding);
        }
        Ok(file.load(path, device)?)
    }
}

/// Tells what several devices do.
pub(crate) fn spread(command: clap::Command) -> clap::Command {
    command.mut_arg("device", |arg| {
        let help = "Devices to compute on, separated by commas: flex, wgpu, wgpu:1, vulkan:0, ...; `ranvgg \
            devices` lists them. Several share the results, each makes one at a time; all is every GPU, or \
            the best device where there is none [default: the best]";
        arg.help(help).long_help(help).value_name("A,B,C")
    })
}

/// Says which network is used, and where.
pub(crate) fn say(vgg: &Vgg, quiet: bool) {
    say_on(vgg, &[device::name_of(vgg.device())], quiet);
}

/// Says which network the stations have.
pub(crate) fn say_all(stations: &[Station], quiet: bool) {
    let names: Vec<String> = stations.iter().map(|it| it.name.clone()).collect();
    if let Some(first) = stations.first() {
        say_on(&first.vgg, &names, quiet);
    }
}

fn say_on(vgg: &Vgg, devices: &[String], quiet: bool) {
    let source = match vgg.recipe() {
        Some(recipe) => format!("seed {}", recipe.seed()),
        None => "trained".into(),
    };
    let (architecture, devices) = (vgg.architecture(), devices.join(", "));
    if !quiet {
        terminal::say(&format!("{architecture}, {source}, on {devices}"));
    }
}

pub(crate) fn open_device(name: Option<&str>) -> Result<Device> {
    Ok(match name {
        Some(name) => device::by_name(name)?,
        None => device::best()?,
    })
}
