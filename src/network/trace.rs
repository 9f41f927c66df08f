//! What a forward pass leaves for the way back.

use burn::tensor::Tensor;

use super::Layer;
use crate::error::{Error, Result};
use crate::kernels::Step;

/// What [`Vgg::backward`](super::Vgg::backward) needs of a forward pass: which channels each rectifier
/// passed, and where maxima were. Good for any number of backward passes.
#[derive(Default)]
pub struct Trace {
    pub(super) steps: Vec<Step>,
    /// Shape `[1, C, h, w]` of every map from the first stage on.
    pub(super) shapes: Vec<[usize; 4]>,
}

impl Trace {
    /// Refuses a gradient that has not the shape of the features at a place.
    pub(super) fn check(&self, layer: Layer, place: usize, gradient: &Tensor<4>) -> Result<()> {
        let expected = self.shapes.get(place);
        if expected == Some(&gradient.dims()) {
            return Ok(());
        }
        Err(Error::Shape {
            what: format!("the gradient at {layer}"),
            found: gradient.dims().to_vec(),
            expected: expected.map_or_else(
                || "none: the forward pass stopped below that layer".into(),
                |shape| format!("{shape:?}"),
            ),
        })
    }
}
