//! What the example programs share: devices, pictures, a progress bar, Ctrl-C, clear errors.

#![allow(dead_code)] // each example uses its part

pub(crate) mod html;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::tensor::Device;
use clap::Args;
use image::DynamicImage;
use indicatif::{ProgressBar, ProgressStyle};
use ranvgg::error::OutputReason;
use ranvgg::imaging::{self, Limits};
use ranvgg::run::Preparation;
use ranvgg::{
    Architecture, Control, Exemplars, IfExists, Layer, Observer, Outcome, Padding, Pooling,
    Precision, Progress, RandomVgg, RunOptions, Scales, Size, Statistics, Vgg, WeightFile, device,
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

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
            Some(reason) => Err(format!("the device failed on the way: {reason}").into()),
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

/// Draws a progress bar, and stops a run at the first Ctrl-C.
pub(crate) struct Watch {
    asked: Box<dyn Fn() -> bool>,
    bar: ProgressBar,
    preparing: ProgressStyle,
    running: ProgressStyle,
}

impl Observer for Watch {
    fn prepare(&mut self, preparation: &Preparation) {
        if preparation.scale == 0 {
            self.bar.reset();
        }
        self.bar.set_style(self.preparing.clone());
        self.bar.set_message(format!(
            "preparing scale {}/{} ({})",
            preparation.scale + 1,
            preparation.scales,
            preparation.size
        ));
        // On a GPU that compiles and tunes kernels this may take minutes: something has to move.
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn observe(&mut self, progress: &Progress<'_>) -> Control {
        let bar = &self.bar;
        bar.disable_steady_tick();
        bar.set_style(self.running.clone());
        bar.set_length(progress.evaluations as u64);
        bar.set_position(progress.evaluation as u64);
        bar.set_message(format!(
            "scale {}/{} ({}), loss {:.3e}",
            progress.scale + 1,
            progress.scales,
            progress.size,
            progress.loss()
        ));
        if progress.evaluation == progress.evaluations {
            bar.finish();
        }
        if (self.asked)() {
            bar.abandon_with_message("stopped; the picture so far is kept");
            return Control::Stop;
        }
        Control::Continue
    }
}

impl Watch {
    /// Leaves the bar where it is: a run may end before its last evaluation.
    pub(crate) fn ended(&self) {
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
    }
}

/// A file of trained weights, by who trained them.
pub(crate) fn trained(architecture: Architecture, caffe: bool) -> WeightFile {
    if caffe {
        WeightFile::caffe(architecture)
    } else {
        WeightFile::torchvision(architecture)
    }
}

/// Whether Ctrl-C was pressed since; the second time leaves at once, with nothing half-written.
pub(crate) fn interrupts() -> Result<impl Fn() -> bool> {
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })?;
    Ok(move || asked.load(Ordering::SeqCst))
}

pub(crate) fn open_device(name: Option<&str>) -> Result<Device> {
    Ok(match name {
        Some(name) => device::by_name(name)?,
        None => device::best()?,
    })
}

/// What a device is, in a line.
pub(crate) fn describe(device: &Device) -> String {
    match device::info_of(device) {
        Some(info) => {
            let (name, adapter) = (info.name, info.adapter);
            format!("{name}: {adapter}, {}, {}", info.class, info.driver)
        }
        None => device::name_of(device),
    }
}

/// Reads a picture, or one that ships with the crate.
pub(crate) fn open_picture(path: Option<&Path>, bundled: &str) -> Result<DynamicImage> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/images")
            .join(bundled),
    };
    Ok(imaging::open(path, Limits::default())?)
}

/// What a texture or style is made of.
#[derive(Args, Debug)]
pub(crate) struct Sources {
    /// Shares of several pictures, separated by commas [default: equal]
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        conflicts_with = "guide"
    )]
    pub(crate) weights: Vec<f64>,

    /// Which picture goes where in the result: of two, the first where this one is black and the
    /// second where it is white; of more, greys between; a single one where it is white
    #[arg(long, value_name = "PICTURE")]
    pub(crate) guide: Option<PathBuf>,

    /// Statistics that are matched: resampled, whitened, distributions, moments or gram [default:
    /// resampled; whitened where layers are named or weights come from a file]
    #[arg(long, value_name = "NAME")]
    statistics: Option<Statistics>,

    /// Weight of the distribution of colours, in units of one statistic [default: 1]
    #[arg(long, value_name = "W")]
    pub(crate) colour_weight: Option<f64>,
}

impl Sources {
    /// What is asked for, or what fits a network, of which `layers` may be named.
    pub(crate) fn statistics(&self, vgg: &Vgg, layers: bool) -> Statistics {
        let of_a_network = layers || vgg.recipe().is_none();
        self.statistics.unwrap_or(match of_a_network {
            true => Statistics::Whitened,
            false => Statistics::Resampled,
        })
    }

    /// The pictures at `paths`, mixed or side by side.
    pub(crate) fn read(&self, paths: &[PathBuf], bundled: &str) -> Result<Exemplars> {
        let mut pictures = Vec::new();
        for path in paths {
            pictures.push(open_picture(Some(path), bundled)?);
        }
        if pictures.is_empty() {
            pictures.push(open_picture(None, bundled)?);
        }
        if !self.weights.is_empty() && self.weights.len() != pictures.len() {
            let (found, expected) = (self.weights.len(), pictures.len());
            return Err(format!("--weights has {found} numbers for {expected} pictures").into());
        }
        let Some(guide) = &self.guide else {
            let weights = self.weights.iter().copied().chain(std::iter::repeat(1.0));
            return Ok(Exemplars::mixture(pictures.into_iter().zip(weights)));
        };
        let guide = open_picture(Some(guide), "")?.to_luma8();
        let count = pictures.len();
        let regions = pictures.into_iter().enumerate().map(|(number, picture)| {
            let mask = image::GrayImage::from_fn(guide.width(), guide.height(), |x, y| {
                let level = usize::from(guide.get_pixel(x, y).0[0]);
                let here = match count {
                    1 => level >= 128,
                    _ => level * count / 256 == number,
                };
                image::Luma([if here { 255 } else { 0 }])
            });
            (Exemplars::from(picture), DynamicImage::from(mask))
        });
        Ok(Exemplars::regions(regions))
    }
}

/// What `--force` says of files that exist.
pub(crate) fn if_exists(force: bool) -> IfExists {
    match force {
        true => IfExists::Replace,
        false => IfExists::Refuse,
    }
}

/// Reads `256` or `320x200`.
pub(crate) fn parse_size(text: &str) -> std::result::Result<Size, String> {
    let side = |text: &str| match text.parse::<usize>() {
        Ok(side) if (1..=16384).contains(&side) => Ok(side),
        _ => Err(format!(
            "`{text}` is not a number of pixels from 1 to 16384"
        )),
    };
    match text.split_once(['x', 'X']) {
        Some((width, height)) => Ok(Size::new(side(width)?, side(height)?)),
        None => side(text).map(Size::square),
    }
}

/// Reads a number of seconds above 0.
fn parse_seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|seconds| *seconds > 0.0);
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or_else(|| format!("`{text}` is not a number of seconds above 0"))
}

/// Reads the names of layers, separated by commas.
pub(crate) fn parse_layers(vgg: &Vgg, names: Option<&str>) -> Result<Option<Vec<Layer>>> {
    let Some(names) = names else { return Ok(None) };
    let layers: ranvgg::Result<Vec<Layer>> = names.split(',').map(|name| vgg.layer(name)).collect();
    Ok(Some(layers?))
}

/// An error and its sources in a line. A source that the message before it ends with is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !line.ends_with(&said) {
            line = format!("{line}: {said}");
        }
        source = error.source();
    }
    line
}

/// Runs a program; an error becomes one line on standard error and exit code 1.
pub(crate) fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}
