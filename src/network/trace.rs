//! The state that a forward pass saves for backward.

use std::sync::{Arc, Weak};

use super::Layer;
use super::vgg::Inner;
use crate::engine::Tape;
use crate::error::{Error, Result};

/// The state that a forward pass saves for [`Vgg::backward`](super::Vgg::backward): the mask of
/// each ReLU and the argmax of each max pooling. It serves any number of backward passes of the
/// same network.
pub struct Trace {
    network: Weak<Inner>,
    /// `None` if the image was tracked by Burn's autodiff.
    tape: Option<Box<dyn Tape>>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let watched = self.tape.is_none();
        f.debug_struct("Trace").field("watched", &watched).finish()
    }
}

impl Trace {
    pub(super) fn of(network: &Arc<Inner>, tape: Option<Box<dyn Tape>>) -> Self {
        Self {
            network: Arc::downgrade(network),
            tape,
        }
    }

    /// The tape, if the forward pass was one of this network.
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

/// Checks that a gradient has the shape of the features at a tapped layer.
pub(super) fn check_gradient(
    tape: &dyn Tape,
    layer: Layer,
    index: usize,
    dims: [usize; 4],
) -> Result<()> {
    let expected = tape.shape(index);
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
