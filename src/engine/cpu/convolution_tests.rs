//! Compares every convolution kernel with direct convolution in f64.

use super::ReluMask;
use super::accumulation::Accumulation;
use super::buffers::Buffers;
use super::convolution::Convolution;
use super::map::Map;
use super::winograd_convolution::{OutputGradient, WinogradConvolution};
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

/// The largest error allowed with the Winograd transform, relative to the largest value. F(6x6, 3x3) comes
/// to 1.4e-5.
const TRANSFORM: f64 = 2e-5;

/// The largest error allowed, relative to the largest value.
fn tolerance(kernel: &Convolution) -> f64 {
    if kernel.can_pool() { TRANSFORM } else { 2e-6 }
}

fn is_active(mask: &ReluMask, channels: usize, index: usize) -> bool {
    let (pixel, channel) = (index / channels, index % channels);
    mask[pixel * channels.div_ceil(16) + channel / 16] >> (channel % 16) & 1 == 1
}

/// Checks the forward and backward pass of a case with every kernel that supports its shape.
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
    // The gradient of the losses, and a mask that is active at every third value.
    let added = map(size.0, size.1, shape.channels_in, 5);
    let words = shape.channels_in.div_ceil(16);
    let below: ReluMask = (0..size.0 * size.1 * words)
        .map(|i| 0x9249 << (i % 3))
        .collect();
    let accumulated: Vec<f64> = expected
        .iter()
        .zip(&added.data)
        .enumerate()
        .map(|(i, (gradient, added))| {
            let sum = gradient + f64::from(*added);
            if is_active(&below, shape.channels_in, i) {
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
        let (output, mask) = kernel.forward(&input, &buffers);
        let mask = mask.unwrap();
        assert_near(
            &format!("forward {what}"),
            tolerance(&kernel),
            &output.data,
            &activations,
        );
        for (index, value) in output.data.iter().enumerate() {
            assert_eq!(is_active(&mask, channels, index), *value > 0.0, "{what}");
        }
        let accumulation = Accumulation {
            loss_gradient: None,
            mask: None,
        };
        let gradient = kernel.input_gradient(&above, *size, accumulation, &buffers);
        assert_near(
            &format!("gradient {what}"),
            tolerance(&kernel),
            &gradient.data,
            &expected,
        );
        let accumulation = Accumulation {
            loss_gradient: Some(Map {
                data: added.data.clone(),
                ..added
            }),
            mask: Some(&below),
        };
        let gradient = kernel.input_gradient(&above, *size, accumulation, &buffers);
        assert_near(
            &format!("accumulated gradient {what}"),
            tolerance(&kernel),
            &gradient.data,
            &accumulated,
        );
        if let Convolution::Winograd(convolution) = &kernel
            && height > 1
            && width > 1
        {
            pooled(case, convolution, &input, (&activations, &mask));
        }
    }
}

/// Checks the forward and backward pass with fused average pooling.
fn pooled(
    case: &Case,
    kernel: &WinogradConvolution,
    input: &Map,
    (features, mask): (&[f64], &ReluMask),
) {
    let what = format!("pooled {:?} at {:?}", case.shape, case.size);
    let parameters = case.parameters();
    let buffers = Buffers::default();
    let (height, width) = case.shape.output(case.size.0, case.size.1);
    let channels = case.shape.channels_out;
    let (output, pooled_mask) = kernel.forward_pooled(input, &buffers);
    assert_eq!(pooled_mask.as_ref(), Some(mask), "{what}");
    let above = map(height / 2, width / 2, channels, 6);
    let gradient: Vec<f64> = above.data.iter().copied().map(f64::from).collect();
    let mut spread = case.spread(&gradient);
    for (index, value) in spread.iter_mut().enumerate() {
        if !is_active(mask, channels, index) {
            *value = 0.0;
        }
    }
    assert_near(&what, TRANSFORM, &output.data, &case.averages(features));
    let expected = case.gradient(&parameters, &spread);
    let accumulation = Accumulation {
        loss_gradient: None,
        mask: None,
    };
    let above = OutputGradient::Pooled {
        gradient: &above,
        mask: Some(mask),
        size: (height, width),
    };
    let gradient = kernel.input_gradient(&above, case.size, accumulation, &buffers);
    assert_near(
        &format!("gradient {what}"),
        TRANSFORM,
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

/// Small, for slow tools that check every access: Winograd with and without pooling, patches read in
/// place, more than one tile and more than one thread. Under Miri, where this takes minutes, one padding
/// goes through Winograd.
#[test]
fn each_kernel_at_a_small_size() {
    for mode in Padding::ALL {
        if !cfg!(miri) || mode == Padding::Reflect {
            check(&Case::with_relu((16, 16), mode, (2, 5)));
        }
        check(&Case::with_relu((2, 3), mode, (2, 3)));
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
    // Several private blocks with a short last one, then shared blocks: for few tiles, and for many
    // weights.
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
fn non_finite_values_propagate() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for channels in [(3, 16), (16, 16)] {
            let case = Case::with_relu(channels, Padding::Zero, (9, 10));
            let parameters = case.parameters();
            let mut input = map(9, 10, channels.0, 7);
            input.data[(4 * 10 + 5) * channels.0 + 1] = value;
            let sums = case.forward(&parameters, &input.data);
            let kernel = Convolution::new(case.shape, case.lazy_parameters(), false);
            let (output, _) = kernel.forward(&input, &Buffers::default());
            let mut seen = 0;
            for (sum, found) in sums.iter().zip(&output.data) {
                // The ReLU turns minus infinity into zero. With the transform it becomes NaN.
                if sum.is_nan() || *sum == f64::INFINITY {
                    assert!(!found.is_finite(), "{value} became {found}");
                    seen += 1;
                }
            }
            assert!(seen > 0);
        }
    }
}
