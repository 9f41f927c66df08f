//! What the tests share: the devices at hand, pictures by formula, distances.

#![allow(dead_code)] // each test program uses its part

use burn::tensor::{Device, Tensor, TensorData};
use image::DynamicImage;
use ranvgg::device::{self, DeviceClass};
use ranvgg::imaging::{self, Limits};
use ranvgg::{Layer, RandomVgg, Vgg};

/// Set to anything, it makes tests fail where no GPU adapter, real or software, answers.
pub(crate) const REQUIRE_GPU: &str = "RANVGG_REQUIRE_GPU";

/// CPU backends that were compiled in.
pub(crate) fn cpu_devices() -> Vec<(String, Device)> {
    device::list()
        .into_iter()
        .filter(|info| info.class == DeviceClass::Cpu)
        .map(|info| (info.name.clone(), device::by_name(&info.name).unwrap()))
        .collect()
}

/// The first GPU that wgpu offers, software ones included. Without one the caller skips its test,
/// unless the environment requires one.
pub(crate) fn gpu_device() -> Option<(String, Device)> {
    match device::by_name("wgpu") {
        Ok(device) => Some(("wgpu".into(), device)),
        Err(error) => {
            let required = std::env::var_os(REQUIRE_GPU).is_some();
            assert!(!required, "{REQUIRE_GPU} is set: {error}");
            eprintln!("skipped on wgpu: {error}");
            None
        }
    }
}

pub(crate) fn all_devices() -> Vec<(String, Device)> {
    cpu_devices().into_iter().chain(gpu_device()).collect()
}

/// The reference device.
pub(crate) fn flex() -> Device {
    device::by_name("flex").unwrap()
}

/// A square of a picture that ships with the crate.
pub(crate) fn bundled(name: &str, side: u32) -> DynamicImage {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/images")
        .join(name);
    let image = imaging::open(path, Limits::default()).unwrap();
    image.resize_exact(side, side, image::imageops::FilterType::Lanczos3)
}

/// The picture of `tests/golden/parity.py`: `[1, 3, height, width]` in 0..=1.
pub(crate) fn picture(height: usize, width: usize, phase: f64, device: &Device) -> Tensor<4> {
    let mut values = Vec::with_capacity(3 * height * width);
    for channel in 0..3 {
        for y in 0..height {
            for x in 0..width {
                let i = (channel * height + y) * width + x;
                let smooth = 0.31 * x as f64 + 0.17 * y as f64 + channel as f64 + phase;
                let rough = i as f64 * 12.9898 + phase;
                values.push((0.5 + 0.3 * smooth.sin() + 0.2 * rough.sin()) as f32);
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device)
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.inner().try_into_vec_as().unwrap()
}

/// `|a - b| / |b|` in the Euclidean norm.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut b.iter().map(|b| f64::from(*b)))
}

#[track_caller]
pub(crate) fn assert_close(what: &str, a: &[f32], b: &[f32], tolerance: f64) {
    let distance = distance(a, b);
    assert!(
        distance <= tolerance,
        "{what}: relative distance {distance:.2e} > {tolerance:.0e}"
    );
}

/// VGG-19 of seed 0 on the reference device.
pub(crate) fn network() -> Vgg {
    RandomVgg::vgg19().init(&flex()).unwrap()
}

pub(crate) fn layer(name: &str) -> Layer {
    name.parse().unwrap()
}

/// A picture of one colour.
pub(crate) fn plain(colour: [u8; 3], side: u32) -> DynamicImage {
    image::RgbImage::from_pixel(side, side, image::Rgb(colour)).into()
}

/// A mask, white on the left half.
pub(crate) fn left_half(width: u32, height: u32) -> DynamicImage {
    let mask = image::GrayImage::from_fn(width, height, |x, _| {
        image::Luma([if x < width / 2 { 255 } else { 0 }])
    });
    mask.into()
}
