//! What a forward pass leaves for the backward pass.

use std::sync::{Arc, Weak};

use burn::tensor::Tensor;

use super::Layer;
use super::vgg::Inner;
use crate::error::{Error, Result};
use crate::kernels::Step;

/// What [`Vgg::backward`](super::Vgg::backward) needs of a forward pass: which channels each ReLU
/// passed, and where maxima were. Good for any number of backward passes, of the same network.
pub struct Trace {
    network: Weak<Inner>,
    /// Whether Burn's autodiff watched the image.
    watched: bool,
    pub(super) steps: Vec<Step>,
    /// Shape `[1, C, h, w]` of every map from the first stage on.
    pub(super) shapes: Vec<[usize; 4]>,
}

impl Trace {
    /// That of a network before its first layer.
    pub(super) fn of(network: &Arc<Inner>, watched: bool) -> Self {
        Self {
            network: Arc::downgrade(network),
            watched,
            steps: Vec::new(),
            shapes: Vec::new(),
        }
    }

    /// Refuses what this network cannot walk back along.
    pub(super) fn check_network(&self, network: &Arc<Inner>) -> Result<()> {
        let refused = |found: &str, allowed: &str| Err(Error::option("trace", found, allowed));
        if !std::ptr::eq(self.network.as_ptr(), Arc::as_ptr(network)) {
            return refused(
                "one of another network",
                "that of a forward pass of the same network, or of a clone",
            );
        }
        if self.watched {
            return refused(
                "one of an image that autodiff watches",
                "that of an image without: the graph of this one has the gradient",
            );
        }
        Ok(())
    }

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
