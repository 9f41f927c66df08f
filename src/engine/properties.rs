//! Convolutions of drawn shapes on every engine, against direct convolution in f64.

use std::sync::Arc;

use burn::tensor::Device;
use proptest::prelude::*;

use super::burn_ops::BurnOps;
use super::executor::Executor;
use super::operation::ConvolutionShape;
use super::reference::{Case, assert_near, noise, relu_backward};
use super::{
    FeatureMap, Padding, Precision, Tap, Trunk, Weighted, channels_last, compile, map_from_values,
};

/// The largest error allowed, relative to the largest value: that of transforms on GPUs.
const TOLERANCE: f64 = 3e-5;

/// Channels, padding and size of a 3x3 convolution of stride 1. A quarter has the channels that the Winograd
/// kernels of the CPU take; GPUs take nearly all.
fn convolutions(longest: usize) -> impl Strategy<Value = Case> {
    let channels = prop_oneof![
        (1usize..=3, 1usize..=3).prop_map(|(input, output)| (16 * input, 16 * output)),
        (1usize..=36, 1usize..=36),
    ];
    let mode = prop::sample::select(Padding::ALL.to_vec());
    (channels, mode, 1..=longest, 1..=longest).prop_map(|(channels, mode, height, width)| {
        let smallest = mode.smallest_axis(1);
        Case::with_relu(channels, mode, (height.max(smallest), width.max(smallest)))
    })
}

/// Other kernels, strides and amounts of padding.
fn others() -> impl Strategy<Value = Case> {
    let numbers = (1usize..=5, 1usize..=3, 0usize..=2, any::<bool>());
    (convolutions(14), numbers).prop_map(|(case, (kernel, stride, padding, relu))| {
        let smallest = case.shape.mode.smallest_axis(padding).max(kernel);
        let shape = ConvolutionShape {
            kernel,
            stride,
            padding,
            relu,
            ..case.shape
        };
        let size = (case.size.0.max(smallest), case.size.1.max(smallest));
        Case { shape, size }
    })
}

/// Compares features and input gradient of one layer.
fn check(what: &str, case: &Case, device: &Device, engine: &dyn Fn(&[Weighted]) -> Arc<dyn Trunk>) {
    let Case { shape, size } = case;
    let what = format!("{what} {shape:?} at {size:?}");
    let parameters = case.parameters();
    let input = noise(size.0 * size.1 * shape.channels_in, 3);
    let sums = case.forward(&parameters, &input);
    let (height, width) = shape.output(size.0, size.1);
    let above = noise(height * width * shape.channels_out, 4);
    let features: Vec<f64> = match shape.relu {
        true => sums.iter().map(|sum| sum.max(0.0)).collect(),
        false => sums,
    };

    let layers = [Weighted::Convolution(*shape, case.lazy_parameters())];
    let map = |values: Vec<f32>, (height, width): (usize, usize), channels: usize| {
        FeatureMap::from(map_from_values(values, [height, width, channels], device))
    };
    let tap = Tap {
        index: 0,
        returned: true,
    };
    let input = map(input, *size, shape.channels_in);
    let mut forward = engine(&layers).forward(input, &[tap], true).expect(&what);
    let mut gradient = Some(map(above.clone(), (height, width), shape.channels_out));
    let tape = forward.tape.take().expect(&what);
    let lower = tape.backward(&mut |_| Ok(gradient.take())).expect(&what);
    let values = |map: FeatureMap| -> Vec<f32> {
        let values = channels_last(map.into_tensor());
        values.try_into_vec_as().expect(&what)
    };
    let (_, found) = forward.features.pop().expect(&what);
    let found = values(found);
    assert_near(&format!("forward {what}"), TOLERANCE, &found, &features);
    // By the side of zero on which the engine saw each sum: near zero rounding decides it.
    let wide = above.iter().map(|value| f64::from(*value));
    let before_relu: Vec<f64> = match shape.relu {
        true => {
            let found: Vec<f64> = found.iter().map(|value| f64::from(*value)).collect();
            relu_backward(wide, &found)
        }
        false => wide.collect(),
    };
    let expected = case.gradient(&parameters, &before_relu);
    let found = values(lower.expect(&what));
    assert_near(&format!("gradient {what}"), TOLERANCE, &found, &expected);
}

fn on_the_cpu(case: &Case) {
    let device = Device::flex();
    for precision in [Precision::Single, Precision::Plain] {
        let engine = |layers: &[Weighted]| compile(&device, precision, layers);
        check(&format!("cpu {precision}"), case, &device, &engine);
    }
    let engine = |layers: &[Weighted]| {
        Executor::compile(BurnOps::new(device.clone()), layers) as Arc<dyn Trunk>
    };
    check("Burn's operations", case, &device, &engine);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn convolutions_equal_direct_sums(case in convolutions(21)) {
        on_the_cpu(&case);
    }

    #[test]
    fn other_kernels_equal_direct_sums(case in others()) {
        on_the_cpu(&case);
    }
}

#[cfg(feature = "wgpu")]
proptest! {
    // Each shape is compiled anew, which takes a software adapter a second.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn convolutions_on_a_gpu_equal_direct_sums(case in convolutions(9)) {
        let Some(device) = super::gpu::tests::device() else {
            return Ok(());
        };
        let engine = |layers: &[Weighted]| compile(&device, Precision::Single, layers);
        check("gpu", &case, &device, &engine);
    }
}
