//! Networks whose weights lie in a file: torchvision's, Gatys', our own.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::checkpoint::Checkpoint;
use super::stages::Stage;
use super::{Architecture, Layer, NetworkConfig, Preprocessing, Vgg};
use crate::engine::{ConvolutionShape, LazyParameters, Operation, Padding, Parameters, Pooling};
use crate::error::{Error, Result, all_finite};
use crate::file;

/// A network whose weights lie in a file, safetensors or PyTorch's.
///
/// The file holds a weight and a bias for each layer, named as torchvision names them
/// (`features.0.weight`, `classifier.0.bias`) or by the layer (`conv1_1.weight`, `fc6.bias`), with or
/// without a prefix (`module.features.0.weight`). Deep layers may be missing. Pooling, padding and
/// preprocessing are not in the file and are said here: [`torchvision`](NetworkConfig::torchvision)
/// and [`caffe`](NetworkConfig::caffe) have those that such weights were trained with.
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

/// Weights that a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileWeights {
    deepest: Option<Layer>,
}

impl WeightFile {
    /// Weights trained by torchvision: maximum pooling, zero padding, ImageNet's mean subtracted and
    /// divided by its standard deviation.
    #[must_use]
    pub fn torchvision(architecture: Architecture) -> Self {
        Self::new(architecture)
            .with_pooling(Pooling::Max)
            .with_padding(Padding::Zero)
            .with_preprocessing(Preprocessing::torchvision())
    }

    /// Weights trained by Caffe, among them VGG's own and the normalised ones of Gatys, Ecker and
    /// Bethge: maximum pooling, zero padding, colours of 0..=255 in the order blue, green, red, from
    /// which the mean is subtracted.
    #[must_use]
    pub fn caffe(architecture: Architecture) -> Self {
        Self::new(architecture)
            .with_pooling(Pooling::Max)
            .with_padding(Padding::Zero)
            .with_preprocessing(Preprocessing::caffe())
    }

    /// Reads no layer beyond `deepest`: the fully connected ones hold nine tenths of a file.
    /// Default: all that the file has.
    #[must_use]
    pub fn up_to(mut self, deepest: Layer) -> Self {
        self.weights.deepest = Some(deepest);
        self
    }

    /// Reads the file at `path`: safetensors, or any layout that `torch.save` has written.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file that cannot be read or is of neither kind, and those of
    /// [`read`](Self::read).
    pub fn load(&self, path: impl AsRef<Path>, device: &Device) -> Result<Vgg> {
        let path = path.as_ref();
        if Checkpoint::is_safetensors(path)? {
            let bytes = file::read(path)?;
            return self.read(&bytes, device).map_err(|error| error.at(path));
        }
        self.network(&Checkpoint::pytorch(path)?, device)
            .map_err(|error| error.at(path))
    }

    /// Reads the content of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for another format, [`Error::Tensor`] and [`Error::Shape`] for a tensor that is
    /// missing or not as the architecture wants it,
    /// [`Error::NotFinite`] for NaN or infinite weights, [`Error::UnknownLayer`] for a deepest layer
    /// that the architecture does not have.
    pub fn read(&self, bytes: &[u8], device: &Device) -> Result<Vgg> {
        self.network(&Checkpoint::safetensors(bytes)?, device)
    }

    fn network(&self, checkpoint: &Checkpoint<'_>, device: &Device) -> Result<Vgg> {
        self.preprocessing.check()?;
        let stages = self.wanted()?;
        let names = Names::of(checkpoint, &stages)?;
        let mut parameters = HashMap::new();
        let mut depth = 0;
        let mut absent = None;
        for (place, stage) in stages.iter().enumerate() {
            let Operation::Convolution(shape) = stage.operation else {
                if absent.is_none() {
                    depth = place + 1;
                }
                continue;
            };
            let key = names.key(stage);
            let name = format!("{key}.weight");
            match (checkpoint.has(&name), &absent) {
                (true, None) => {
                    let read = read_layer(checkpoint, &key, stage.layer, shape)?;
                    parameters.insert(stage.layer, Arc::new(read));
                    depth = place + 1;
                }
                // A layer is there above one that is not.
                (true, Some(missing)) => {
                    let name = String::clone(missing);
                    return Err(Error::missing_tensor(name));
                }
                (false, _) => absent = absent.or(Some(name)),
            }
        }
        let plan = self.plan();
        Ok(Vgg::new(plan, device, None, depth, |layer, _| {
            let Some(read) = parameters.remove(&layer) else {
                unreachable!("the network ends below the first absent layer");
            };
            LazyParameters::new(move || Arc::clone(&read))
        }))
    }

    /// The stages that are read if the file has them.
    fn wanted(&self) -> Result<Vec<Stage>> {
        let mut stages = self.plan().stages();
        if let Some(deepest) = self.weights.deepest {
            let within = self.architecture.up_to(deepest)?;
            stages.retain(|stage| within.contains(&stage.layer));
        }
        Ok(stages)
    }
}

/// How a file names its tensors.
struct Names {
    prefix: String,
    /// By torchvision's modules, or by layers.
    by_module: bool,
}

impl Names {
    /// Finds the first layer's weight.
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
            // Of several networks in one file, the one without a prefix, else none is meant.
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

/// The shape in torchvision's files: fully connected layers are matrices there. Their columns run
/// over channels, rows and columns of the map below, as our kernels do.
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
