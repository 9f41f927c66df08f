//! Random streams. They are drawn on the host, and so they are the same on every machine and device.
//!
//! Every use has a stream of its own, addressed by a seed, a purpose and an index. Drawing more numbers in one
//! place changes nothing in another. The generator is ChaCha with 8 rounds, whose output is fixed by its
//! specification. Normal deviates are drawn in f64 by the ziggurat method and rounded to f32.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The use of a stream.
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
    /// Directions that a metric projects on.
    Direction = 5,
    /// Filters that a metric applies; the index is the pyramid level.
    Filter = 6,
    /// Directions that a loss projects on.
    Slice = 7,
    /// Filters that are drawn anew at every step; the index is the number of the filter bank.
    Resampled = 8,
    /// Noise that gives an enlarged picture its grain; the index is the scale.
    Grain = 9,
    /// Filters of the content term of a painting; the index is the step.
    Contours = 10,
    /// Noise on the luminance whose ranks give a painting its first colours.
    Dither = 11,
    /// Phases of the periods at the corner of a texture.
    Phase = 12,
    /// Filters whose responses are the features of patches; the index is the number of the filter bank.
    Nearest = 13,
}

/// The generator of one stream.
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::from_seed(key(seed));
    generator.set_stream(u64::from(purpose as u32) << 32 | u64::from(index));
    generator
}

fn key(seed: u64) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..14].copy_from_slice(b"ranvgg");
    key
}

/// The words of the generator's state that address a stream: eight of the key and two of the stream.
#[cfg(feature = "cube")]
pub(crate) fn words(seed: u64, purpose: Purpose, index: u32) -> [u32; 10] {
    let mut words = [0; 10];
    for (word, bytes) in words.iter_mut().zip(key(seed).as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    [words[8], words[9]] = [index, purpose as u32];
    words
}

/// `count` draws from N(0, 1).
pub(crate) fn normal(seed: u64, purpose: Purpose, index: u32, count: usize) -> Vec<f32> {
    normals(seed, purpose, index).take(count).collect()
}

/// The same draws one after the other, for those who need not keep them.
pub(crate) fn normals(seed: u64, purpose: Purpose, index: u32) -> impl Iterator<Item = f32> {
    let mut generator = stream(seed, purpose, index);
    std::iter::repeat_with(move || {
        let value: f64 = StandardNormal.sample(&mut generator);
        value as f32
    })
}

/// `count` draws from the uniform distribution on -1..1. Each is one 32-bit word of the generator, scaled,
/// so that other programs can draw the same numbers.
pub(crate) fn uniform(seed: u64, purpose: Purpose, index: u32, count: usize) -> Vec<f32> {
    let mut generator = stream(seed, purpose, index);
    (0..count)
        .map(|_| (f64::from(generator.next_u32()) / f64::from(1u32 << 31) - 1.0) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_those_of_the_specification() {
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../tests/golden/generator.json")).unwrap();
        for row in rows {
            let seed = row["seed"].as_str().unwrap().parse().unwrap();
            let purpose = match row["purpose"].as_u64().unwrap() {
                1 => Purpose::Weight,
                _ => Purpose::Noise,
            };
            let mut generator = stream(seed, purpose, row["index"].as_u64().unwrap() as u32);
            for word in row["words"].as_array().unwrap() {
                assert_eq!(u64::from(generator.next_u32()), word.as_u64().unwrap());
            }
        }
    }

    #[test]
    fn draws_have_the_moments_of_a_standard_normal() {
        // Over a million draws the mean is within 5 / 1000, the variance within 5 * sqrt(2) / 1000,
        // the fourth moment within 5 * sqrt(96) / 1000 of theirs.
        let draws = normal(9, Purpose::Weight, 2, 1_000_000);
        let moment = |power: i32| {
            draws
                .iter()
                .map(|value| f64::from(*value).powi(power))
                .sum::<f64>()
                / 1e6
        };
        assert!(moment(1).abs() < 0.005);
        assert!((moment(2) - 1.0).abs() < 0.0071);
        assert!((moment(4) - 3.0).abs() < 0.049);
        assert!(draws.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = normal(1, Purpose::Weight, 0, 8);
        assert_eq!(first, normal(1, Purpose::Weight, 0, 8));
        for other in [
            (2, Purpose::Weight, 0),
            (1, Purpose::Bias, 0),
            (1, Purpose::Weight, 1),
        ] {
            assert_ne!(first, normal(other.0, other.1, other.2, 8));
        }
    }
}
