//! What can be asked for, and what a study gets of it: pictures, networks, a folder.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use image::DynamicImage;
use image::imageops::FilterType;
use ranvgg::imaging::{self, Limits};
use ranvgg::{Architecture, Layer, Vgg};
use serde::Serialize;

use crate::study::Study;
use crate::support;

#[derive(Args, Clone, Debug, Serialize)]
pub(crate) struct Options {
    /// Photographs (.png, .jpg, .tif) [default: a cat, a cup of coffee and a rocket, from the crate]
    pub(crate) pictures: Vec<PathBuf>,

    /// Exemplars of textures and styles, separated by commas [default: gravel and strokes, from the
    /// crate]
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    pub(crate) exemplars: Vec<PathBuf>,

    /// Folder to write to, a folder in it for each study; what was computed there already is not
    /// computed again
    #[arg(short, long, default_value = "reproduce", value_name = "FOLDER")]
    pub(crate) output: PathBuf,

    /// Network: vgg16, vgg19 or alexnet
    #[arg(long, default_value = "vgg19", value_name = "NAME")]
    #[serde(serialize_with = "shown")]
    pub(crate) network: Architecture,

    /// Trained weights of the same network, from torchvision (.pth) or with its names
    /// (.safetensors), to compare with
    #[arg(long, value_name = "FILE")]
    pub(crate) weights_file: Option<PathBuf>,

    /// Read --weights-file as Caffe trained them: blue first, 0 to 255
    #[arg(long, requires = "weights_file")]
    pub(crate) caffe: bool,

    /// Side of the pictures; fully connected layers want 224 [default: by study]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(32..=4096))]
    pub(crate) side: Option<u32>,

    /// Evaluations of each run [default: by study]
    #[arg(long, value_name = "N")]
    pub(crate) evaluations: Option<usize>,

    /// Networks drawn of each kind [default: by study]
    #[arg(long, value_name = "N")]
    pub(crate) draws: Option<usize>,

    /// Candidates of each layer of a greedy stack
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) candidates: usize,

    /// Layers to invert, separated by commas [default: by study]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) layers: Vec<Layer>,

    /// Everything at its smallest: to see whether it works, not what it says
    #[arg(long)]
    pub(crate) smallest: bool,

    /// Device: flex, wgpu, ... (`ranvgg devices` lists them)
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
}

fn shown<S: serde::Serializer>(value: &Architecture, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A picture with a name.
pub(crate) type Named = (String, DynamicImage);

/// What a study works with.
pub(crate) struct Context {
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) device: Device,
    pub(crate) photographs: Vec<Named>,
    pub(crate) exemplars: Vec<Named>,
    /// The trained network as it was trained, if there is one.
    pub(crate) trained: Option<Vgg>,
    pub(crate) side: u32,
    pub(crate) evaluations: usize,
    pub(crate) draws: usize,
    /// Kind and draw of the network that was used last, and it.
    pub(crate) last_network: RefCell<Option<((String, usize), Vgg)>>,
}

impl Context {
    pub(crate) fn new(options: &Options, study: &dyn Study) -> support::Result<Self> {
        let defaults = study.defaults();
        let (side, evaluations, draws) = match options.smallest {
            // AlexNet's poolings and strides leave nothing of less.
            true if options.network == Architecture::AlexNet => (64, 4, 2),
            true => (32, 4, 2),
            false => (
                options.side.unwrap_or(defaults.side),
                options.evaluations.unwrap_or(defaults.evaluations),
                options.draws.unwrap_or(defaults.draws),
            ),
        };
        if evaluations == 0 || draws == 0 || options.candidates == 0 {
            return Err("--evaluations, --draws and --candidates are at least 1".into());
        }
        let mut options = options.clone();
        if options.smallest {
            options.candidates = 2;
        }
        let photographs = named(
            &options.pictures,
            &["cat.png", "coffee.png", "rocket.png"],
            side,
        )?;
        let exemplars = named(&options.exemplars, &["gravel.png", "strokes.png"], side)?;
        let device = support::open_device(options.device.as_deref())?;
        let trained = match &options.weights_file {
            Some(path) => {
                let file = support::trained(options.network, options.caffe);
                Some(file.load(path, &device)?)
            }
            None => None,
        };
        let folder = options.output.join(study.name());
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot make the folder `{}`: {error}", folder.display()))?;
        Ok(Self {
            options,
            folder,
            device,
            photographs,
            exemplars,
            trained,
            side,
            evaluations,
            draws,
            last_network: RefCell::new(None),
        })
    }

    /// The layers asked for, else those of these [names](Self::named).
    pub(crate) fn layers(&self, names: &[&str]) -> support::Result<Vec<Layer>> {
        let architecture = self.options.network;
        let mut layers = Vec::new();
        for layer in &self.options.layers {
            // Says which layers there are.
            layers.push(architecture.layer(&layer.to_string())?);
        }
        if layers.is_empty() {
            layers = self.named(names);
        }
        if layers.is_empty() {
            return Err(format!("pictures of side {} are too small", self.side).into());
        }
        Ok(layers)
    }

    /// The layers of these names that the network has and that a picture of this study's size has.
    pub(crate) fn named(&self, names: &[&str]) -> Vec<Layer> {
        let found = names
            .iter()
            .filter_map(|name| self.options.network.layer(name).ok());
        found.filter(|layer| self.fits(*layer)).collect()
    }

    /// The layers with weights up to this one.
    pub(crate) fn weighted(&self, layer: Layer) -> Vec<Layer> {
        let mut layers = self.options.network.up_to(layer).unwrap_or_default();
        layers.retain(|layer| layer.has_weights());
        layers
    }

    /// The deepest layer of the default textures and styles: what their runs cost.
    pub(crate) fn style_layer(&self) -> Layer {
        match self.named(&["conv3_1", "conv3"])[..] {
            [layer, ..] => layer,
            [] => self.options.network.layers()[0],
        }
    }

    /// Whether a layer can be computed from a picture of this study's size.
    fn fits(&self, layer: Layer) -> bool {
        let extent = self
            .options
            .network
            .geometry(layer, ranvgg::Padding::Reflect);
        let side = self.side as usize;
        extent.is_ok_and(|extent| match layer {
            Layer::FullyConnected { .. } => side == extent.smallest_image,
            _ => side >= extent.smallest_image,
        })
    }
}

/// Square pictures of one size by name: those at `paths`, or of the crate.
fn named(paths: &[PathBuf], bundled: &[&str], side: u32) -> support::Result<Vec<Named>> {
    let mut pictures: Vec<Named> = Vec::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/images");
    let paths = match paths {
        [] => bundled.iter().map(|name| own.join(name)).collect(),
        paths => paths.to_vec(),
    };
    for path in paths {
        let stem = path.file_stem().and_then(|name| name.to_str());
        let stem = stem.ok_or_else(|| format!("`{}` has no name", path.display()))?;
        let mut name = stem.replace(|c: char| !c.is_alphanumeric(), "_");
        while pictures.iter().any(|(taken, _)| *taken == name) {
            name.push('_');
        }
        let picture = imaging::open(&path, Limits::default())?;
        let square = picture.resize_to_fill(side, side, FilterType::Lanczos3);
        pictures.push((name, square));
    }
    Ok(pictures)
}
