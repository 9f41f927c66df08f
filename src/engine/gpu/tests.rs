//! Compares every GPU kernel with direct convolution in f64, on the first GPU, which may be a
//! software one. OpenGL is excluded: see `device/graphics.rs`.

use std::sync::{Arc, LazyLock};

use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::convolution::KernelConvolution;
use crate::engine::operation::{LazyParameters, Parameters};
use crate::engine::padding::Padding;
use crate::engine::precision::Precision;
use crate::engine::reference::{Case, assert_near, noise, relu_backward};

/// The largest error allowed in f32, relative to the largest value.
const TOLERANCE: f64 = 3e-5;
/// The largest error allowed for feature maps in f16, relative to the largest value. Rounding to
/// f16 has a relative error of up to 2^-11. Gradients are rounded twice.
const TOLERANCE_IN_HALF: f64 = 1e-3;

static DEVICE: LazyLock<Option<Device>> = LazyLock::new(|| {
    let interface = match cfg!(target_vendor = "apple") {
        true => WgpuBackend::Metal,
        false => WgpuBackend::Vulkan,
    };
    match Device::wgpu_options().graphics_api(interface).init() {
        Ok(device) => Some(device),
        Err(error) => {
            let required = std::env::var_os("RANVGG_REQUIRE_GPU").is_some();
            assert!(!required, "{error}");
            eprintln!("skipped on wgpu: {error}");
            None
        }
    }
});

pub(crate) fn device() -> Option<Device> {
    DEVICE.clone()
}

/// Rounds values so that f16 holds them exactly.
fn coarse(values: Vec<f32>) -> Vec<f32> {
    let values = values.into_iter();
    values.map(|v| (v * 1024.0).round() / 1024.0).collect()
}

/// A feature map, values in NHWC order.
struct Map {
    size: (usize, usize),
    channels: usize,
    values: Vec<f32>,
}

impl Map {
    /// Noise that f16 holds exactly.
    fn noise(size: (usize, usize), channels: usize, seed: usize) -> Self {
        Self {
            size,
            channels,
            values: coarse(noise(size.0 * size.1 * channels, seed)),
        }
    }

    fn to_f64(&self) -> Vec<f64> {
        self.values.iter().copied().map(f64::from).collect()
    }

    fn tensor(&self, device: &Device) -> Tensor<4> {
        let shape = [1, self.size.0, self.size.1, self.channels];
        let data = TensorData::new(self.values.clone(), shape);
        Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
    }
}

fn values(map: Tensor<4>) -> Vec<f32> {
    map.permute([0, 2, 3, 1])
        .cast(DType::F32)
        .into_data()
        .try_into_vec()
        .unwrap()
}

fn lazy(parameters: &Arc<Parameters>) -> Arc<LazyParameters> {
    let parameters = Arc::clone(parameters);
    LazyParameters::new(move || Arc::clone(&parameters))
}

fn check(case: &Case, largest: usize, device: &Device) {
    check_in(Precision::Single, case, largest, device);
}

/// Checks the forward and backward pass of a case in blocks of at most `largest` bytes, and again
/// with fused pooling where the kernels support it.
fn check_in(precision: Precision, case: &Case, largest: usize, device: &Device) {
    let what = format!("{precision:?} {:?} at {:?}", case.shape, case.size);
    let transformed = case.shape.channels_in > 4;
    let tolerance = match precision {
        Precision::Half => TOLERANCE_IN_HALF,
        _ => TOLERANCE,
    };
    let mut parameters = case.parameters();
    parameters.bias = coarse(parameters.bias);
    let parameters = Arc::new(parameters);
    let mut kernel =
        KernelConvolution::new(case.shape, &lazy(&parameters), precision).expect(&what);
    kernel.largest = largest;
    let size = [case.size.0, case.size.1];
    let input = Map::noise(case.size, case.shape.channels_in, 3);
    let sums = case.forward(&parameters, &input.values);
    let features: Vec<f64> = sums.iter().map(|sum| sum.max(0.0)).collect();
    // An image is in f32. The input of a deeper layer has the type that the layer below wrote.
    let to_input = |map: &Map| match precision {
        Precision::Half if transformed => map.tensor(device).cast(DType::F16),
        _ => map.tensor(device),
    };
    let (found, mask) = kernel.forward(to_input(&input), false);
    let written = match precision {
        Precision::Half => DType::F16,
        _ => DType::F32,
    };
    assert_eq!(found.dtype(), written, "{what}");
    assert_near(
        &format!("forward {what}"),
        tolerance,
        &values(found),
        &features,
    );

    let gradient_out = Map::noise(case.size, case.shape.channels_out, 4);
    let expected = case.gradient(
        &parameters,
        &relu_backward(gradient_out.to_f64(), &features),
    );
    let gradient = gradient_out.tensor(device);
    let found = kernel.input_gradient(gradient, &mask, size, false);
    assert_near(
        &format!("gradient {what}"),
        tolerance,
        &values(found),
        &expected,
    );

    // Pooling cannot be fused where tiles have an offset, or where the kernels do not fold gradients.
    let unaligned = |length: &usize| match case.shape.mode {
        Padding::Reflect => length % 4 == 1,
        Padding::Circular => !length.is_multiple_of(4),
        Padding::Zero | Padding::Replicate => false,
    };
    let can = transformed && !size.iter().any(unaligned);
    assert_eq!(kernel.can_pool(size), can, "{what}");
    if can && size[0] > 1 && size[1] > 1 {
        pooled(case, &kernel, &parameters, &features, tolerance, device);
    }
}

/// Checks the forward and backward pass with fused 2x2 average pooling.
fn pooled(
    case: &Case,
    kernel: &KernelConvolution,
    parameters: &Parameters,
    features: &[f64],
    tolerance: f64,
    device: &Device,
) {
    let what = format!("pooled {:?} at {:?}", case.shape, case.size);
    let (height, width) = case.size;
    let gradient_out = Map::noise((height / 2, width / 2), case.shape.channels_out, 6);
    let spread = case.spread(&gradient_out.to_f64());
    let input = Map::noise(case.size, case.shape.channels_in, 3).tensor(device);
    let (found, mask) = kernel.forward(input, true);
    assert_near(&what, tolerance, &values(found), &case.averages(features));
    let expected = case.gradient(parameters, &relu_backward(spread, features));
    let size = [height, width];
    let gradient = gradient_out.tensor(device);
    let found = kernel.input_gradient(gradient, &mask, size, true);
    assert_near(
        &format!("gradient {what}"),
        tolerance,
        &values(found),
        &expected,
    );
}

#[test]
fn sizes_from_one_pixel_up_with_every_padding() {
    let Some(device) = device() else { return };
    for mode in Padding::ALL {
        let smallest = mode.smallest_axis(1);
        for height in smallest..10 {
            for width in [smallest, 3.max(smallest), 4, 5, 6] {
                check(
                    &Case::with_relu((6, 10), mode, (height, width)),
                    1 << 20,
                    &device,
                );
            }
        }
    }
}

#[test]
fn images_of_one_to_four_channels_with_every_padding() {
    let Some(device) = device() else { return };
    for mode in Padding::ALL {
        let smallest = mode.smallest_axis(1);
        for channels in 1..5 {
            for size in [(smallest, 3.max(smallest)), (5, 9), (4, 13)] {
                check(
                    &Case::with_relu((channels, 8), mode, size),
                    1 << 20,
                    &device,
                );
            }
        }
    }
}

#[test]
fn channels_up_to_those_of_the_network() {
    let Some(device) = device() else { return };
    for channels in [(3, 64), (16, 16), (34, 30), (64, 128)] {
        check(
            &Case::with_relu(channels, Padding::Reflect, (8, 6)),
            1 << 24,
            &device,
        );
    }
}

#[test]
fn maps_in_half_precision() {
    let Some(device) = device() else { return };
    if !crate::engine::has_half(&device) {
        eprintln!("skipped: no half precision");
        return;
    }
    for mode in Padding::ALL {
        for channels in [(3, 16), (16, 16), (34, 30)] {
            for size in [(8, 6), (9, 12)] {
                let case = Case::with_relu(channels, mode, size);
                check_in(Precision::Half, &case, 1 << 24, &device);
            }
        }
    }
}

#[test]
fn maps_in_blocks_of_rows() {
    let Some(device) = device() else { return };
    for mode in Padding::ALL {
        for size in [(41, 8), (40, 12), (24, 9)] {
            check(&Case::with_relu((6, 4), mode, size), 1 << 13, &device);
        }
    }
}

#[test]
fn non_finite_values_propagate() {
    let Some(device) = device() else { return };
    for value in [f32::NAN, f32::INFINITY] {
        for channels in [(3, 16), (16, 16)] {
            let case = Case::with_relu(channels, Padding::Zero, (9, 10));
            let parameters = case.parameters();
            let mut input = Map::noise(case.size, channels.0, 7);
            input.values[(4 * 10 + 5) * channels.0 + 1] = value;
            let sums = case.forward(&parameters, &input.values);
            let lazy = case.lazy_parameters();
            let kernel = KernelConvolution::new(case.shape, &lazy, Precision::Single).unwrap();
            let (found, _) = kernel.forward(input.tensor(&device), false);
            let mut seen = 0;
            for (sum, found) in sums.iter().zip(values(found)) {
                if sum.is_nan() || *sum == f64::INFINITY {
                    assert!(!found.is_finite(), "{value} became {found}");
                    seen += 1;
                }
            }
            assert!(seen > 0);
        }
    }
}
