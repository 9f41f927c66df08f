//! Filter banks on pictures with few channels: correlation and its adjoint.
//!
//! Patches are not copied into a matrix (im2col). For three channels that would write and read the 147
//! values of a 7x7 patch for every eight sums. Here the rows of the picture are read in place, and the sums
//! of eight filters at two vectors of positions stay in registers.

use pulp::{Arch, Simd, WithSimd};

use super::planes::Planes;

/// Square filters of one size, `[count, channels, side, side]`.
#[derive(Clone, Debug)]
pub(crate) struct FilterBank {
    pub(crate) channels: usize,
    pub(crate) count: usize,
    pub(crate) side: usize,
    pub(crate) weights: Vec<f32>,
}

impl FilterBank {
    /// The rows and columns that the picture has and its responses do not: `side - 1` of each.
    pub(crate) fn reach(&self) -> usize {
        self.side - 1
    }

    /// Responses at the positions where a filter lies inside the picture, `[count, H - reach, W - reach]`:
    ///
    /// ```text
    /// R_f(y, x) = sum over c, v, u of w_f(c, v, u) I_c(y + v, x + u)
    /// ```
    pub(crate) fn responses(&self, image: &Planes) -> Planes {
        let reach = self.reach();
        let mut output = Planes::new(self.count, image.height - reach, image.width - reach);
        self.write_responses(image, &mut output);
        output
    }

    /// As [`responses`](Self::responses), into planes of that shape.
    pub(super) fn write_responses(&self, image: &Planes, output: &mut Planes) {
        correlate(image, &self.tap_offsets(image), &self.weights, output);
    }

    /// The gradient at the picture from the gradient at the responses, of which a window is given: at the
    /// pixels all of whose patches are in the window. It has `reach` fewer rows and columns than the
    /// window; its first pixel is that at row and column `reach`.
    ///
    /// This adjoint of [`responses`](Self::responses) is again a correlation, with filters rotated by 180
    /// degrees.
    pub(crate) fn input_gradient(&self, window: &Planes) -> Planes {
        let reach = self.reach();
        let taps = self.side * self.side;
        let mut rotated = vec![0.0; self.weights.len()];
        for filter in 0..self.count {
            for channel in 0..self.channels {
                let source = &self.weights[(filter * self.channels + channel) * taps..][..taps];
                let target = &mut rotated[(channel * self.count + filter) * taps..][..taps];
                for (target, source) in target.iter_mut().zip(source.iter().rev()) {
                    *target = *source;
                }
            }
        }
        let (height, width) = (window.height - reach, window.width - reach);
        let mut output = Planes::new(self.channels, height, width);
        correlate(window, &self.tap_offsets(window), &rotated, &mut output);
        output
    }

    /// Offsets in memory from the first tap to each tap.
    fn tap_offsets(&self, image: &Planes) -> Vec<usize> {
        let taps = 0..self.side * self.side;
        taps.map(|tap| tap / self.side * image.stride + tap % self.side)
            .collect()
    }
}

/// `output[o][p] = sum over i, t of weights[o][i][t] image[i][p + offsets[t]]`.
fn correlate(image: &Planes, offsets: &[usize], weights: &[f32], output: &mut Planes) {
    let arch = Arch::new();
    let mut first = 0;
    while first < output.channels {
        // As many sums as fit into registers: 16 of the 32 registers of AVX-512, 8 of 16 elsewhere.
        first += match output.channels - first {
            1 => block::<1, 4>(arch, image, offsets, weights, output, first),
            2 => block::<2, 4>(arch, image, offsets, weights, output, first),
            3 => block::<3, 4>(arch, image, offsets, weights, output, first),
            8.. if has_32_registers(arch) => {
                block::<8, 2>(arch, image, offsets, weights, output, first)
            }
            _ => block::<4, 2>(arch, image, offsets, weights, output, first),
        };
    }
}

#[cfg(target_arch = "x86_64")]
fn has_32_registers(arch: Arch) -> bool {
    matches!(arch, Arch::V4(_))
}

/// AArch64 always has 32 vector registers.
#[cfg(not(target_arch = "x86_64"))]
fn has_32_registers(_: Arch) -> bool {
    cfg!(target_arch = "aarch64")
}

fn block<const OUTPUTS: usize, const VECTORS: usize>(
    arch: Arch,
    image: &Planes,
    offsets: &[usize],
    weights: &[f32],
    output: &mut Planes,
    first: usize,
) -> usize {
    arch.dispatch(Block::<OUTPUTS, VECTORS> {
        image,
        offsets,
        weights,
        output,
        first,
    });
    OUTPUTS
}

/// The sums of `OUTPUTS` output planes, from plane `first` on, at `VECTORS` vectors of positions in a row.
struct Block<'a, const OUTPUTS: usize, const VECTORS: usize> {
    image: &'a Planes,
    offsets: &'a [usize],
    weights: &'a [f32],
    output: &'a mut Planes,
    first: usize,
}

impl<const OUTPUTS: usize, const VECTORS: usize> WithSimd for Block<'_, OUTPUTS, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            image,
            offsets,
            weights,
            output,
            first,
        } = self;
        let taps = offsets.len();
        let span = VECTORS * S::F32_LANES;
        // `[channel, tap, output]`: the weights of a tap lie side by side.
        let mut packed = vec![[0.0f32; OUTPUTS]; image.channels * taps];
        for (tap, packed) in packed.iter_mut().enumerate() {
            for (output, weight) in packed.iter_mut().enumerate() {
                *weight = weights[(first + output) * image.channels * taps + tap];
            }
        }
        let last = offsets[taps - 1];
        for y in 0..output.height {
            for x in (0..output.width).step_by(span) {
                let mut sums = [[simd.splat_f32s(0.0); VECTORS]; OUTPUTS];
                for channel in 0..image.channels {
                    let start = channel * image.plane + y * image.stride + x;
                    let source = &image.data[start..start + last + span];
                    let filters = &packed[channel * taps..(channel + 1) * taps];
                    for (&offset, filter) in offsets.iter().zip(filters) {
                        let (values, _) = S::as_simd_f32s(&source[offset..offset + span]);
                        for (sums, weight) in sums.iter_mut().zip(filter) {
                            let weight = simd.splat_f32s(*weight);
                            for (sum, value) in sums.iter_mut().zip(values) {
                                *sum = simd.mul_add_e_f32s(*value, weight, *sum);
                            }
                        }
                    }
                }
                for (number, sums) in sums.iter().enumerate() {
                    let start = (first + number) * output.plane + y * output.stride + x;
                    let end = start + span.min(output.stride - x);
                    let (targets, _) = S::as_mut_simd_f32s(&mut output.data[start..end]);
                    for (target, sum) in targets.iter_mut().zip(sums) {
                        *target = *sum;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::{assert_near, golden};

    /// The sizes of `tests/golden/resampled.py`.
    const SHAPE: [usize; 3] = [3, 9, 21];

    fn picture() -> Planes {
        let [channels, height, width] = SHAPE;
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                for channel in 0..channels {
                    let angle = 0.7 * x as f64 + 1.3 * y as f64 + channel as f64;
                    pixels.push(angle.sin() as f32);
                }
            }
        }
        Planes::from_pixels(channels, height, width, &pixels)
    }

    fn bank() -> FilterBank {
        let (channels, count, side) = (3, 5, 5);
        let mut weights = Vec::new();
        for filter in 0..count {
            for channel in 0..channels {
                for tap in 0..side * side {
                    let (v, u) = ((tap / side) as f64, (tap % side) as f64);
                    let angle = 0.9 * u - 0.4 * v + 2.0 * channel as f64 + 0.3 * filter as f64;
                    weights.push(angle.cos() as f32);
                }
            }
        }
        FilterBank {
            channels,
            count,
            side,
            weights,
        }
    }

    /// All values in the order `[C, H, W]`.
    fn in_order(planes: &Planes) -> Vec<f32> {
        let rows = (0..planes.channels)
            .flat_map(|channel| (0..planes.height).map(move |y| planes.row(channel, y)));
        rows.flatten().copied().collect()
    }

    #[test]
    fn responses_and_gradients_are_those_of_other_programs() {
        let (image, bank) = (picture(), bank());
        let responses = bank.responses(&image);
        assert_eq!((responses.height, responses.width), (5, 17));
        assert_near(
            "responses",
            1e-6,
            &in_order(&responses),
            &golden("correlations", "responses"),
        );
        let gradient = bank.input_gradient(&responses.with_zeros(bank.reach()));
        assert_eq!((gradient.height, gradient.width), (9, 21));
        assert_near(
            "gradient",
            1e-6,
            &in_order(&gradient),
            &golden("correlations", "gradient"),
        );
    }

    #[test]
    fn banks_of_any_size_agree() {
        let image = picture();
        let all = bank();
        // Banks of 1 to 13 filters: blocks of every width.
        for count in 1..14 {
            let weights: Vec<f32> = all
                .weights
                .iter()
                .cycle()
                .take(count * 75)
                .copied()
                .collect();
            let bank = FilterBank {
                count,
                weights,
                ..all.clone()
            };
            let (found, expected) = (bank.responses(&image), all.responses(&image));
            for filter in 0..count {
                for y in 0..found.height {
                    let expected = expected.row(filter % 5, y).iter().copied().map(f64::from);
                    let expected: Vec<f64> = expected.collect();
                    assert_near("a row", 1e-6, found.row(filter, y), &expected);
                }
            }
        }
    }
}
