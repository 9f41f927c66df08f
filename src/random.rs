//! Random numbers on the host: the same on every machine and device.
//!
//! Every use has a stream of its own, addressed by a seed, a purpose and an index, so that drawing
//! more in one place changes nothing in another. The generator is ChaCha with 8 rounds, whose
//! output is fixed by its specification; normal deviates are drawn in f64 by the ziggurat method
//! and rounded to f32.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a stream is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Purpose {
    /// The weights of a layer; the index is the layer's position.
    Weight = 1,
    /// The biases of a layer.
    Bias = 2,
    /// The starting image; the index is the scale.
    Noise = 3,
    /// The noise at which layer weights are measured.
    Measurement = 4,
    /// Directions of projection.
    Direction = 5,
}

/// The generator of one stream.
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..14].copy_from_slice(b"ranvgg");
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(u64::from(purpose as u32) << 32 | u64::from(index));
    generator
}

/// `count` draws from N(0, 1).
pub(crate) fn normal(seed: u64, purpose: Purpose, index: u32, count: usize) -> Vec<f32> {
    let mut generator = stream(seed, purpose, index);
    (0..count)
        .map(|_| {
            let value: f64 = StandardNormal.sample(&mut generator);
            value as f32
        })
        .collect()
}
