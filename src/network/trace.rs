//! What a forward pass leaves for the backward pass.

use std::sync::{Arc, Weak};

use super::Layer;
use super::vgg::Inner;
use crate::engine::Tape;
use crate::error::{Error, Result};

/// What [`Vgg::backward`](super::Vgg::backward) needs of a forward pass: which features each ReLU
/// passed, and where maxima were. Good for any number of backward passes of the same network.
pub struct Trace {
    network: Weak<Inner>,
    /// There is none of an image that Burn's autodiff watched.
    tape: Option<Box<dyn Tape>>,
}

impl Trace {
    pub(super) fn of(network: &Arc<Inner>, tape: Option<Box<dyn Tape>>) -> Self {
        Self {
            network: Arc::downgrade(network),
            tape,
        }
    }

    /// What the forward pass saved, if it was one of this network.
    pub(super) fn tape(&self, network: &Arc<Inner>) -> Result<&dyn Tape> {
        let refused = |found: &str, allowed: &str| Err(Error::option("trace", found, allowed));
        if !std::ptr::eq(self.network.as_ptr(), Arc::as_ptr(network)) {
            return refused(
                "one of another network",
                "that of a forward pass of the same network, or of a clone",
            );
        }
        match &self.tape {
            Some(tape) => Ok(&**tape),
            None => refused(
                "one of an image that autodiff watches",
                "that of an image without: the graph of this one has the gradient",
            ),
        }
    }
}

/// Refuses a gradient that has not the shape of the features at a tap.
pub(super) fn check_gradient(
    tape: &dyn Tape,
    layer: Layer,
    place: usize,
    dims: [usize; 4],
) -> Result<()> {
    let expected = tape.shape(place);
    if expected == Some(dims) {
        return Ok(());
    }
    Err(Error::Shape {
        what: format!("the gradient at {layer}"),
        found: dims.to_vec(),
        expected: expected.map_or_else(
            || "none: the forward pass was not asked for that layer".into(),
            |shape| format!("{shape:?}"),
        ),
    })
}
