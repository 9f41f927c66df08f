//! Direct convolution in f64, the reference for tests of kernels and checks of devices.

use super::operation::{ConvolutionShape, Parameters};
use super::padding::{Padding, ZERO};

/// Pseudo-random values in -1..1.
#[cfg(test)]
pub(crate) fn noise(length: usize, seed: usize) -> Vec<f32> {
    let mut state = (seed as u32)
        .wrapping_mul(2_654_435_761)
        .wrapping_add(12345);
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// A convolution of inputs of one size.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) shape: ConvolutionShape,
    pub(crate) size: (usize, usize),
}

impl Case {
    #[cfg(test)]
    pub(super) fn parameters(&self) -> Parameters {
        Parameters {
            weight: noise(self.shape.weights(), 1),
            bias: noise(self.shape.channels_out, 2),
        }
    }

    /// The parameters in the form of a network's.
    #[cfg(test)]
    pub(super) fn lazy_parameters(&self) -> std::sync::Arc<super::LazyParameters> {
        let parameters = std::sync::Arc::new(self.parameters());
        super::LazyParameters::new(move || std::sync::Arc::clone(&parameters))
    }

    /// Calls `term` for each term of the convolution: output pixel, output channel, input pixel,
    /// input channel, weight.
    fn terms(
        &self,
        parameters: &Parameters,
        mut term: impl FnMut(usize, usize, usize, usize, f64),
    ) {
        let shape = &self.shape;
        let rows = shape.mode.sources(self.size.0, shape.padding);
        let columns = shape.mode.sources(self.size.1, shape.padding);
        let (height, width) = shape.output(self.size.0, self.size.1);
        let taps = shape.kernel * shape.kernel;
        for pixel in 0..height * width {
            for tap in 0..taps {
                let row = rows[pixel / width * shape.stride + tap / shape.kernel];
                let column = columns[pixel % width * shape.stride + tap % shape.kernel];
                if row == ZERO || column == ZERO {
                    continue;
                }
                let source = row as usize * self.size.1 + column as usize;
                for output in 0..shape.channels_out {
                    for input in 0..shape.channels_in {
                        let index = (output * shape.channels_in + input) * taps + tap;
                        let weight = f64::from(parameters.weight[index]);
                        term(pixel, output, source, input, weight);
                    }
                }
            }
        }
    }

    /// The convolution of an input `[height, width, channels]` with bias, before the ReLU.
    pub(crate) fn forward<T>(&self, parameters: &Parameters, input: &[T]) -> Vec<f64>
    where
        T: Copy + Into<f64>,
    {
        let (height, width) = self.shape.output(self.size.0, self.size.1);
        let channels = self.shape.channels_out;
        let mut sums = vec![0.0; height * width * channels];
        self.terms(parameters, |pixel, output, source, channel, weight| {
            let value: f64 = input[source * self.shape.channels_in + channel].into();
            sums[pixel * channels + output] += weight * value;
        });
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from(parameters.bias[i % channels]);
        }
        sums
    }

    /// The input gradient from the gradient before the ReLU.
    pub(crate) fn gradient(&self, parameters: &Parameters, output_gradient: &[f64]) -> Vec<f64> {
        let channels = self.shape.channels_in;
        let mut sums = vec![0.0; self.size.0 * self.size.1 * channels];
        self.terms(parameters, |pixel, output, source, channel, weight| {
            let value = output_gradient[pixel * self.shape.channels_out + output];
            sums[source * channels + channel] += weight * value;
        });
        sums
    }

    /// For each feature in a 2x2 window: its index, and the index of its window.
    fn window_indices(&self) -> impl Iterator<Item = (usize, usize)> {
        let (height, width) = self.shape.output(self.size.0, self.size.1);
        let (rows, columns) = (height / 2, width / 2);
        let channels = self.shape.channels_out;
        (0..4 * rows * columns * channels).map(move |i| {
            let (pixel, channel) = (i / channels, i % channels);
            let (y, x) = (pixel / (2 * columns), pixel % (2 * columns));
            let high = (y * width + x) * channels + channel;
            let low = ((y / 2) * columns + x / 2) * channels + channel;
            (high, low)
        })
    }

    /// The features after 2x2 average pooling.
    pub(crate) fn averages(&self, features: &[f64]) -> Vec<f64> {
        let (height, width) = self.shape.output(self.size.0, self.size.1);
        let mut averages = vec![0.0; (height / 2) * (width / 2) * self.shape.channels_out];
        for (high, low) in self.window_indices() {
            averages[low] += features[high] / 4.0;
        }
        averages
    }

    /// The gradient before 2x2 average pooling from the gradient after it.
    pub(crate) fn spread(&self, gradient: &[f64]) -> Vec<f64> {
        let (height, width) = self.shape.output(self.size.0, self.size.1);
        let mut spread = vec![0.0; height * width * self.shape.channels_out];
        for (high, low) in self.window_indices() {
            spread[high] = gradient[low] / 4.0;
        }
        spread
    }

    /// A 3x3 convolution with ReLU.
    pub(crate) fn with_relu(channels: (usize, usize), mode: Padding, size: (usize, usize)) -> Self {
        Self {
            shape: ConvolutionShape {
                channels_in: channels.0,
                channels_out: channels.1,
                kernel: 3,
                stride: 1,
                padding: 1,
                mode,
                relu: true,
            },
            size,
        }
    }
}

/// The gradient before a ReLU from the gradient after it.
pub(crate) fn relu_backward(gradient: impl IntoIterator<Item = f64>, features: &[f64]) -> Vec<f64> {
    let pairs = gradient.into_iter().zip(features);
    pairs
        .map(|(value, feature)| if *feature > 0.0 { value } else { 0.0 })
        .collect()
}

/// Asserts that errors are below `tolerance`, relative to the largest value.
#[cfg(test)]
pub(crate) fn assert_near(what: &str, tolerance: f64, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().map(|v| v.abs()).fold(1e-3, f64::max);
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs() / scale;
        assert!(
            error < tolerance,
            "{what}: value {i} is {found}, not {expected}"
        );
    }
}

/// The numbers that `tests/golden/resampled.py` computed.
#[cfg(test)]
pub(crate) fn golden(part: &str, name: &str) -> Vec<f64> {
    let text = include_str!("../../tests/golden/resampled.json");
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    match &all[part][name] {
        serde_json::Value::Array(numbers) => numbers.iter().filter_map(|n| n.as_f64()).collect(),
        number => number.as_f64().into_iter().collect(),
    }
}
