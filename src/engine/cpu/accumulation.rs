//! Gradient accumulation at a feature map.

use rayon::prelude::*;

use super::ReluMask;
use super::buffers::Buffers;
use super::epilogue::Epilogue;
use super::map::Map;

/// What a kernel does to an input gradient as it writes it: it adds the gradient of the losses at this
/// feature map and applies the mask of the ReLU that made the map.
pub(super) struct Accumulation<'a> {
    /// The gradient of the losses at the feature map.
    pub(super) loss_gradient: Option<Map>,
    pub(super) mask: Option<&'a ReluMask>,
}

impl<'a> Accumulation<'a> {
    pub(super) fn epilogue(&self) -> Epilogue<'a> {
        Epilogue::ReluBackward {
            mask: self.mask.map(Vec::as_slice),
        }
    }

    /// The map that a kernel writes the gradient to, and whether the kernel must add to its
    /// content. The gradient of the losses is reused as this map.
    pub(super) fn output(
        &mut self,
        height: usize,
        width: usize,
        channels: usize,
        buffers: &Buffers,
    ) -> (Map, bool) {
        match self.loss_gradient.take() {
            Some(map) => {
                assert_eq!(map.shape(), [1, channels, height, width]);
                (map, true)
            }
            None => (Map::acquire(height, width, channels, buffers), false),
        }
    }

    /// Applies the mask to a gradient that no kernel of this engine wrote: the one at the deepest
    /// layer.
    pub(super) fn apply_mask(&self, gradient: &mut Map) {
        let epilogue = self.epilogue();
        let (width, channels) = (gradient.width, gradient.channels);
        gradient
            .data
            .par_chunks_mut(width * channels)
            .enumerate()
            .for_each(|(y, line)| epilogue.apply(y * width, channels, line));
    }
}
