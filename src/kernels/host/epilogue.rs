//! What happens to a pixel's channels right after they are computed, while they are in cache.

use super::shared::Shared;

/// Channels that share one word of signs.
pub(super) const WORD: usize = 16;

/// Sign words of a pixel of `channels` channels.
pub(super) fn words(channels: usize) -> usize {
    channels.div_ceil(WORD)
}

/// The last step of a kernel, applied pixel by pixel.
pub(super) enum Epilogue<'a> {
    /// Keep the sum.
    Plain,
    /// Add the bias: a layer without rectifier.
    Bias(&'a [f32]),
    /// Add the bias, rectify, and note which channels stayed positive.
    Rectify {
        bias: &'a [f32],
        signs: Shared<'a, u16>,
    },
    /// Add the gradient that arrives at this map from a loss, then keep what the rectifier passed.
    Gate {
        added: Option<&'a [f32]>,
        signs: Option<&'a [u16]>,
    },
}

impl Epilogue<'_> {
    /// Finishes the channels of pixel number `pixel`, counted in rows.
    ///
    /// A kernel calls this once for each pixel of its output.
    #[inline(always)]
    pub(super) fn apply(&self, pixel: usize, values: &mut [f32]) {
        match self {
            Self::Plain => {}
            Self::Bias(bias) => {
                for (value, bias) in values.iter_mut().zip(*bias) {
                    *value += bias;
                }
            }
            Self::Rectify { bias, signs } => {
                let words = words(values.len());
                // SAFETY: each pixel owns its words, and each pixel is finished once.
                #[allow(unsafe_code)]
                let signs = unsafe { signs.part(pixel * words, words) };
                for ((values, bias), word) in
                    values.chunks_mut(WORD).zip(bias.chunks(WORD)).zip(signs)
                {
                    *word = rectify(values, bias);
                }
            }
            Self::Gate { added, signs } => {
                let channels = values.len();
                if let Some(added) = added {
                    let added = &added[pixel * channels..][..channels];
                    for (value, added) in values.iter_mut().zip(added) {
                        *value += added;
                    }
                }
                if let Some(signs) = signs {
                    let words = words(channels);
                    let signs = &signs[pixel * words..][..words];
                    for (values, &word) in values.chunks_mut(WORD).zip(signs) {
                        gate(values, word);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn rectify(values: &mut [f32], bias: &[f32]) -> u16 {
    // The full word has its own arm so that its loops have a constant length and vectorise.
    if let (Ok(values), Ok(bias)) = (
        <&mut [f32; WORD]>::try_from(&mut *values),
        <&[f32; WORD]>::try_from(bias),
    ) {
        let mut word = 0;
        for i in 0..WORD {
            let value = values[i] + bias[i];
            // A NaN must stay visible, hence no `max`, which would hide it.
            values[i] = if value < 0.0 { 0.0 } else { value };
            word |= u16::from(value > 0.0) << i;
        }
        return word;
    }
    let mut word = 0;
    for (i, (value, bias)) in values.iter_mut().zip(bias).enumerate() {
        let sum = *value + bias;
        *value = if sum < 0.0 { 0.0 } else { sum };
        word |= u16::from(sum > 0.0) << i;
    }
    word
}

#[inline(always)]
fn gate(values: &mut [f32], word: u16) {
    if let Ok(values) = <&mut [f32; WORD]>::try_from(&mut *values) {
        for (i, value) in values.iter_mut().enumerate() {
            *value = if word >> i & 1 == 1 { *value } else { 0.0 };
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
    fn rectified_channels_gate_their_gradient() {
        let values: Vec<f32> = (0..20).map(|i| i as f32 - 9.5).collect();
        let bias = vec![0.0; 20];
        let mut signs = vec![0u16; words(20)];
        let mut rectified = values.clone();
        Epilogue::Rectify {
            bias: &bias,
            signs: Shared::new(&mut signs),
        }
        .apply(0, &mut rectified);
        for (value, rectified) in values.iter().zip(&rectified) {
            assert_eq!(*rectified, value.max(0.0));
        }
        let mut gradient = vec![1.0; 20];
        let added = vec![2.0; 20];
        Epilogue::Gate {
            added: Some(&added),
            signs: Some(&signs),
        }
        .apply(0, &mut gradient);
        for (value, gradient) in values.iter().zip(&gradient) {
            assert_eq!(*gradient, if *value > 0.0 { 3.0 } else { 0.0 });
        }
    }

    #[test]
    fn a_nan_is_not_hidden() {
        let mut values = [f32::NAN; WORD];
        let mut signs = [0u16];
        Epilogue::Rectify {
            bias: &[0.0; WORD],
            signs: Shared::new(&mut signs),
        }
        .apply(0, &mut values);
        assert!(values.iter().all(|v| v.is_nan()));
    }
}
