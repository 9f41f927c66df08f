//! What the benches share.

#![allow(dead_code)] // each bench uses its part

use burn::tensor::{Device, Tensor, TensorData};
use ranvgg::device::{self, DeviceClass};

/// The devices named in `RANVGG_BENCH_DEVICES`, else all that are not software GPUs.
pub(crate) fn devices() -> Vec<(String, Device)> {
    let names: Vec<String> = match std::env::var("RANVGG_BENCH_DEVICES") {
        Ok(names) => names.split(',').map(str::to_owned).collect(),
        Err(_) => device::list()
            .into_iter()
            .filter(|info| info.class != DeviceClass::SoftwareGpu)
            .map(|info| info.name)
            .collect(),
    };
    names
        .into_iter()
        .map(|name| {
            let device = device::by_name(&name).unwrap_or_else(|error| panic!("{error}"));
            (name, device)
        })
        .collect()
}

/// A picture that is neither flat nor periodic.
pub(crate) fn picture(size: usize, phase: f32, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..3 * size * size)
        .map(|i| 0.5 + 0.5 * (i as f32 * 0.129_898 + phase).sin())
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 3, size, size]), device)
}

/// Reads a number, and so waits for everything before it.
pub(crate) fn wait(value: Tensor<1>) {
    value.try_into_data().expect("a read");
}
