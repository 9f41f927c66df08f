//! Networks with weights from a file.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::checkpoint::Checkpoint;
use super::stages::Stage;
use super::{Architecture, Layer, NetworkConfig, Preprocessing, Vgg};
use crate::backend::threads;
use crate::engine::{
    ConvolutionShape, LazyParameters, Operation, Padding, Parameters, Pooling, Weighted,
};
use crate::error::{Error, FileUse, Result, all_finite};
use crate::file;

/// The description of a network with weights from a safetensors or PyTorch file.
///
/// The file holds a weight and a bias for each layer, named as torchvision names them
/// (`features.0.weight`, `classifier.0.bias`) or by layer (`conv1_1.weight`, `fc6.bias`), with or
/// without a prefix (`module.features.0.weight`). Deep layers may be missing. The file does not
/// contain pooling, padding and preprocessing. [`torchvision`](NetworkConfig::torchvision) and
/// [`caffe`](NetworkConfig::caffe) set those that the weights were trained with.
///
/// ```no_run
/// # fn main() -> ranvgg::Result<()> {
/// use ranvgg::{Architecture, WeightFile, device};
///
/// let file = WeightFile::torchvision(Architecture::Vgg19);
/// let vgg = file.load("vgg19-dcbb9e9d.pth", &device::best()?)?;
/// # Ok(())
/// # }
/// ```
pub type WeightFile = NetworkConfig<FileWeights>;

/// Weights from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileWeights {
    deepest: Option<Layer>,
}

impl WeightFile {
    /// Weights from torchvision: max pooling, zero padding, and normalisation by the mean and the
    /// standard deviation of ImageNet.
    #[must_use]
    pub fn torchvision(architecture: Architecture) -> Self {
        Self::new(architecture)
            .with_pooling(Pooling::Max)
            .with_padding(Padding::Zero)
            .with_preprocessing(Preprocessing::torchvision())
    }

    /// Weights from Caffe, such as the original VGG weights and the normalised weights of Gatys,
    /// Ecker and Bethge: max pooling, zero padding, and colours of 0..=255 in the order blue,
    /// green, red, minus the mean colour.
    #[must_use]
    pub fn caffe(architecture: Architecture) -> Self {
        Self::new(architecture)
            .with_pooling(Pooling::Max)
            .with_padding(Padding::Zero)
            .with_preprocessing(Preprocessing::caffe())
    }

    /// Reads only layers up to `deepest`. The fully connected layers are nine tenths of a file.
    /// Default: all layers in the file.
    #[must_use]
    pub fn up_to(mut self, deepest: Layer) -> Self {
        self.weights.deepest = Some(deepest);
        self
    }

    /// Reads the file at `path`: safetensors, or any format of `torch.save`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file that cannot be read or has neither format, and those of
    /// [`read`](Self::read).
    pub fn load(&self, path: impl AsRef<Path>, device: &Device) -> Result<Vgg> {
        let path = path.as_ref();
        if Checkpoint::is_safetensors(path)? {
            let bytes = file::read(path, u64::MAX, FileUse::Weights)?;
            return self.read(&bytes, device).map_err(|error| error.at(path));
        }
        self.network(&Checkpoint::pytorch(path)?, device)
            .map_err(|error| error.at(path))
    }

    /// Reads the content of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for another format, [`Error::Tensor`] and [`Error::Shape`] for a tensor that
    /// is missing or does not fit the architecture, [`Error::NotFinite`] for NaN or infinite
    /// weights, [`Error::UnknownLayer`] for a deepest layer that the architecture does not have,
    /// [`Error::Threads`].
    pub fn read(&self, bytes: &[u8], device: &Device) -> Result<Vgg> {
        self.network(&Checkpoint::safetensors(bytes)?, device)
    }

    fn network(&self, checkpoint: &Checkpoint<'_>, device: &Device) -> Result<Vgg> {
        threads()?;
        self.preprocessing.check()?;
        let stages = self.wanted()?;
        let names = Names::of(checkpoint, &stages)?;
        let mut layers = Vec::new();
        // The first tensor that the file lacks. The network ends below it.
        let mut absent = None;
        for stage in &stages {
            let shape = match stage.operation {
                Operation::Convolution(shape) => shape,
                Operation::Pool(pool) => {
                    if absent.is_none() {
                        layers.push((stage.layer, Weighted::Pool(pool)));
                    }
                    continue;
                }
            };
            let key = names.key(stage);
            let name = format!("{key}.weight");
            match (checkpoint.has(&name), &absent) {
                (true, None) => {
                    let read = Arc::new(read_layer(checkpoint, &key, stage.layer, shape)?);
                    let parameters = LazyParameters::new(move || Arc::clone(&read));
                    layers.push((stage.layer, Weighted::Convolution(shape, parameters)));
                }
                // The file has a deeper layer than the one that it lacks.
                (true, Some(missing)) => {
                    return Err(Error::missing_tensor(String::clone(missing)));
                }
                (false, _) => absent = absent.or(Some(name)),
            }
        }
        Ok(Vgg::new(self.plan(), device, None, layers))
    }

    /// The stages to read, if the file has them.
    fn wanted(&self) -> Result<Vec<Stage>> {
        let mut stages = self.plan().stages();
        if let Some(deepest) = self.weights.deepest {
            let within = self.architecture.up_to(deepest)?;
            stages.retain(|stage| within.contains(&stage.layer));
        }
        Ok(stages)
    }
}

/// The naming scheme of a file's tensors.
struct Names {
    prefix: String,
    /// Whether tensors are named by torchvision's modules, not by layers.
    by_module: bool,
}

impl Names {
    /// Finds the naming scheme from the name of the first layer's weight.
    fn of(checkpoint: &Checkpoint<'_>, stages: &[Stage]) -> Result<Self> {
        let first = &stages[0];
        for (by_module, key) in [(true, first.key()), (false, first.layer.to_string())] {
            let name = format!("{key}.weight");
            let mut prefixes: Vec<String> = checkpoint
                .names()
                .filter_map(|found| found.strip_suffix(&name))
                .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
                .map(str::to_owned)
                .collect();
            // A file with several networks is ambiguous, unless one of them has no prefix.
            prefixes.sort_unstable();
            let plain = prefixes.first().is_some_and(String::is_empty);
            if let Some(prefix) = prefixes.pop().filter(|_| plain || prefixes.is_empty()) {
                let prefix = if plain { String::new() } else { prefix };
                return Ok(Self { prefix, by_module });
            }
        }
        Err(Error::missing_tensor(format!("{}.weight", first.key())))
    }

    fn key(&self, stage: &Stage) -> String {
        if self.by_module {
            format!("{}{}", self.prefix, stage.key())
        } else {
            format!("{}{}", self.prefix, stage.layer)
        }
    }
}

/// The shape of a weight in torchvision's files. Fully connected layers are matrices, whose columns
/// have the order of a convolution's filter: channel, row, column.
pub(super) fn weight_shape(layer: Layer, shape: ConvolutionShape) -> Vec<usize> {
    match layer {
        Layer::FullyConnected { .. } => vec![shape.channels_out, shape.fan_in()],
        _ => vec![
            shape.channels_out,
            shape.channels_in,
            shape.kernel,
            shape.kernel,
        ],
    }
}

fn read_layer(
    checkpoint: &Checkpoint<'_>,
    key: &str,
    layer: Layer,
    shape: ConvolutionShape,
) -> Result<Parameters> {
    let read = |name: String, expected: &[usize]| {
        let (found, values) = checkpoint.values(&name)?;
        if found != expected {
            return Err(Error::Shape {
                what: format!("the tensor `{name}`"),
                found,
                expected: format!("{expected:?}"),
            });
        }
        all_finite(format!("the tensor `{name}`"), &values)?;
        Ok(values)
    };
    Ok(Parameters {
        weight: read(format!("{key}.weight"), &weight_shape(layer, shape))?,
        bias: read(format!("{key}.bias"), &[shape.channels_out])?,
    })
}
