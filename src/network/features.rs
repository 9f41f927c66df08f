//! Feature maps by layer.

use burn::tensor::Tensor;

use super::Layer;
use crate::engine::add_maps;

/// Feature maps, or gradients at them, by layer.
#[derive(Clone, Debug, Default)]
pub struct Features {
    maps: Vec<(Layer, Tensor<4>)>,
}

impl Features {
    /// The map `[1, C, h, w]` of a layer.
    #[must_use]
    pub fn get(&self, layer: Layer) -> Option<&Tensor<4>> {
        self.maps
            .iter()
            .find(|(candidate, _)| *candidate == layer)
            .map(|(_, map)| map)
    }

    /// Layers and maps, in the order in which they were requested.
    pub fn iter(&self) -> impl Iterator<Item = (Layer, &Tensor<4>)> {
        self.maps.iter().map(|(layer, map)| (*layer, map))
    }

    /// Adds `map` to the map of a layer. A layer without a map gets `map`.
    pub fn add(&mut self, layer: Layer, map: Tensor<4>) {
        match self
            .maps
            .iter_mut()
            .find(|(candidate, _)| *candidate == layer)
        {
            Some((_, sum)) => {
                *sum = add_maps(sum.clone(), map);
            }
            None => self.maps.push((layer, map)),
        }
    }

    /// Sorts the maps into the order of `layers`.
    pub(super) fn arrange(&mut self, layers: &[Layer]) {
        self.maps
            .sort_by_key(|(layer, _)| layers.iter().position(|wanted| wanted == layer));
    }

    /// Removes and returns the map of a layer. Its memory can then be reused.
    pub fn take(&mut self, layer: Layer) -> Option<Tensor<4>> {
        let index = self
            .maps
            .iter()
            .position(|(candidate, _)| *candidate == layer)?;
        Some(self.maps.swap_remove(index).1)
    }
}

impl FromIterator<(Layer, Tensor<4>)> for Features {
    fn from_iter<I: IntoIterator<Item = (Layer, Tensor<4>)>>(maps: I) -> Self {
        let mut features = Self::default();
        for (layer, map) in maps {
            features.add(layer, map);
        }
        features
    }
}
