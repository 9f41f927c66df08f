//! Epilogues of kernels: bias, ReLU and ReLU backward, applied to outputs while they are in cache.

use pulp::{Arch, Simd, WithSimd, bytemuck};

use super::disjoint_slice::DisjointSlice;

/// Channels that share one word of a ReLU mask.
pub(super) const WORD: usize = 16;

/// Mask words of a pixel with `channels` channels.
pub(super) fn words(channels: usize) -> usize {
    channels.div_ceil(WORD)
}

/// The last step of a kernel, pixel by pixel.
pub(super) enum Epilogue<'a> {
    /// Adds the bias, for a layer without ReLU.
    Bias(&'a [f32]),
    /// Adds the bias, applies the ReLU and writes the mask.
    Relu {
        bias: &'a [f32],
        mask: DisjointSlice<'a, u16>,
    },
    /// Sets a gradient to zero where the ReLU was inactive. Does nothing without a mask.
    ReluBackward { mask: Option<&'a [u16]> },
}

impl<'a> Epilogue<'a> {
    /// Bias, and ReLU if there is a mask to write.
    pub(super) fn bias_relu(bias: &'a [f32], mask: Option<&'a mut [u16]>) -> Self {
        match mask {
            Some(mask) => Self::Relu {
                bias,
                mask: DisjointSlice::new(mask),
            },
            None => Self::Bias(bias),
        }
    }
}

impl Epilogue<'_> {
    /// Applies the epilogue to pixels `[..][channels]`. `first` is the row-major index of the first
    /// one.
    ///
    /// A kernel applies it once to each pixel of its output.
    pub(super) fn apply(&self, first: usize, channels: usize, values: &mut [f32]) {
        Arch::new().dispatch(Pixels {
            epilogue: self,
            first,
            channels,
            values,
        });
    }

    /// Applies the epilogue to the channels from `channel` on that share mask word number `word`.
    #[inline(always)]
    pub(super) fn apply_word<S: Simd>(
        &self,
        simd: S,
        word: usize,
        channel: usize,
        values: &mut [f32],
    ) {
        match self {
            Self::Bias(bias) => {
                for (value, bias) in values.iter_mut().zip(&bias[channel..]) {
                    *value += bias;
                }
            }
            Self::Relu { bias, mask } => {
                let bits = relu(simd, values, &bias[channel..][..values.len()]);
                // SAFETY: each mask word is written once, by the thread that computes its pixel.
                #[allow(unsafe_code)]
                unsafe {
                    mask.part(word, 1)[0] = bits;
                }
            }
            Self::ReluBackward { mask: Some(mask) } => relu_backward(simd, values, mask[word]),
            Self::ReluBackward { mask: None } => {}
        }
    }
}

struct Pixels<'a> {
    epilogue: &'a Epilogue<'a>,
    first: usize,
    channels: usize,
    values: &'a mut [f32],
}

impl WithSimd for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let words = words(self.channels);
        let pixels = self.values.chunks_mut(self.channels).enumerate();
        for (pixel, values) in pixels {
            for (word, values) in values.chunks_mut(WORD).enumerate() {
                let number = (self.first + pixel) * words + word;
                self.epilogue.apply_word(simd, number, word * WORD, values);
            }
        }
    }
}

/// The values of the bits of a word.
const BITS: [u32; WORD] = {
    let mut bits = [0; WORD];
    let mut i = 0;
    while i < WORD {
        bits[i] = 1 << i;
        i += 1;
    }
    bits
};

/// Expands the low bits of a mask word to a SIMD mask.
#[inline(always)]
pub(super) fn lanes_of<S: Simd>(simd: S, word: u16) -> S::m32s {
    let bits = S::as_simd_u32s(&BITS[..S::F32_LANES]).0[0];
    let word = simd.splat_u32s(u32::from(word));
    simd.greater_than_or_equal_u32s(simd.and_u32s(word, bits), bits)
}

/// Packs a SIMD mask into the low bits of a mask word.
#[inline(always)]
fn bits_of<S: Simd>(simd: S, lanes: S::m32s) -> u16 {
    // With AVX-512 a SIMD mask of 16 lanes is two bytes long, already a word of bits.
    if let Ok(bytes) = <[u8; 2]>::try_from(bytemuck::bytes_of(&lanes)) {
        return u16::from_le_bytes(bytes);
    }
    // Sums of distinct powers of two below 2^16 are exact.
    const POWERS: [f32; WORD] = {
        let mut powers = [0.0; WORD];
        let mut i = 0;
        while i < WORD {
            powers[i] = BITS[i] as f32;
            i += 1;
        }
        powers
    };
    let powers = S::as_simd_f32s(&POWERS[..S::F32_LANES]).0[0];
    let chosen = simd.select_f32s(lanes, powers, simd.splat_f32s(0.0));
    simd.reduce_sum_f32s(chosen) as u16
}

#[inline(always)]
fn relu<S: Simd>(simd: S, values: &mut [f32], bias: &[f32]) -> u16 {
    let mut word = 0;
    if values.len() == WORD {
        let zero = simd.splat_f32s(0.0);
        let vectors = S::as_mut_simd_f32s(values).0;
        for (i, (value, bias)) in vectors.iter_mut().zip(S::as_simd_f32s(bias).0).enumerate() {
            let sum = simd.add_f32s(*value, *bias);
            // `max` would replace NaN by zero.
            *value = simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum);
            word |= bits_of(simd, simd.greater_than_f32s(sum, zero)) << (i * S::F32_LANES);
        }
        return word;
    }
    for (i, (value, bias)) in values.iter_mut().zip(bias).enumerate() {
        let sum = *value + bias;
        *value = if sum < 0.0 { 0.0 } else { sum };
        word |= u16::from(sum > 0.0) << i;
    }
    word
}

#[inline(always)]
fn relu_backward<S: Simd>(simd: S, values: &mut [f32], word: u16) {
    if values.len() == WORD {
        let zero = simd.splat_f32s(0.0);
        for (i, value) in S::as_mut_simd_f32s(values).0.iter_mut().enumerate() {
            let active = lanes_of(simd, word >> (i * S::F32_LANES));
            *value = simd.select_f32s(active, *value, zero);
        }
        return;
    }
    for (i, value) in values.iter_mut().enumerate() {
        *value = if word >> i & 1 == 1 { *value } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_zero_where_the_relu_was_inactive() {
        let values: Vec<f32> = (0..20).map(|i| i as f32 - 9.5).collect();
        let bias = vec![0.0; 20];
        let mut mask = vec![0u16; words(20)];
        let mut activations = values.clone();
        Epilogue::Relu {
            bias: &bias,
            mask: DisjointSlice::new(&mut mask),
        }
        .apply(0, 20, &mut activations);
        for (value, activations) in values.iter().zip(&activations) {
            assert_eq!(*activations, value.max(0.0));
        }
        let mut gradient = vec![3.0; 20];
        Epilogue::ReluBackward { mask: Some(&mask) }.apply(0, 20, &mut gradient);
        for (value, gradient) in values.iter().zip(&gradient) {
            assert_eq!(*gradient, if *value > 0.0 { 3.0 } else { 0.0 });
        }
    }

    #[test]
    fn a_nan_is_not_hidden() {
        let mut values = [f32::NAN; WORD];
        let mut mask = [0u16];
        Epilogue::Relu {
            bias: &[0.0; WORD],
            mask: DisjointSlice::new(&mut mask),
        }
        .apply(0, WORD, &mut values);
        assert!(values.iter().all(|v| v.is_nan()));
    }
}
