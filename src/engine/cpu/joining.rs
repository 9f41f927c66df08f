//! What joins a gradient at the feature map that it arrives at.

use rayon::prelude::*;

use super::Signs;
use super::buffers::Buffers;
use super::epilogue::Epilogue;
use super::map::Map;

/// The gradient of the losses at a feature map, and the ReLU that made it. Both are applied in the
/// pass that writes the gradient from above.
pub(super) struct Joining<'a> {
    /// The gradient of the losses.
    pub(super) added: Option<Map>,
    /// Where the ReLU passed.
    pub(super) signs: Option<&'a Signs>,
}

impl Joining<'_> {
    pub(super) fn epilogue(&self) -> Epilogue<'_> {
        Epilogue::Gate {
            signs: self.signs.map(Vec::as_slice),
        }
    }

    /// The map that the gradient is written to, and whether it adds to what is there: the memory of
    /// the losses' gradient, if there is one.
    pub(super) fn target(
        &mut self,
        height: usize,
        width: usize,
        channels: usize,
        buffers: &Buffers,
    ) -> (Map, bool) {
        match self.added.take() {
            Some(map) => {
                assert_eq!(map.shape(), [1, channels, height, width]);
                (map, true)
            }
            None => (Map::take(height, width, channels, buffers), false),
        }
    }

    /// Gates a gradient that no kernel wrote: that at the deepest feature map.
    pub(super) fn apply(&self, gradient: &mut Map) {
        let epilogue = self.epilogue();
        let (width, channels) = (gradient.width, gradient.channels);
        gradient
            .data
            .par_chunks_mut(width * channels)
            .enumerate()
            .for_each(|(y, line)| epilogue.apply(y * width, channels, line));
    }
}
