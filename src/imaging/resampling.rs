//! Separable resampling: the kernels, the weights of an axis, and resampling in host memory.

use std::f64::consts::PI;

use rayon::prelude::*;

/// What weighs the samples around a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// `sinc(t) sinc(t / 3)` for `|t| < 3`, else 0, with `sinc(t) = sin(pi t) / (pi t)`. It is sharp where an output lies
    /// on an input, and less so between two: the squares of the weights add up to 1 there, and to 0.79 here.
    Lanczos,
    /// The same, mixed with as much of the cubic B-spline as makes the squares of all outputs' weights add up to what
    /// they do between two inputs. No line of an enlarged picture is sharper than others.
    Even,
}

/// Lobes of the Lanczos kernel on each side.
const LOBES: f64 = 3.0;

/// The sum of the squares of Lanczos's weights half-way between two inputs.
const EVEN: f64 = 0.7858;

/// The border condition of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// Samples outside have weight zero, and the other weights are divided by their sum.
    Renormalised,
    /// The signal is periodic.
    Periodic,
}

impl Border {
    /// Periodic for a picture that `wraps`.
    pub(super) fn new(wraps: bool) -> Self {
        if wraps {
            Self::Periodic
        } else {
            Self::Renormalised
        }
    }
}

/// The weights that turn `from` samples into `to` samples:
///
/// ```text
/// y_j = sum over i of w_ji x_i / sum over i of w_ji        w_ji = K((i - c_j) / s)
/// c_j = (j + 1/2) r - 1/2        r = from / to        s = max(r, 1)
/// ```
///
/// `K` is that of the [`Kernel`]. When an axis shrinks, `s` widens it to prevent aliasing. `FilterType::Lanczos3` of the
/// crate `image` has the same definition for Lanczos, in f32.
#[derive(Clone, Debug)]
pub(super) struct AxisWeights {
    from: usize,
    outputs: Vec<OutputWeights>,
}

/// The weights of one output sample.
#[derive(Clone, Debug)]
struct OutputWeights {
    /// The index of the first input sample. On a periodic axis it can be negative.
    first: isize,
    /// Weights of consecutive input samples. On a periodic axis they can extend beyond the end, and
    /// wrap around a short axis several times.
    weights: Vec<f32>,
}

impl AxisWeights {
    pub(super) fn new(from: usize, to: usize, border: Border, kernel: Kernel) -> Self {
        let ratio = from as f64 / to as f64;
        let spread = ratio.max(1.0);
        let outputs = (0..to).map(|output| {
            let centre = (output as f64 + 0.5) * ratio - 0.5;
            let mut first = (centre - LOBES * spread).ceil() as isize;
            let mut last = (centre + LOBES * spread).floor() as isize;
            if border == Border::Renormalised {
                first = first.max(0);
                last = last.min(from as isize - 1);
            }
            let weights = |kernel: fn(f64) -> f64| -> Vec<f64> {
                let distances = (first..=last).map(|input| (input as f64 - centre) / spread);
                let weights: Vec<f64> = distances.map(kernel).collect();
                let sum: f64 = weights.iter().sum();
                weights
                    .into_iter()
                    .map(move |weight| weight / sum)
                    .collect()
            };
            let mut own = weights(lanczos);
            if kernel == Kernel::Even {
                equalise(&mut own, &weights(b_spline));
            }
            OutputWeights {
                first,
                weights: own.into_iter().map(|weight| weight as f32).collect(),
            }
        });
        Self {
            from,
            outputs: outputs.collect(),
        }
    }

    /// The weights as a dense matrix `[to, from]`, row by row.
    pub(super) fn to_matrix(&self) -> Vec<f32> {
        let mut matrix = vec![0.0; self.outputs.len() * self.from];
        for (row, output) in matrix.chunks_exact_mut(self.from).zip(&self.outputs) {
            for (input, weight) in (output.first..).zip(&output.weights) {
                row[self.wrapped(input)] += weight;
            }
        }
        matrix
    }

    /// The index modulo the length of the axis.
    fn wrapped(&self, input: isize) -> usize {
        input.rem_euclid(self.from as isize) as usize
    }

    /// The number of samples by which the weights extend before and after the axis.
    fn overhang(&self) -> [usize; 2] {
        let before = self.outputs.iter().map(|output| -output.first);
        let after = self.outputs.iter().map(|output| {
            let end = output.first + output.weights.len() as isize;
            end - self.from as isize
        });
        [before.max(), after.max()].map(|most| most.unwrap_or(0).max(0) as usize)
    }
}

/// Mixes weights with smoother ones until their squares add up to [`EVEN`], or to as little as a mixture can have.
fn equalise(weights: &mut [f64], smooth: &[f64]) {
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let pairs = smooth.iter().zip(weights.iter());
    let change: Vec<f64> = pairs.map(|(smooth, weight)| smooth - weight).collect();
    // sum (w + x d)^2 = EVEN, that is c x^2 + 2 b x + a = 0. The smaller solution changes less.
    let a = product(weights, weights) - EVEN;
    let (b, c) = (product(weights, &change), product(&change, &change));
    if a <= 0.0 || c == 0.0 {
        return;
    }
    let share = (-b - (b * b - a * c).max(0.0).sqrt()) / c;
    let mixed = weights.iter_mut().zip(change);
    mixed.for_each(|(weight, change)| *weight += share.clamp(0.0, 1.0) * change);
}

/// The cubic B-spline.
fn b_spline(t: f64) -> f64 {
    let t = t.abs();
    if t < 1.0 {
        2.0 / 3.0 - t * t * (1.0 - t / 2.0)
    } else {
        (2.0 - t).max(0.0).powi(3) / 6.0
    }
}

fn lanczos(t: f64) -> f64 {
    let sinc = |t: f64| {
        if t.abs() < 1e-9 {
            1.0
        } else {
            (PI * t).sin() / (PI * t)
        }
    };
    if t.abs() < LOBES {
        sinc(t) * sinc(t / LOBES)
    } else {
        0.0
    }
}

/// Resamples a picture of interleaved channels, `[from_rows, from_columns, channels]`, to
/// `[to_rows, to_columns, channels]`.
pub(super) fn resample(
    values: &[f32],
    channels: usize,
    rows: &AxisWeights,
    columns: &AxisWeights,
) -> Vec<f32> {
    let from_stride = columns.from * channels;
    let to_stride = columns.outputs.len() * channels;
    let mut resampled = vec![0.0; rows.outputs.len() * to_stride];
    if values.is_empty() || resampled.is_empty() {
        return resampled;
    }
    // A row after the vertical pass, with periodic copies before and after it for weights that
    // extend beyond the axis.
    let [before, after] = columns.overhang();
    let scratch = || vec![0.0; (before + columns.from + after) * channels];
    resampled
        .par_chunks_exact_mut(to_stride)
        .zip(&rows.outputs)
        .for_each_init(scratch, |scratch, (resampled, output)| {
            let row = &mut scratch[before * channels..][..from_stride];
            row.fill(0.0);
            for (input, weight) in (output.first..).zip(&output.weights) {
                let input = &values[rows.wrapped(input) * from_stride..][..from_stride];
                for (sum, value) in row.iter_mut().zip(input) {
                    *sum += weight * value;
                }
            }
            let end = before + columns.from;
            for copy in (0..before).chain(end..end + after) {
                let original = before + columns.wrapped(copy as isize - before as isize);
                let original = original * channels..(original + 1) * channels;
                scratch.copy_within(original, copy * channels);
            }
            for (pixel, output) in resampled.chunks_exact_mut(channels).zip(&columns.outputs) {
                let first = (output.first + before as isize) as usize;
                let window = &scratch[first * channels..];
                weighted_sum(window, &output.weights, pixel);
            }
        });
    resampled
}

/// Writes the weighted sum of consecutive pixels to `sums`, which must be zero.
fn weighted_sum(pixels: &[f32], weights: &[f32], sums: &mut [f32]) {
    match sums.len() {
        1 => sums[0] = pixels.iter().zip(weights).map(|(p, w)| p * w).sum(),
        // With a constant number of channels the compiler keeps the sums in registers.
        3 => sums.copy_from_slice(&weighted_sum_of::<3>(pixels, weights)),
        channels => {
            for (pixel, weight) in pixels.chunks_exact(channels).zip(weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += weight * value;
                }
            }
        }
    }
}

/// The weighted sum of consecutive pixels with a constant number of channels.
fn weighted_sum_of<const CHANNELS: usize>(pixels: &[f32], weights: &[f32]) -> [f32; CHANNELS] {
    let mut sums = [0.0; CHANNELS];
    for (pixel, weight) in pixels.as_chunks::<CHANNELS>().0.iter().zip(weights) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += weight * value;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use image::imageops::{self, FilterType};
    use image::{ImageBuffer, Luma};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn results_equal_those_of_the_crate_image() {
        let sizes = [
            ([37, 29], [53, 61]),
            ([61, 53], [17, 22]),
            ([40, 23], [23, 91]),
            ([2, 1], [9, 3]),
            ([31, 48], [1, 2]),
            ([64, 64], [32, 128]),
        ];
        for ([width, height], [to_width, to_height]) in sizes {
            // The crate clips floats to 0..=1, so the values stay away from both ends.
            let values: Vec<f32> = (0..width * height * 3)
                .map(|i| 0.5 + 0.2 * (i as f32 * 0.61).sin())
                .collect();
            let found = resample(
                &values,
                3,
                &AxisWeights::new(height, to_height, Border::Renormalised, Kernel::Lanczos),
                &AxisWeights::new(width, to_width, Border::Renormalised, Kernel::Lanczos),
            );
            for channel in 0..3 {
                let plane = values.iter().skip(channel).step_by(3).copied().collect();
                let plane: ImageBuffer<Luma<f32>, Vec<f32>> =
                    ImageBuffer::from_raw(width as u32, height as u32, plane).unwrap();
                let (to_width, to_height) = (to_width as u32, to_height as u32);
                let expected =
                    imageops::resize(&plane, to_width, to_height, FilterType::Lanczos3).into_raw();
                let found: Vec<f32> = found.iter().skip(channel).step_by(3).copied().collect();
                assert_eq!(found.len(), expected.len());
                for (a, b) in found.iter().zip(&expected) {
                    assert!((a - b).abs() < 1e-5, "{width}x{height}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn every_number_of_channels_gives_the_same_planes() {
        for border in [Border::Renormalised, Border::Periodic] {
            let rows = AxisWeights::new(5, 7, border, Kernel::Lanczos);
            let columns = AxisWeights::new(11, 4, border, Kernel::Lanczos);
            let plane = |channel: usize| -> Vec<f32> {
                let phase = channel as f32;
                (0..55).map(|i| (i as f32 * 0.9 + phase).cos()).collect()
            };
            for channels in 1..6 {
                let planes: Vec<Vec<f32>> = (0..channels).map(plane).collect();
                let values: Vec<f32> = (0..55)
                    .flat_map(|pixel| planes.iter().map(move |plane| plane[pixel]))
                    .collect();
                let whole = resample(&values, channels, &rows, &columns);
                for (channel, plane) in planes.iter().enumerate() {
                    let alone = resample(plane, 1, &rows, &columns);
                    let whole = whole.iter().skip(channel).step_by(channels);
                    assert!(alone.iter().zip(whole).all(|(a, b)| (a - b).abs() < 1e-6));
                }
            }
        }
    }

    #[test]
    fn even_weights_have_equal_squares() {
        // By hand: B(0) = 2/3, B(1/2) = 23/48, B(1) = 1/6, B(3/2) = 1/48.
        let spline = [0.0, 0.5, -1.0, 1.5, 2.0].map(b_spline);
        let by_hand = [2.0 / 3.0, 23.0 / 48.0, 1.0 / 6.0, 1.0 / 48.0, 0.0];
        let pairs = spline.iter().zip(by_hand);
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-12));
        let squares = |kernel| -> Vec<f32> {
            let axis = AxisWeights::new(70, 99, Border::Periodic, kernel);
            let outputs = axis.outputs.iter();
            let sums = outputs.map(|output| {
                let sum: f32 = output.weights.iter().sum();
                assert!((sum - 1.0).abs() < 1e-6);
                output.weights.iter().map(|weight| weight * weight).sum()
            });
            sums.collect()
        };
        let (low, high) = (EVEN as f32 - 1e-3, EVEN as f32 + 1e-3);
        let even = squares(Kernel::Even);
        assert!(even.iter().all(|sum| (low..high).contains(sum)), "{even:?}");
        let sharp = squares(Kernel::Lanczos);
        assert!(sharp.iter().all(|sum| *sum > low) && sharp.iter().any(|sum| *sum > 0.99));
        // One sample has nothing to be mixed with; shrinking is smooth as it is.
        assert_eq!(
            AxisWeights::new(1, 3, Border::Renormalised, Kernel::Even).to_matrix(),
            [1.0; 3]
        );
        let [even, sharp] = [Kernel::Even, Kernel::Lanczos]
            .map(|kernel| AxisWeights::new(20, 7, Border::Periodic, kernel).to_matrix());
        assert_eq!(even, sharp);
    }

    #[test]
    fn weights_of_an_output_add_up_to_one() {
        for border in [Border::Renormalised, Border::Periodic] {
            for (from, to) in [(1, 1), (1, 8), (2, 1), (3, 10), (50, 3), (7, 5)] {
                let matrix = AxisWeights::new(from, to, border, Kernel::Lanczos).to_matrix();
                assert_eq!(matrix.len(), from * to);
                for row in matrix.chunks_exact(from) {
                    assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{from} {to}");
                }
            }
        }
    }

    proptest! {
        /// Resampling in host memory and the matrices of its axes, whose transposes are the adjoint of a
        /// halving: <A x, y> = <x, A' y>.
        #[test]
        fn the_transposed_matrices_are_the_adjoint(
            from in (1usize..24, 1usize..24),
            to in (1usize..24, 1usize..24),
            channels in 1usize..5,
            wraps: bool,
            phase in 0f32..6.0,
        ) {
            let border = Border::new(wraps);
            let rows = AxisWeights::new(from.0, to.0, border, Kernel::Lanczos);
            let columns = AxisWeights::new(from.1, to.1, border, Kernel::Lanczos);
            let numbers = |count: usize, phase: f32| -> Vec<f32> {
                (0..count).map(|i| (i as f32 * 0.7 + phase).sin()).collect()
            };
            let x = numbers(from.0 * from.1 * channels, phase);
            let y = numbers(to.0 * to.1 * channels, phase + 1.0);
            let product = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let left = product(&resample(&x, channels, &rows, &columns), &y);
            let (row, column) = (rows.to_matrix(), columns.to_matrix());
            let mut back = vec![0.0; x.len()];
            for (index, sum) in back.iter_mut().enumerate() {
                let (pixel, channel) = (index / channels, index % channels);
                let (i, j) = (pixel / from.1, pixel % from.1);
                for (k, l) in (0..to.0).flat_map(|k| (0..to.1).map(move |l| (k, l))) {
                    let weight = row[k * from.0 + i] * column[l * from.1 + j];
                    *sum += weight * y[(k * to.1 + l) * channels + channel];
                }
            }
            let right = product(&back, &x);
            let size = (product(&x, &x) * product(&y, &y)).sqrt();
            prop_assert!((left - right).abs() <= 1e-5 * size, "{left} {right}");
        }
    }
}
