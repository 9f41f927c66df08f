//! The same numbers as PyTorch, from a network's seed against its exported weights.

use std::collections::BTreeMap;

use crate::common::{assert_close, cpu_devices, gpu_device, layer, picture, values};
use burn::tensor::Device;
use ranvgg::device::{self, DeviceClass, DeviceInfo};
use ranvgg::loss::{Content, Loss, TotalVariation};
use ranvgg::objective::Objective;
use ranvgg::{Gram, Padding, Pooling, RandomVgg, Vgg};
use safetensors::SafeTensors;

const STYLE: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];
const SAMPLES: usize = 512;
/// Relative to PyTorch in f64: sixteen layers of f32 products, Winograd's transforms included.
const FEATURES: f64 = 1e-4;
const GRADIENTS: f64 = 1e-3;
/// Rounding decides which of two nearly equal values is a window's maximum, and where the gradient goes. Pictures are
/// chosen so that CPUs find no such values; an H200 found one, and was 5.8e-3 apart.
const GRADIENTS_OF_MAXIMA: f64 = 1e-2;

fn golden() -> BTreeMap<String, Vec<f32>> {
    let bytes = include_bytes!("../golden/parity.safetensors");
    let file = SafeTensors::deserialize(bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let (words, _) = view.data().as_chunks::<4>();
            (
                name,
                words.iter().map(|word| f32::from_le_bytes(*word)).collect(),
            )
        })
        .collect()
}

fn network(padding: Padding, pooling: Pooling, device: &Device) -> Vgg {
    RandomVgg::vgg19()
        .with_seed(1)
        .with_bias_sigma(0.1)
        .with_padding(padding)
        .with_pooling(pooling)
        .init(device)
        .unwrap()
}

fn samples(all: &[f32]) -> Vec<f32> {
    all.iter()
        .copied()
        .step_by((all.len() / SAMPLES).max(1))
        .collect()
}

/// Features, losses and gradients of one case at `names`, against PyTorch's.
fn compare(
    golden: &BTreeMap<String, Vec<f32>>,
    (name, padding): (&str, Padding),
    (kind, pooling): (&str, Pooling),
    (height, width): (usize, usize),
    names: &[&str],
    (on, device): (&str, &Device),
) {
    let vgg = network(padding, pooling, device);
    let is_hardware =
        |info: DeviceInfo| !matches!(info.class, DeviceClass::Cpu | DeviceClass::SoftwareGpu);
    let gradients = match pooling {
        Pooling::Max if device::info_of(device).is_some_and(is_hardware) => GRADIENTS_OF_MAXIMA,
        _ => GRADIENTS,
    };
    let key = format!("{name}.{kind}.{height}x{width}");
    let phase = f64::from(golden[&format!("{key}.phase")][0]);
    let image = picture(height, width, phase, device);
    let exemplar = picture(height, width, 2.0, device);
    for name in names {
        let layer = layer(name);
        let tap = |image| {
            vgg.features(image, &[layer])
                .unwrap()
                .get(layer)
                .unwrap()
                .clone()
        };
        let check = |what: &str, found: &[f32], tolerance: f64| {
            let key = format!("{key}.{name}.{what}");
            assert_close(&format!("{key} on {on}"), found, &golden[&key], tolerance);
        };
        let target = tap(exemplar.clone());
        check("features", &samples(&values(tap(image.clone()))), FEATURES);
        let gram =
            Objective::new(&vgg).at_layer("style", layer, 1.0, Gram::of(target.clone()).unwrap());
        let evaluation = gram.evaluate(image.clone()).unwrap();
        check("gram_loss", &values(evaluation.values), GRADIENTS);
        check(
            "gram_gradient",
            &samples(&values(evaluation.gradient)),
            gradients,
        );
        if golden.contains_key(&format!("{key}.{name}.content_loss")) {
            let content =
                Objective::new(&vgg).at_layer("content", layer, 1.0, Content::of(target).unwrap());
            let evaluation = content.evaluate(image.clone()).unwrap();
            check("content_loss", &values(evaluation.values), GRADIENTS);
            check(
                "content_gradient",
                &samples(&values(evaluation.gradient)),
                gradients,
            );
        }
    }
}

#[test]
fn all_style_layers_at_64_pixels() {
    let golden = golden();
    for (on, device) in cpu_devices() {
        let average = ("average", Pooling::Average);
        compare(
            &golden,
            ("zero", Padding::Zero),
            average,
            (64, 64),
            &STYLE,
            (&on, &device),
        );
    }
}

/// All layers at a size that neither tiles nor halves evenly, with every padding and pooling.
fn compare_at_an_odd_size((on, device): (&str, &Device)) {
    let golden = golden();
    let average = ("average", Pooling::Average);
    let cases = [
        (("zero", Padding::Zero), average),
        (("reflect", Padding::Reflect), average),
        (("replicate", Padding::Replicate), average),
        (("circular", Padding::Circular), average),
        (("reflect", Padding::Reflect), ("max", Pooling::Max)),
    ];
    for (padding, pooling) in cases {
        compare(&golden, padding, pooling, (37, 42), &STYLE, (on, device));
    }
}

#[test]
fn every_padding_and_pooling_at_an_odd_size() {
    for (on, device) in cpu_devices() {
        compare_at_an_odd_size((&on, &device));
    }
}

#[test]
fn every_padding_and_pooling_on_a_gpu() {
    if let Some((on, device)) = gpu_device() {
        compare_at_an_odd_size((&on, &device));
    }
}

#[test]
fn total_variation_and_its_gradient() {
    let golden = golden();
    for (on, device) in crate::common::all_devices() {
        let image = picture(64, 64, 0.0, &device);
        let measured = TotalVariation
            .measure(&mut image.clone().into(), 1.0)
            .unwrap();
        let value = values(measured.value);
        assert_close(&on, &value, &golden["total_variation.loss"], 1e-5);
        let gradient = samples(&values(measured.gradient.at(image.into()).unwrap()));
        assert_close(&on, &gradient, &golden["total_variation.gradient"], 1e-5);
    }
}

#[test]
fn fully_connected_features_at_224_pixels() {
    let device = crate::common::flex();
    let vgg = network(Padding::Zero, Pooling::Average, &device);
    let fc6 = layer("fc6");
    let features = vgg
        .features(picture(224, 224, 0.0, &device), &[fc6])
        .unwrap();
    let found = values(features.get(fc6).unwrap().clone());
    assert_close("fc6", &found, &golden()["fc6.features"], FEATURES);
}
