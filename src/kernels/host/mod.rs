//! Kernels on slices of host memory: threads by rayon, vectors by pulp, products by gemm.
//!
//! ```text
//! convolution ──> winograd ──┐
//!            └──> general  ──┼──> view (padding by index), product (gemm), epilogue, shared
//!            └──> fold       │
//! pool ──────────────────────┘    buffers: what is reused between evaluations
//! ```

mod buffers;
mod convolution;
mod epilogue;
mod fold;
mod general;
mod map;
mod pool;
mod product;
mod shared;
mod view;
mod winograd;

pub(super) use self::buffers::Buffers;
pub(super) use self::convolution::HostConvolution;
pub(super) use self::map::Map;
pub(super) use self::pool::PoolTrace;

use self::epilogue::Epilogue;
use super::pooling::Pool;

/// Which channels of which pixels a rectifier passed: one bit each.
pub(crate) type Signs = Vec<u16>;

/// What joins a gradient on its way down, at the map it arrives at.
pub(super) struct Arrival<'a> {
    /// The gradient of the losses at this map.
    pub(super) added: Option<&'a Map>,
    /// The rectifier that made this map.
    pub(super) signs: Option<&'a Signs>,
}

impl Arrival<'_> {
    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue::Gate {
            added: self.added.map(|map| map.data.as_slice()),
            signs: self.signs.map(Vec::as_slice),
        }
    }

    /// Applies to a gradient that no kernel produced: that of the deepest map.
    pub(super) fn apply(&self, gradient: &mut Map) {
        let epilogue = self.epilogue();
        for (pixel, values) in gradient.data.chunks_mut(gradient.channels).enumerate() {
            epilogue.apply(pixel, values);
        }
    }
}

pub(super) fn pool(pool: &Pool, input: &Map, buffers: &Buffers) -> (Map, PoolTrace) {
    pool::forward(pool, input, buffers)
}

pub(super) fn pool_gradient(
    pool: &Pool,
    gradient: &Map,
    trace: &PoolTrace,
    arrival: &Arrival<'_>,
    buffers: &Buffers,
) -> Map {
    pool::gradient(pool, gradient, trace, &arrival.epilogue(), buffers)
}
