//! Weight files: safetensors with torchvision's keys (`features.0.weight` ...), out and in.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::architecture::Operation;
use super::vgg::Plan;
use super::{Architecture, Layer, Preprocessing, Vgg};
use crate::error::{Error, Result, all_finite};
use crate::file;
use crate::kernels::{ConvolutionShape, Padding, Parameters, Pooling};

/// A network whose weights lie in a file.
///
/// The file holds `features.N.weight`, `features.N.bias` and, for the fully connected layers,
/// `classifier.N.weight`, `classifier.N.bias` as 32-bit floats, as torchvision names and shapes
/// them. Layers may be missing from some depth on. Pooling, padding and preprocessing are not in
/// the file and are given here.
#[derive(Clone, Debug, Default)]
pub struct WeightFile {
    plan: Plan,
}

impl WeightFile {
    /// A file of this architecture, all options at their defaults.
    #[must_use]
    pub fn new(architecture: Architecture) -> Self {
        Self {
            plan: Plan {
                architecture,
                ..Plan::default()
            },
        }
    }

    /// How pooling layers summarise. Default: average.
    #[must_use]
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        self.plan.pooling = pooling;
        self
    }

    /// How convolutions continue their input. Default: reflect.
    #[must_use]
    pub fn with_padding(mut self, padding: Padding) -> Self {
        self.plan.padding = padding;
        self
    }

    /// What is done to colours before the first layer. Default: that of random networks; weights
    /// from torchvision want [`Preprocessing::torchvision`].
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Self {
        self.plan.preprocessing = preprocessing;
        self
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and those of [`read`](Self::read).
    pub fn load(&self, path: impl AsRef<Path>, device: &Device) -> Result<Vgg> {
        let bytes = file::read(path.as_ref())?;
        self.read(&bytes, device)
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    ///
    /// [`Error::Safetensors`] for another format, [`Error::MissingTensor`], [`Error::TensorType`]
    /// and [`Error::Shape`] for a tensor that is not as the architecture wants it,
    /// [`Error::NotFinite`] for NaN or infinite weights.
    pub fn read(&self, bytes: &[u8], device: &Device) -> Result<Vgg> {
        self.plan.preprocessing.check()?;
        let file = SafeTensors::deserialize(bytes).map_err(Error::Safetensors)?;
        let architecture = self.plan.architecture;
        let mut parameters = HashMap::new();
        let mut depth = 0;
        let mut absent = None;
        let stages = self.plan.stages();
        for (place, stage) in stages.iter().enumerate() {
            let Operation::Convolution(shape) = stage.operation else {
                if absent.is_none() {
                    depth = place + 1;
                }
                continue;
            };
            let Some(key) = architecture.torchvision_key(stage.layer) else {
                continue;
            };
            let name = format!("{key}.weight");
            match (file.tensor(&name).is_ok(), &absent) {
                (true, None) => {
                    parameters.insert(stage.layer, read_layer(&file, &key, stage.layer, shape)?);
                    depth = place + 1;
                }
                (true, Some(missing)) => {
                    let name = String::clone(missing);
                    return Err(Error::MissingTensor { name });
                }
                (false, _) => absent = absent.or(Some(name)),
            }
        }
        match absent {
            Some(name) if parameters.is_empty() => return Err(Error::MissingTensor { name }),
            _ => {}
        }
        Ok(Vgg::new(
            self.plan.clone(),
            device,
            None,
            depth,
            |layer, _| {
                let Some(read) = parameters.remove(&layer) else {
                    unreachable!("the network ends below the first absent layer");
                };
                let read = Arc::new(read);
                Arc::new(move || Arc::clone(&read))
            },
        ))
    }
}

impl Vgg {
    /// The weights of all layers up to `deepest` as a safetensors file with torchvision's keys.
    ///
    /// Layers that were not used yet are drawn.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] if the network has no such layer.
    pub fn to_safetensors(&self, deepest: Layer) -> Result<Vec<u8>> {
        let architecture = self.architecture();
        architecture.check(deepest)?;
        let order = architecture.layers();
        let depth = order.iter().position(|layer| *layer == deepest);
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for (layer, convolution) in self.convolutions() {
            if order.iter().position(|candidate| *candidate == layer) > depth {
                break;
            }
            let Some(key) = architecture.torchvision_key(layer) else {
                continue;
            };
            let parameters = convolution.parameters();
            tensors.push((
                format!("{key}.weight"),
                weight_shape(layer, convolution.shape),
                to_bytes(&parameters.weight),
            ));
            tensors.push((
                format!("{key}.bias"),
                vec![convolution.shape.channels_out],
                to_bytes(&parameters.bias),
            ));
        }
        let views: Result<Vec<_>, _> = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
            })
            .collect();
        safetensors::serialize(views.map_err(Error::Safetensors)?, None).map_err(Error::Safetensors)
    }
}

impl Vgg {
    /// Writes [`to_safetensors`](Self::to_safetensors) to `path`, whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`to_safetensors`](Self::to_safetensors); [`Error::NoFolder`],
    /// [`Error::OutputExists`] unless `overwrite`, and [`Error::Write`].
    pub fn save_safetensors(
        &self,
        deepest: Layer,
        path: impl AsRef<Path>,
        overwrite: bool,
    ) -> Result<()> {
        let path = path.as_ref();
        file::check(path, overwrite)?;
        file::write(path, &self.to_safetensors(deepest)?, overwrite)
    }
}

/// The shape in torchvision's files: fully connected layers are matrices there. Their columns run
/// over channels, rows and columns of the map below, as our kernels do.
fn weight_shape(layer: Layer, shape: ConvolutionShape) -> Vec<usize> {
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
    file: &SafeTensors<'_>,
    key: &str,
    layer: Layer,
    shape: ConvolutionShape,
) -> Result<Parameters> {
    Ok(Parameters {
        weight: read_tensor(file, format!("{key}.weight"), &weight_shape(layer, shape))?,
        bias: read_tensor(file, format!("{key}.bias"), &[shape.channels_out])?,
    })
}

fn read_tensor(file: &SafeTensors<'_>, name: String, expected: &[usize]) -> Result<Vec<f32>> {
    let Ok(view) = file.tensor(&name) else {
        return Err(Error::MissingTensor { name });
    };
    if view.dtype() != Dtype::F32 {
        return Err(Error::TensorType {
            name,
            found: format!("{:?}", view.dtype()),
        });
    }
    if view.shape() != expected {
        return Err(Error::Shape {
            what: format!("the tensor `{name}`"),
            found: view.shape().to_vec(),
            expected: format!("{expected:?}"),
        });
    }
    let values: Vec<f32> = view
        .data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    all_finite(format!("the tensor `{name}`"), &values)?;
    Ok(values)
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}
