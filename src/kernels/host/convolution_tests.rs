//! Every kernel of this room against sums in f64, written as the definition reads.

use super::buffers::Buffers;
use super::convolution::{Above, HostConvolution};
use super::map::Map;
use super::{Arrival, Signs};
use crate::kernels::convolution::{ConvolutionShape, Parameters};
use crate::kernels::padding::{Padding, ZERO};

/// Values without a pattern, in -1..1.
fn noise(length: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u32 * 2_654_435_761 + 12345;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn map(height: usize, width: usize, channels: usize, seed: usize) -> Map {
    Map {
        data: noise(height * width * channels, seed),
        height,
        width,
        channels,
    }
}

struct Case {
    shape: ConvolutionShape,
    size: (usize, usize),
}

impl Case {
    fn parameters(&self) -> Parameters {
        Parameters {
            weight: noise(self.shape.weights(), 1),
            bias: noise(self.shape.channels_out, 2),
        }
    }

    /// Each term of the sum, as (output pixel, output channel, input pixel, input channel, weight).
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
                        let place = (output * shape.channels_in + input) * taps + tap;
                        let weight = f64::from(parameters.weight[place]);
                        term(pixel, output, source, input, weight);
                    }
                }
            }
        }
    }

    fn forward(&self, parameters: &Parameters, input: &Map) -> Vec<f64> {
        let (height, width) = self.shape.output(self.size.0, self.size.1);
        let channels = self.shape.channels_out;
        let mut sums = vec![0.0; height * width * channels];
        self.terms(parameters, |pixel, output, source, channel, weight| {
            let value = input.data[source * self.shape.channels_in + channel];
            sums[pixel * channels + output] += weight * f64::from(value);
        });
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from(parameters.bias[i % channels]);
        }
        sums
    }

    fn gradient(&self, parameters: &Parameters, above: &[f64]) -> Vec<f64> {
        let channels = self.shape.channels_in;
        let mut sums = vec![0.0; self.size.0 * self.size.1 * channels];
        self.terms(parameters, |pixel, output, source, channel, weight| {
            let value = above[pixel * self.shape.channels_out + output];
            sums[source * channels + channel] += weight * value;
        });
        sums
    }
}

/// Largest error allowed, as a share of the largest value: the Winograd transform rounds more.
fn tolerance(kernel: &HostConvolution) -> f64 {
    if kernel.is_winograd() { 3e-5 } else { 2e-6 }
}

fn assert_near(what: &str, tolerance: f64, found: &[f32], expected: &[f64]) {
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

fn passed(signs: &Signs, channels: usize, place: usize) -> bool {
    let (pixel, channel) = (place / channels, place % channels);
    signs[pixel * channels.div_ceil(16) + channel / 16] >> (channel % 16) & 1 == 1
}

/// One case in both directions, with every kernel that serves its shape.
fn check(case: &Case) {
    let Case { shape, size } = case;
    let what = format!("{shape:?} at {size:?}");
    let parameters = case.parameters();
    let buffers = Buffers::default();
    let input = map(size.0, size.1, shape.channels_in, 3);
    let sums = case.forward(&parameters, &input);
    let rectified: Vec<f64> = sums.iter().map(|sum| sum.max(0.0)).collect();
    let (height, width) = shape.output(size.0, size.1);
    let channels = shape.channels_out;
    let above = map(height, width, channels, 4);
    let expected = case.gradient(
        &parameters,
        &above.data.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
    );
    // What joins the gradient, and a rectifier below that passed every third value.
    let added = map(size.0, size.1, shape.channels_in, 5);
    let words = shape.channels_in.div_ceil(16);
    let below: Signs = (0..size.0 * size.1 * words)
        .map(|i| 0x9249 << (i % 3))
        .collect();
    let joined: Vec<f64> = expected
        .iter()
        .zip(&added.data)
        .enumerate()
        .map(|(i, (gradient, added))| {
            let sum = gradient + f64::from(*added);
            if passed(&below, shape.channels_in, i) {
                sum
            } else {
                0.0
            }
        })
        .collect();
    for kernel in [
        HostConvolution::new(*shape, false),
        HostConvolution::new(*shape, true),
    ] {
        let (output, signs) = kernel.forward(&parameters, &input, false, &buffers);
        let signs = signs.unwrap();
        assert_near(
            &format!("forward {what}"),
            tolerance(&kernel),
            &output.data,
            &rectified,
        );
        for (place, value) in output.data.iter().enumerate() {
            assert_eq!(passed(&signs, channels, place), *value > 0.0, "{what}");
        }
        let arrival = Arrival {
            added: None,
            signs: None,
        };
        let plain = Above::Map(&above);
        let gradient = kernel.input_gradient(&parameters, &plain, *size, arrival, &buffers);
        assert_near(
            &format!("gradient {what}"),
            tolerance(&kernel),
            &gradient.data,
            &expected,
        );
        let arrival = Arrival {
            added: Some(Map {
                data: added.data.clone(),
                ..added
            }),
            signs: Some(&below),
        };
        let gradient = kernel.input_gradient(&parameters, &plain, *size, arrival, &buffers);
        assert_near(
            &format!("joined gradient {what}"),
            tolerance(&kernel),
            &gradient.data,
            &joined,
        );
        if kernel.is_winograd() && height > 1 && width > 1 {
            pooled(case, &kernel, &input, (&rectified, &signs));
        }
    }
}

/// The same through the average pooling that the kernel does along the way.
fn pooled(case: &Case, kernel: &HostConvolution, input: &Map, (map_of, signs): (&[f64], &Signs)) {
    let what = format!("pooled {:?} at {:?}", case.shape, case.size);
    let parameters = case.parameters();
    let buffers = Buffers::default();
    let (height, width) = case.shape.output(case.size.0, case.size.1);
    let channels = case.shape.channels_out;
    let (half_height, half_width) = (height / 2, width / 2);
    let (output, pooled_signs) = kernel.forward(&parameters, input, true, &buffers);
    assert_eq!(pooled_signs.as_ref(), Some(signs), "{what}");
    let window = |y: usize, x: usize, channel: usize| {
        [(0, 0), (0, 1), (1, 0), (1, 1)]
            .map(|(dy, dx)| ((2 * y + dy) * width + 2 * x + dx) * channels + channel)
    };
    let mut means = Vec::new();
    let above = map(half_height, half_width, channels, 6);
    let mut spread = vec![0.0; height * width * channels];
    for y in 0..half_height {
        for x in 0..half_width {
            for channel in 0..channels {
                let window = window(y, x, channel);
                means.push(window.iter().map(|place| map_of[*place]).sum::<f64>() / 4.0);
                let value = above.data[(y * half_width + x) * channels + channel];
                for place in window
                    .into_iter()
                    .filter(|place| passed(signs, channels, *place))
                {
                    spread[place] = f64::from(value) / 4.0;
                }
            }
        }
    }
    assert_near(&what, tolerance(kernel), &output.data, &means);
    let expected = case.gradient(&parameters, &spread);
    let arrival = Arrival {
        added: None,
        signs: None,
    };
    let above = Above::Pooled(&above, Some(signs), (height, width));
    let gradient = kernel.input_gradient(&parameters, &above, case.size, arrival, &buffers);
    assert_near(
        &format!("gradient {what}"),
        tolerance(kernel),
        &gradient.data,
        &expected,
    );
}

fn case(channels: (usize, usize), mode: Padding, size: (usize, usize)) -> Case {
    Case {
        shape: ConvolutionShape {
            channels_in: channels.0,
            channels_out: channels.1,
            kernel: 3,
            stride: 1,
            padding: 1,
            mode,
            rectified: true,
        },
        size,
    }
}

#[test]
fn sizes_from_one_pixel_up_with_every_padding() {
    for mode in Padding::ALL {
        let smallest = mode.smallest_axis(1);
        for height in smallest..8 {
            for width in [smallest, 3.max(smallest), 4, 5, 9] {
                check(&case((16, 32), mode, (height, width)));
            }
        }
    }
}

#[test]
fn channels_around_the_widths_of_vectors_and_panels() {
    for channels in [
        (1, 1),
        (3, 64),
        (3, 5),
        (15, 17),
        (16, 16),
        (16, 48),
        (48, 16),
        (80, 32),
        (33, 31),
        (64, 80),
    ] {
        check(&case(channels, Padding::Reflect, (5, 6)));
    }
}

#[test]
fn both_sides_of_the_thresholds_between_kernels() {
    // Blocks of a thread's own, several of them and the last one short; then shared products,
    // for few tiles and for many weights.
    check(&case((16, 16), Padding::Zero, (61, 50)));
    check(&case((16, 16), Padding::Reflect, (61, 50)));
    check(&case((16, 16), Padding::Circular, (9, 8)));
    check(&case((144, 272), Padding::Replicate, (9, 6)));
}

#[test]
fn other_kernels_and_strides() {
    for (kernel, stride, padding) in [
        (1, 1, 0),
        (2, 2, 0),
        (5, 1, 2),
        (3, 2, 1),
        (7, 1, 0),
        (3, 1, 3),
    ] {
        for mode in [Padding::Zero, Padding::Reflect] {
            let mut case = case((5, 18), mode, (9, 11));
            case.shape = ConvolutionShape {
                kernel,
                stride,
                padding,
                ..case.shape
            };
            check(&case);
        }
    }
}

#[test]
fn what_is_not_finite_is_never_hidden() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for channels in [(3, 16), (16, 16)] {
            let case = case(channels, Padding::Zero, (9, 10));
            let parameters = case.parameters();
            let mut input = map(9, 10, channels.0, 7);
            input.data[(4 * 10 + 5) * channels.0 + 1] = value;
            let sums = case.forward(&parameters, &input);
            let kernel = HostConvolution::new(case.shape, false);
            let (output, _) = kernel.forward(&parameters, &input, false, &Buffers::default());
            let mut seen = 0;
            for (sum, found) in sums.iter().zip(&output.data) {
                // An infinity below zero is rectified; the transform turns it into a NaN.
                if sum.is_nan() || *sum == f64::INFINITY {
                    assert!(!found.is_finite(), "{value} became {found}");
                    seen += 1;
                }
            }
            assert!(seen > 0);
        }
    }
}
