//! Weight files that PyTorch wrote, and the features that torchvision's models compute from them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{assert_close, flex, picture, values};
use burn::tensor::Tensor;
use ranvgg::error::{FileUse, ImageReason, TensorReason};
use ranvgg::network::Preprocessing;
use ranvgg::{Architecture, Error, Layer, Padding, Precision, RandomVgg, Vgg, WeightFile};
use safetensors::SafeTensors;

/// Relative to torchvision's models in f64.
const FEATURES: f64 = 1e-4;
const SAMPLES: usize = 512;

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The samples of PyTorch's features whose names begin with `network`, by layer.
fn golden(network: &str) -> Vec<(String, Vec<f32>)> {
    let bytes = fs::read(golden_folder().join("checkpoints.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut found = Vec::new();
    for (name, view) in file.tensors() {
        if let Some(layer) = name.strip_prefix(&format!("{network}.")) {
            let (words, _) = view.data().as_chunks::<4>();
            let samples = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
            found.push((layer.to_owned(), samples));
        }
    }
    assert!(!found.is_empty(), "no features of {network}");
    found
}

fn compare(vgg: &Vgg, image: Tensor<4>, network: &str) {
    for (name, expected) in golden(network) {
        let layer = vgg.layer(&name).unwrap();
        let mut features = vgg.features(image.clone(), &[layer]).unwrap();
        let all = values(features.take(layer).unwrap());
        let step = (all.len() / SAMPLES).max(1);
        let found: Vec<f32> = all.iter().copied().step_by(step).collect();
        assert_close(&format!("{network} {name}"), &found, &expected, FEATURES);
    }
}

/// The files lie beside their script; whole ones in the folder that RANVGG_CHECKPOINTS names, if any.
fn files(name: &str) -> Vec<PathBuf> {
    let whole = std::env::var_os("RANVGG_CHECKPOINTS").map(PathBuf::from);
    let folders = [Some(golden_folder()), whole];
    folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join(name))
        .collect()
}

#[test]
fn torchvision_networks_compute_what_pytorch_computes() {
    let networks = [
        ("vgg16", Architecture::Vgg16),
        ("vgg19", Architecture::Vgg19),
        ("alexnet", Architecture::AlexNet),
    ];
    for (name, architecture) in networks {
        for path in files(&format!("{name}.pth")) {
            let vgg = WeightFile::torchvision(architecture)
                .load(path, &flex())
                .unwrap();
            compare(&vgg, picture(224, 224, 0.0, vgg.device()), name);
            assert!(vgg.recipe().is_none());
        }
    }
}

#[test]
fn other_names_orders_and_precisions_are_read() {
    let path = golden_folder().join("caffe.pth");
    let vgg = WeightFile::caffe(Architecture::Vgg19)
        .load(path, &flex())
        .unwrap();
    assert!(vgg.preprocessing().reversed);
    compare(&vgg, picture(40, 30, 1.0, vgg.device()), "caffe");
    // The gradient finds its way back to red, green and blue.
    let layer = vgg.layer("conv1_1").unwrap();
    let image = picture(9, 9, 0.0, vgg.device());
    let (features, trace) = vgg.forward(image.clone(), &[layer]).unwrap();
    let map = features.get(layer).unwrap().clone();
    let gradient = values(vgg.backward(features, &trace).unwrap());
    // Of f = |map|^2 / 2, whose step along the gradient is known to first order.
    let step = 1e-6 / gradient.iter().map(|value| value.abs()).fold(0.0, f32::max);
    let moved =
        image + Tensor::<1>::from_floats(&gradient[..], vgg.device()).reshape([1, 3, 9, 9]) * step;
    let energy = |map: Tensor<4>| -> f64 {
        values(map)
            .iter()
            .map(|value| f64::from(*value).powi(2) / 2.0)
            .sum()
    };
    let after = vgg.features(moved, &[layer]).unwrap().take(layer).unwrap();
    let found = energy(after) - energy(map);
    let slope: f64 = gradient.iter().map(|value| f64::from(*value).powi(2)).sum();
    let expected = slope * f64::from(step);
    assert!(
        (found / expected - 1.0).abs() < 0.02,
        "{found} instead of {expected}"
    );
}

#[test]
fn files_are_read_as_deep_as_asked() {
    let conv3_1: Layer = "conv3_1".parse().unwrap();
    let file = WeightFile::torchvision(Architecture::Vgg16).up_to(conv3_1);
    let vgg = file
        .load(golden_folder().join("vgg16.pth"), &flex())
        .unwrap();
    let image = picture(32, 32, 0.0, vgg.device());
    assert!(vgg.features(image.clone(), &[conv3_1]).is_ok());
    let deeper = vgg.features(image, &["conv3_2".parse().unwrap()]);
    assert!(
        matches!(deeper, Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == "features.12")
    );
    let unknown = WeightFile::torchvision(Architecture::AlexNet).up_to(conv3_1);
    let unknown = unknown.load(golden_folder().join("alexnet.pth"), &flex());
    assert!(matches!(unknown, Err(Error::UnknownLayer { .. })));
}

#[test]
fn files_of_another_network_are_refused_by_name() {
    let load = |architecture, name: &str| {
        let file = WeightFile::torchvision(architecture);
        file.load(golden_folder().join(name), &flex())
            .map(|_| ())
            .unwrap_err()
    };
    // The first layer of AlexNet has 11x11 pixels.
    let error = load(Architecture::Vgg19, "alexnet.pth");
    assert!(
        matches!(&error, Error::Shape { what, .. } if what.contains("features.0.weight")),
        "{error}"
    );
    // VGG-16 has a pooling where VGG-19 has the last convolution of the third block.
    let error = load(Architecture::Vgg19, "vgg16.pth");
    assert!(
        matches!(&error, Error::Tensor { name, reason: TensorReason::Missing } if name == "features.16.weight"),
        "{error}"
    );
    let error = load(Architecture::Vgg19, "metrics.json");
    assert!(
        matches!(
            error,
            Error::File {
                wanted: FileUse::Weights,
                ..
            }
        ),
        "{error}"
    );
    let error = load(Architecture::Vgg19, "none.pth");
    assert!(
        matches!(
            error,
            Error::File {
                wanted: FileUse::Read,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn broken_pytorch_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(golden_folder().join("caffe.pth")).unwrap();
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 10] {
        let path = folder.path().join("broken.pth");
        fs::write(&path, &whole[..length]).unwrap();
        let error = WeightFile::caffe(Architecture::Vgg19).load(&path, &flex());
        assert!(
            matches!(
                error,
                Err(Error::File {
                    wanted: FileUse::Weights | FileUse::Tensor(_),
                    ..
                })
            ),
            "{length} bytes: {error:?}"
        );
    }
}

/// The mean of every channel over all positions of both pictures.
fn channel_means(vgg: &Vgg, images: &[Tensor<4>], name: &str) -> Vec<f64> {
    let layer = vgg.layer(name).unwrap();
    let mut sums = Vec::new();
    let mut positions = 0;
    for image in images {
        let map = vgg
            .features(image.clone(), &[layer])
            .unwrap()
            .take(layer)
            .unwrap();
        let [_, channels, height, width] = map.dims();
        sums.resize(channels, 0.0);
        for (number, value) in values(map).into_iter().enumerate() {
            sums[number / (height * width)] += f64::from(value);
        }
        positions += height * width;
    }
    sums.into_iter().map(|sum| sum / positions as f64).collect()
}

#[test]
fn rescaled_features_are_one_on_average_and_layers_above_do_not_change() {
    let networks = [
        RandomVgg::vgg16(),
        RandomVgg::alexnet().with_padding(Padding::Zero),
    ];
    let names = [
        (["conv1_1", "conv1_2", "conv2_2"], "conv2_2", "conv3_2"),
        (["conv1", "conv2", "conv3"], "conv3", "conv5"),
    ];
    for (network, (within, deepest, above)) in networks.into_iter().zip(names) {
        let vgg = network
            .with_seed(3)
            .with_bias_sigma(0.1)
            .init(&flex())
            .unwrap();
        let images = [
            picture(64, 80, 0.0, vgg.device()),
            picture(72, 48, 2.0, vgg.device()),
        ];
        let rescaled = vgg.rescaled(&images, vgg.layer(deepest).unwrap()).unwrap();
        assert!(rescaled.recipe().is_none());
        for name in within {
            let before = channel_means(&vgg, &images, name);
            assert!(before.iter().any(|mean| (mean - 1.0).abs() > 0.1), "{name}");
            let after = channel_means(&rescaled, &images, name);
            let typical = before.iter().sum::<f64>() / before.len() as f64;
            for (channel, (before, after)) in before.iter().zip(after).enumerate() {
                // What a channel that is hardly ever excited shows is mostly rounding.
                if *before > 0.0 && *before < 0.01 * typical {
                    continue;
                }
                let expected = if *before > 0.0 { 1.0 } else { 0.0 };
                assert!(
                    (after - expected).abs() < 1e-4,
                    "{name}, channel {channel}: {after}"
                );
            }
        }
        let layer = vgg.layer(above).unwrap();
        let of = |vgg: &Vgg| {
            let mut features = vgg.features(images[0].clone(), &[layer]).unwrap();
            values(features.take(layer).unwrap())
        };
        assert_close(above, &of(&rescaled), &of(&vgg), 1e-5);
    }
}

#[test]
fn a_rescaled_network_computes_in_the_precision_of_the_one_it_came_from() {
    let vgg = RandomVgg::vgg16().init(&flex()).unwrap();
    let images = [picture(24, 20, 0.0, vgg.device())];
    let layer = vgg.layer("conv2_2").unwrap();
    let plain = vgg.with_precision(Precision::Plain).unwrap();
    let features = |vgg: &Vgg| vgg.features(images[0].clone(), &[layer]).unwrap();
    let of = |vgg: &Vgg| values(features(vgg).take(layer).unwrap());
    let rescaled = plain.rescaled(&images, layer).unwrap();
    assert_eq!(rescaled.precision(), Precision::Plain);
    let found = of(&rescaled);
    assert_eq!(
        found,
        of(&rescaled.with_precision(Precision::Plain).unwrap())
    );
    assert_ne!(
        found,
        of(&rescaled.with_precision(Precision::Single).unwrap())
    );
}

#[test]
fn impossible_rescalings_are_refused() {
    let vgg = RandomVgg::vgg16().init(&flex()).unwrap();
    let none = vgg.rescaled(&[], vgg.layer("conv1_1").unwrap());
    assert!(matches!(none, Err(Error::InvalidOption { .. })));
    let image = picture(224, 224, 0.0, vgg.device());
    let linear = vgg.rescaled(&[image], vgg.layer("fc8").unwrap());
    assert!(matches!(linear, Err(Error::InvalidOption { .. })));
    let small = vgg.rescaled(
        &[picture(8, 8, 0.0, vgg.device())],
        vgg.layer("conv5_1").unwrap(),
    );
    assert!(matches!(
        small,
        Err(Error::ImageSize {
            reason: ImageReason::TooSmall { .. },
            ..
        })
    ));
}

#[test]
fn preprocessing_is_that_of_the_weights() {
    let torchvision = Preprocessing::torchvision();
    assert_eq!(torchvision.channels(), 3);
    assert!(!torchvision.reversed);
    let caffe = Preprocessing::caffe();
    // Caffe's mean, blue first: 103.939, 116.779, 123.68.
    assert!((caffe.mean[0] * 255.0 - 123.68).abs() < 1e-4);
    assert!((caffe.mean[2] * 255.0 - 103.939).abs() < 1e-4);
    let recipe = RandomVgg::vgg19().with_preprocessing(caffe);
    assert_eq!(RandomVgg::from_recipe(&recipe.to_recipe()).unwrap(), recipe);
}
