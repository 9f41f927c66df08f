//! A network's weights as a safetensors file with torchvision's keys (`features.0.weight` ...).

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::weight_file::weight_shape;
use super::{Layer, Vgg};
use crate::error::{Error, FileUse, Result};
use crate::file::{self, IfExists};

impl Vgg {
    /// The weights of all layers up to `deepest` as a safetensors file with torchvision's keys.
    ///
    /// Weights that were not used yet are drawn.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] if the network has no such layer.
    pub fn to_safetensors(&self, deepest: Layer) -> Result<Vec<u8>> {
        let within = self.architecture().up_to(deepest)?;
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        let convolutions = self.convolutions();
        for (layer, shape, parameters) in convolutions.filter(|(layer, ..)| within.contains(layer))
        {
            let key = self.key(layer);
            let parameters = parameters.get();
            tensors.push((
                format!("{key}.weight"),
                weight_shape(layer, *shape),
                to_bytes(&parameters.weight),
            ));
            tensors.push((
                format!("{key}.bias"),
                vec![shape.channels_out],
                to_bytes(&parameters.bias),
            ));
        }
        let views: Result<Vec<_>, _> = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
            })
            .collect();
        let refused = |source| Error::content(FileUse::Weights, source);
        safetensors::serialize(views.map_err(refused)?, None).map_err(refused)
    }

    /// Writes [`to_safetensors`](Self::to_safetensors) to `path` atomically.
    ///
    /// # Errors
    ///
    /// Those of [`to_safetensors`](Self::to_safetensors); [`Error::Output`] if the folder does not
    /// exist, or if the file exists and `if_exists` is [`IfExists::Refuse`]; [`Error::File`] if it
    /// cannot be written.
    pub fn save_safetensors(
        &self,
        deepest: Layer,
        path: impl AsRef<Path>,
        if_exists: IfExists,
    ) -> Result<()> {
        let path = path.as_ref();
        file::check(path, if_exists)?;
        let bytes = self
            .to_safetensors(deepest)
            .map_err(|error| error.at(path))?;
        file::write(path, &bytes, if_exists)
    }
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}
