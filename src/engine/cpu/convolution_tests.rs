//! Every kernel of this room against sums in f64, written as the definition reads.

use super::Signs;
use super::buffers::Buffers;
use super::convolution::{Above, Convolution};
use super::joining::Joining;
use super::map::Map;
use crate::engine::operation::ConvolutionShape;
use crate::engine::padding::Padding;
use crate::engine::reference::{Case, assert_near, noise};

fn map(height: usize, width: usize, channels: usize, seed: usize) -> Map {
    Map {
        data: noise(height * width * channels, seed),
        height,
        width,
        channels,
    }
}

/// Largest error allowed, as a share of the largest value: the Winograd transform rounds more.
fn tolerance(kernel: &Convolution) -> f64 {
    if kernel.is_winograd() { 3e-5 } else { 2e-6 }
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
    let sums = case.forward(&parameters, &input.data);
    let activations: Vec<f64> = sums.iter().map(|sum| sum.max(0.0)).collect();
    let (height, width) = shape.output(size.0, size.1);
    let channels = shape.channels_out;
    let above = map(height, width, channels, 4);
    let expected = case.gradient(
        &parameters,
        &above.data.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
    );
    // What joins the gradient, and a ReLU below that passed every third value.
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
        Convolution::new(*shape, case.lazy_parameters(), false),
        Convolution::new(*shape, case.lazy_parameters(), true),
    ] {
        let (output, signs) = kernel.forward(&input, false, &buffers);
        let signs = signs.unwrap();
        assert_near(
            &format!("forward {what}"),
            tolerance(&kernel),
            &output.data,
            &activations,
        );
        for (place, value) in output.data.iter().enumerate() {
            assert_eq!(passed(&signs, channels, place), *value > 0.0, "{what}");
        }
        let joining = Joining {
            added: None,
            signs: None,
        };
        let plain = Above::Map(&above);
        let gradient = kernel.input_gradient(&plain, *size, joining, &buffers);
        assert_near(
            &format!("gradient {what}"),
            tolerance(&kernel),
            &gradient.data,
            &expected,
        );
        let joining = Joining {
            added: Some(Map {
                data: added.data.clone(),
                ..added
            }),
            signs: Some(&below),
        };
        let gradient = kernel.input_gradient(&plain, *size, joining, &buffers);
        assert_near(
            &format!("joined gradient {what}"),
            tolerance(&kernel),
            &gradient.data,
            &joined,
        );
        if kernel.is_winograd() && height > 1 && width > 1 {
            pooled(case, &kernel, &input, (&activations, &signs));
        }
    }
}

/// The same through the average pooling that the kernel does along the way.
fn pooled(case: &Case, kernel: &Convolution, input: &Map, (map_of, signs): (&[f64], &Signs)) {
    let what = format!("pooled {:?} at {:?}", case.shape, case.size);
    let parameters = case.parameters();
    let buffers = Buffers::default();
    let (height, width) = case.shape.output(case.size.0, case.size.1);
    let channels = case.shape.channels_out;
    let (output, pooled_signs) = kernel.forward(input, true, &buffers);
    assert_eq!(pooled_signs.as_ref(), Some(signs), "{what}");
    let above = map(height / 2, width / 2, channels, 6);
    let gradient: Vec<f64> = above.data.iter().copied().map(f64::from).collect();
    let mut spread = case.spread(&gradient);
    for (place, value) in spread.iter_mut().enumerate() {
        if !passed(signs, channels, place) {
            *value = 0.0;
        }
    }
    assert_near(
        &what,
        tolerance(kernel),
        &output.data,
        &case.averages(map_of),
    );
    let expected = case.gradient(&parameters, &spread);
    let joining = Joining {
        added: None,
        signs: None,
    };
    let above = Above::Pooled(&above, Some(signs), (height, width));
    let gradient = kernel.input_gradient(&above, case.size, joining, &buffers);
    assert_near(
        &format!("gradient {what}"),
        tolerance(kernel),
        &gradient.data,
        &expected,
    );
}

#[test]
fn sizes_from_one_pixel_up_with_every_padding() {
    for mode in Padding::ALL {
        let smallest = mode.smallest_axis(1);
        for height in smallest..8 {
            for width in [smallest, 3.max(smallest), 4, 5, 9] {
                check(&Case::with_relu((16, 32), mode, (height, width)));
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
        check(&Case::with_relu(channels, Padding::Reflect, (5, 6)));
    }
}

#[test]
fn both_sides_of_the_thresholds_between_kernels() {
    // Blocks of a thread's own, several of them and the last one short; then shared products,
    // for few tiles and for many weights.
    check(&Case::with_relu((16, 16), Padding::Zero, (61, 50)));
    check(&Case::with_relu((16, 16), Padding::Reflect, (61, 50)));
    check(&Case::with_relu((16, 16), Padding::Circular, (9, 8)));
    check(&Case::with_relu((144, 272), Padding::Replicate, (9, 6)));
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
            let mut case = Case::with_relu((5, 18), mode, (9, 11));
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
            let case = Case::with_relu(channels, Padding::Zero, (9, 10));
            let parameters = case.parameters();
            let mut input = map(9, 10, channels.0, 7);
            input.data[(4 * 10 + 5) * channels.0 + 1] = value;
            let sums = case.forward(&parameters, &input.data);
            let kernel = Convolution::new(case.shape, case.lazy_parameters(), false);
            let (output, _) = kernel.forward(&input, false, &Buffers::default());
            let mut seen = 0;
            for (sum, found) in sums.iter().zip(&output.data) {
                // The ReLU makes an infinity below zero a zero; the transform turns it into a NaN.
                if sum.is_nan() || *sum == f64::INFINITY {
                    assert!(!found.is_finite(), "{value} became {found}");
                    seen += 1;
                }
            }
            assert!(seen > 0);
        }
    }
}
