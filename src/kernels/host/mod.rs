//! Kernels on slices of host memory: threads by rayon, vectors by pulp.
//!
//! ```text
//! convolution ──> winograd ──> source (what is read), sink (where it goes) ──┐
//!            ├──> general  ──> panels (products), epilogue, shared  <────────┘
//!            └──> fold
//! pool, mix, moments           buffers: what is reused between evaluations
//! ```

mod buffers;
mod convolution;
#[cfg(test)]
mod convolution_tests;
mod epilogue;
mod fold;
mod general;
mod map;
mod mix;
mod moments;
mod panels;
mod pool;
mod shared;
mod sink;
mod source;
mod winograd;

pub(super) use self::buffers::Buffers;
pub(super) use self::convolution::{Above, HostConvolution};
pub(super) use self::map::Map;
pub(super) use self::pool::PoolTrace;

use rayon::prelude::*;

use self::epilogue::Epilogue;
use super::pooling::Pool;

/// Which channels of which pixels a ReLU passed: one bit each.
pub(crate) type Signs = Vec<u16>;

/// What joins a gradient on its way down, at the map it arrives at.
pub(super) struct Arrival<'a> {
    /// The gradient of the losses at this map.
    pub(super) added: Option<Map>,
    /// The ReLU that made this map.
    pub(super) signs: Option<&'a Signs>,
}

impl Arrival<'_> {
    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue::Gate {
            signs: self.signs.map(Vec::as_slice),
        }
    }

    /// Where the gradient goes, and whether it adds to what is there: into the memory of what
    /// joins it, if something does.
    fn target(
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

    /// Applies to a gradient that no kernel produced: that of the deepest map.
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

/// Replaces the channels `f` of each pixel by `f A + b + sum c (f - f0)`; a part that is missing is
/// zero.
pub(super) fn mix(
    map: &mut Map,
    matrix: Option<&[f32]>,
    offset: Option<&[f32]>,
    pulls: &[(&Map, f32)],
) {
    mix::mix(map, matrix, offset, pulls);
}

/// `sum (a - b)^2` of two maps of the same shape.
pub(super) fn squared_distance(a: &Map, b: &Map) -> f32 {
    mix::squared_distance(a, b)
}

/// The mean of each channel, and of each product of two, over positions.
pub(super) fn moments(map: &Map) -> (Vec<f32>, Vec<f32>) {
    moments::moments(map)
}

pub(super) fn pool(pool: &Pool, input: &Map, buffers: &Buffers) -> (Map, PoolTrace) {
    pool::forward(pool, input, buffers)
}

pub(super) fn pool_gradient(
    pool: &Pool,
    gradient: &Map,
    trace: &PoolTrace,
    arrival: Arrival<'_>,
    buffers: &Buffers,
) -> Map {
    pool::gradient(pool, gradient, trace, arrival, buffers)
}
