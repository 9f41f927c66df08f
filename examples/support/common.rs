//! Options of the programs that make a picture: network, run and output.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use clap::Args;
use image::DynamicImage;
use indicatif::{ProgressBar, ProgressStyle};
use ranvgg::error::OutputReason;
use ranvgg::imaging;
use ranvgg::{
    Architecture, Outcome, Padding, Pooling, Precision, RandomVgg, RunOptions, Scales, Vgg, device,
};

use super::{Result, Watch, if_exists, interrupts, open_device, parse_seconds, trained};

/// Options of every program that makes a picture.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Picture to write (.png, .jpg or .tif; .tif and .png can hold 16 bits, see --sixteen)
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Overwrite the output if it exists
    #[arg(long)]
    pub(crate) force: bool,

    /// Write 16 bits a channel instead of 8
    #[arg(long)]
    pub(crate) sixteen: bool,

    /// Seed of the starting noise: another one, another picture of the same kind
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,

    /// Seed of the network's weights: another one, another network
    #[arg(long, default_value_t = 0)]
    pub(crate) network_seed: u64,

    /// Standard deviation of the network's biases; about 1 brings more back from deep layers [default: 0;
    /// inverting layers from pool3 on without --paper, 1]
    #[arg(long, value_name = "SIGMA")]
    pub(crate) bias_sigma: Option<f64>,

    /// Recipe of a network, as choose_network writes it, in place of --network-seed, --network and --pooling
    #[arg(long, value_name = "FILE", conflicts_with_all = ["network_seed", "network", "pooling", "weights_file"])]
    pub(crate) recipe: Option<PathBuf>,

    /// Trained weights, from torchvision (.pth) or with its names (.safetensors), in place of random
    /// ones; see --network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["network_seed", "bias_sigma"])]
    pub(crate) weights_file: Option<PathBuf>,

    /// Read --weights-file as Caffe trained them, among them Gatys' normalised VGG: blue first, 0 to 255
    #[arg(long, requires = "weights_file")]
    pub(crate) caffe: bool,

    /// Network: vgg16, vgg19 or alexnet
    #[arg(long, default_value = "vgg19", value_name = "NAME")]
    pub(crate) network: Architecture,

    /// Pooling: average or max [default: average; of --weights-file, max]
    #[arg(long, value_name = "NAME")]
    pub(crate) pooling: Option<Pooling>,

    /// How convolutions continue their input: zero, reflect, replicate or circular [default: reflect,
    /// or that of the recipe; of --weights-file, zero]
    #[arg(long, value_name = "NAME")]
    pub(crate) padding: Option<Padding>,

    /// Precision: single, plain (no Winograd transform: slower, rounding less) or half (f16, on GPUs)
    #[arg(long, default_value = "single", value_name = "NAME")]
    pub(crate) precision: Precision,

    /// Most octaves from coarse to fine; 1 runs at the final size alone
    #[arg(long, value_name = "N")]
    pub(crate) scales: Option<usize>,

    /// Evaluations of the objective in the whole run
    #[arg(long, value_name = "N")]
    pub(crate) evaluations: Option<usize>,

    /// Seconds that the run may take at most
    #[arg(long, value_parser = parse_seconds, value_name = "S")]
    pub(crate) seconds: Option<Duration>,

    /// Device: flex, ndarray, wgpu, wgpu:1, vulkan:0, ... (see the example list_devices)
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,

    /// On a GPU, choose kernels by rule instead of trying out which are the fastest: starts sooner,
    /// runs slower
    #[arg(long)]
    pub(crate) no_tuning: bool,

    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl Common {
    /// The output's path, checked before any work.
    pub(crate) fn output(&self, default: &str) -> Result<PathBuf> {
        let path = self.output.clone().unwrap_or_else(|| default.into());
        self.check_output(&path)?;
        if self.sixteen
            && path
                .extension()
                .is_some_and(|end| end != "png" && end != "tif")
        {
            return Err("--sixteen needs an output that ends in .png or .tif".into());
        }
        Ok(path)
    }

    /// Refuses a path that could not be written.
    pub(crate) fn check_output(&self, path: &Path) -> Result<()> {
        imaging::check_output(path, if_exists(self.force)).map_err(|error| match error {
            ranvgg::Error::Output {
                path,
                reason: OutputReason::Exists,
            } => format!("`{}` exists already; --force overwrites it", path.display()).into(),
            error => Box::<dyn Error>::from(error),
        })
    }

    /// The network, for pictures of so many channels.
    pub(crate) fn network(&self, channels: usize) -> Result<Vgg> {
        if self.no_tuning {
            device::without_tuning()?;
        }
        let device = open_device(self.device.as_deref())?;
        let vgg = match &self.weights_file {
            Some(path) => self.trained(path, &device)?,
            None => self.random(channels)?.init(&device)?,
        };
        let vgg = vgg.with_precision(self.precision)?;
        let source = match vgg.recipe() {
            Some(recipe) => format!("seed {}", recipe.seed()),
            None => "trained".into(),
        };
        let (architecture, device) = (vgg.architecture(), device::name_of(vgg.device()));
        self.say(&format!("{architecture}, {source}, on {device}"));
        Ok(vgg)
    }

    fn random(&self, channels: usize) -> Result<RandomVgg> {
        let mut random = match &self.recipe {
            Some(path) => RandomVgg::load_recipe(path)?,
            None => RandomVgg::new(self.network)
                .with_seed(self.network_seed)
                .with_channels(channels),
        };
        if let Some(sigma) = self.bias_sigma {
            random = random.with_bias_sigma(sigma);
        }
        if let Some(pooling) = self.pooling {
            random = random.with_pooling(pooling);
        }
        if let Some(padding) = self.padding {
            random = random.with_padding(padding);
        }
        Ok(random)
    }

    fn trained(&self, path: &Path, device: &Device) -> Result<Vgg> {
        let mut file = trained(self.network, self.caffe);
        if let Some(pooling) = self.pooling {
            file = file.with_pooling(pooling);
        }
        if let Some(padding) = self.padding {
            file = file.with_padding(padding);
        }
        Ok(file.load(path, device)?)
    }

    pub(crate) fn run(&self, mut options: RunOptions) -> RunOptions {
        options.seed = self.seed;
        if let Some(evaluations) = self.evaluations {
            options.evaluations = Some(evaluations);
        }
        options.time_limit = self.seconds;
        if let Some(most) = self.scales {
            options.scales = match options.scales {
                Scales::Octaves { smallest, .. } => Scales::Octaves { most, smallest },
                _ => Scales::Octaves { most, smallest: 48 },
            };
        }
        options
    }

    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// Writes the picture and says how the run went.
    pub(crate) fn finish(&self, outcome: &Outcome, output: &Path) -> Result<()> {
        let image: DynamicImage = if self.sixteen {
            outcome.image16()
        } else {
            outcome.image()
        };
        imaging::save(&image, output, if_exists(self.force))?;
        self.summarise(outcome, output);
        match outcome.failure() {
            Some(reason) => Err(format!("the run failed on the way: {reason}").into()),
            None => Ok(()),
        }
    }

    pub(crate) fn summarise(&self, outcome: &Outcome, output: &Path) {
        let image = outcome.image();
        self.say(&format!(
            "{}: {}x{}, {} evaluations in {:.1} s, {:.1} s of them preparing ({})",
            output.display(),
            image.width(),
            image.height(),
            outcome.evaluations(),
            outcome.elapsed().as_secs_f64(),
            outcome.preparing().as_secs_f64(),
            outcome.stop_reason(),
        ));
    }

    /// An observer that draws a progress bar and stops the run at the first Ctrl-C.
    pub(crate) fn watch(&self) -> Result<Watch> {
        let bar = if self.quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::no_length()
        };
        Ok(Watch {
            asked: Box::new(interrupts()?),
            preparing: ProgressStyle::with_template("{spinner} {msg}, {elapsed}")?,
            running: ProgressStyle::with_template(
                "{bar:32} {pos}/{len} evaluations, {msg}, {eta} left",
            )?,
            bar,
        })
    }
}
