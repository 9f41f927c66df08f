//! Random networks, recipes, weight files.

use crate::common::{all_devices, assert_close, flex, picture, values};
use burn::tensor::{Device, Tensor};
use ranvgg::error::{FileUse, ImageReason, OutputReason, TensorReason};
use ranvgg::network::Preprocessing;
use ranvgg::{
    Architecture, Error, IfExists, Layer, Padding, Pooling, RandomVgg, RunOptions, Scales,
    Statistics, TextureOptions, Vgg, WeightFile, synthesize_texture,
};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

fn layer(name: &str) -> Layer {
    Architecture::Vgg19.layer(name).unwrap()
}

fn features(vgg: &Vgg, name: &str) -> Vec<f32> {
    let image = picture(16, 16, 0.0, vgg.device());
    values(
        vgg.features(image, &[layer(name)])
            .unwrap()
            .get(layer(name))
            .unwrap()
            .clone(),
    )
}

#[test]
fn a_seed_is_a_network_on_every_device() {
    let weights = |device: &Device| {
        let vgg = RandomVgg::vgg19()
            .with_seed(11)
            .with_bias_sigma(0.2)
            .init(device)
            .unwrap();
        vgg.to_safetensors(layer("conv2_2")).unwrap()
    };
    let reference = weights(&flex());
    for (name, device) in all_devices() {
        assert!(weights(&device) == reference, "{name}");
    }
    let other = RandomVgg::vgg19().with_seed(12).init(&flex()).unwrap();
    assert!(other.to_safetensors(layer("conv2_2")).unwrap() != reference);
}

/// Drawn once with the generator of `tests/golden/generator.py` and the ziggurat method; a change
/// of a dependency that changes networks shows here.
#[test]
fn weights_do_not_change_between_releases() {
    let vgg = RandomVgg::vgg19().with_seed(42).init(&flex()).unwrap();
    let bytes = vgg.to_safetensors(layer("conv3_1")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    // FNV-1a of the raw bytes of each weight.
    let hash = |name: &str| {
        let start = 0xcbf2_9ce4_8422_2325u64;
        file.tensor(name)
            .unwrap()
            .data()
            .iter()
            .fold(start, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            })
    };
    let hashes = [
        "features.0.weight",
        "features.2.weight",
        "features.10.weight",
    ]
    .map(hash);
    assert_eq!(hashes, PINNED, "{hashes:#x?}");
}

const PINNED: [u64; 3] = [
    0xee3c_004f_e360_f94b,
    0x4789_c8c3_8636_fc3b,
    0x624d_777a_0b19_31be,
];

#[test]
fn a_recipe_gives_the_same_network_back() {
    let network = RandomVgg::vgg16()
        .with_seed(u64::MAX)
        .with_layer_seed(layer("conv2_1"), 5)
        .with_sigma(0.1 + 0.2)
        .with_bias_sigma(1.0 / 3.0)
        .with_padding(Padding::Circular)
        .with_pooling(Pooling::Max)
        .with_preprocessing(Preprocessing::torchvision());
    let recipe = network.to_recipe();
    assert!(recipe.len() < 2048, "{} bytes", recipe.len());
    let again = RandomVgg::from_recipe(&recipe).unwrap();
    assert_eq!(again, network);
    let weights = |network: &RandomVgg| {
        network
            .init(&flex())
            .unwrap()
            .to_safetensors(layer("conv2_2"))
            .unwrap()
    };
    assert!(weights(&network) == weights(&again));
    assert_eq!(network.init(&flex()).unwrap().recipe(), Some(&network));
    let plain = network.with_layer_seed(layer("conv2_1"), u64::MAX);
    assert!(
        weights(&plain) != weights(&again),
        "a layer's own seed counts"
    );
}

#[test]
fn a_recipe_survives_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.json");
    let network = RandomVgg::vgg19().with_seed(7).with_channels(5);
    network.save_recipe(&path, IfExists::Refuse).unwrap();
    assert_eq!(RandomVgg::load_recipe(&path).unwrap(), network);
    let other = RandomVgg::vgg16();
    let refused = other.save_recipe(&path, IfExists::Refuse);
    assert!(matches!(
        refused,
        Err(Error::Output {
            reason: OutputReason::Exists,
            ..
        })
    ));
    assert_eq!(RandomVgg::load_recipe(&path).unwrap(), network);
    other.save_recipe(&path, IfExists::Replace).unwrap();
    assert_eq!(RandomVgg::load_recipe(&path).unwrap(), other);
    let missing = RandomVgg::load_recipe(folder.path().join("none.json"));
    assert!(matches!(
        missing,
        Err(Error::File {
            wanted: FileUse::Read,
            ..
        })
    ));
    let nowhere = network.save_recipe(folder.path().join("none/network.json"), IfExists::Refuse);
    assert!(matches!(
        nowhere,
        Err(Error::Output {
            reason: OutputReason::NoFolder(_),
            ..
        })
    ));
}

#[test]
fn broken_recipes_are_refused() {
    let good = RandomVgg::vgg19().to_recipe();
    let broken = [
        "".to_owned(),
        "{}".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replace("vgg19", "vgg20"),
        good.replace("\"seed\"", "\"sead\""),
        good.replace("reflect", "mirror"),
        good.replace("\"sigma\"", "\"layer_seeds\": {\"conv9_1\": 3}, \"sigma\""),
    ];
    for recipe in broken {
        assert!(
            matches!(
                RandomVgg::from_recipe(&recipe),
                Err(Error::File {
                    wanted: FileUse::Recipe,
                    ..
                })
            ),
            "{recipe}"
        );
    }
    for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = RandomVgg::vgg19().with_sigma(sigma).init(&flex());
        assert!(
            matches!(refused, Err(Error::InvalidOption { .. })),
            "{sigma}"
        );
    }
    let seeded = RandomVgg::vgg16()
        .with_layer_seed(layer("conv3_4"), 1)
        .init(&flex());
    assert!(matches!(seeded, Err(Error::UnknownLayer { .. })));
    let seeded = RandomVgg::vgg16()
        .with_layer_seed(layer("pool1"), 1)
        .init(&flex());
    assert!(matches!(seeded, Err(Error::InvalidOption { .. })));
}

#[test]
fn sigma_changes_the_gain_and_nothing_else() {
    let run = |sigma: f64| {
        let vgg = RandomVgg::vgg19().with_sigma(sigma).init(&flex()).unwrap();
        let options = TextureOptions::default()
            .with_statistics(Statistics::Whitened)
            .with_run(
                RunOptions::default()
                    .with_evaluations(16)
                    .with_scales(Scales::Single),
            );
        let exemplar = picture(48, 48, 0.0, &flex());
        let outcome = synthesize_texture(&vgg, exemplar, &options, &mut ()).unwrap();
        let losses: Vec<f64> = outcome
            .records()
            .iter()
            .map(|record| record.loss())
            .collect();
        (outcome.picture().as_raw().clone(), losses)
    };
    let expected = run(RandomVgg::PUBLISHED_SIGMA);
    assert!(
        expected.1.last().unwrap() < &(0.2 * expected.1[0]),
        "{:?}",
        expected.1
    );
    for sigma in [1e-4, 1.0, 10.0] {
        assert_eq!(run(sigma), expected, "sigma {sigma}");
    }
    // 0.015 / sqrt(2 / 27) at conv1_1, times 0.015 / sqrt(2 / 576) at conv1_2.
    let gain = |name| RandomVgg::vgg19().gain(layer(name)).unwrap();
    assert!((gain("conv1_1") - 0.055_114).abs() < 1e-6);
    assert!((gain("conv1_2") - 0.055_114 * 0.254_558).abs() < 1e-6);
    assert!((gain("conv5_1").log10() - 8e-6f64.log10()).abs() < 0.1);
}

/// A literal network of the published sigma, from a file, has features `gain` times ours.
#[test]
fn the_gain_is_that_of_literal_weights() {
    let random = RandomVgg::vgg19().with_seed(4);
    let vgg = random.init(&flex()).unwrap();
    let bytes = vgg.to_safetensors(layer("conv2_1")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut scaled = Vec::new();
    for (name, view) in file.tensors() {
        let shape = view.shape().to_vec();
        let fan_in: usize = shape.iter().skip(1).product();
        let factor = (0.015 / (2.0 / fan_in as f64).sqrt()) as f32;
        let (words, _) = view.data().as_chunks::<4>();
        let data: Vec<u8> = words
            .iter()
            .flat_map(|w| (f32::from_le_bytes(*w) * factor).to_le_bytes())
            .collect();
        scaled.push((name, shape, data));
    }
    let views = scaled.iter().map(|(name, shape, data)| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), data).unwrap(),
        )
    });
    let literal = safetensors::serialize(views, None).unwrap();
    let literal = WeightFile::new(Architecture::Vgg19)
        .read(&literal, &flex())
        .unwrap();
    let gain = random.gain(layer("conv2_1")).unwrap() as f32;
    let ours: Vec<f32> = features(&vgg, "conv2_1")
        .iter()
        .map(|value| value * gain)
        .collect();
    assert_close("conv2_1", &features(&literal, "conv2_1"), &ours, 1e-5);
}

#[test]
fn layers_are_drawn_when_first_used() {
    let vgg = RandomVgg::vgg19().init(&flex()).unwrap();
    assert_eq!(vgg.parameters_in_memory(), 0);
    features(&vgg, "conv1_1");
    assert_eq!(vgg.parameters_in_memory(), 64 * 27 + 64);
    features(&vgg, "conv1_2");
    assert_eq!(vgg.parameters_in_memory(), 64 * 27 + 64 + 64 * 576 + 64);
}

#[test]
fn weights_survive_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let vgg = RandomVgg::vgg19()
        .with_seed(8)
        .with_bias_sigma(0.3)
        .init(&flex())
        .unwrap();
    vgg.save_safetensors(layer("conv3_1"), &path, IfExists::Refuse)
        .unwrap();
    assert!(matches!(
        vgg.save_safetensors(layer("conv3_1"), &path, IfExists::Refuse),
        Err(Error::Output {
            reason: OutputReason::Exists,
            ..
        })
    ));
    let loaded = WeightFile::new(Architecture::Vgg19)
        .load(&path, &flex())
        .unwrap();
    assert_eq!(features(&loaded, "conv3_1"), features(&vgg, "conv3_1"));
    assert!(loaded.recipe().is_none());
    // The file ends there.
    let deeper = loaded.features(picture(16, 16, 0.0, &flex()), &[layer("conv3_2")]);
    assert!(
        matches!(deeper, Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == "features.12")
    );
}

#[test]
fn broken_weights_are_refused_by_name() {
    let device = flex();
    let read = |tensors: &[(&str, Vec<usize>, Dtype, f32)]| {
        let data: Vec<_> = tensors
            .iter()
            .map(|(name, shape, dtype, value)| {
                let count: usize = shape.iter().product();
                let bytes = match dtype {
                    Dtype::F32 => value.to_le_bytes().repeat(count),
                    _ => vec![0; 2 * count],
                };
                (*name, shape.clone(), *dtype, bytes)
            })
            .collect();
        let views = data.iter().map(|(name, shape, dtype, bytes)| {
            (
                *name,
                TensorView::new(*dtype, shape.clone(), bytes).unwrap(),
            )
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        WeightFile::new(Architecture::Vgg19)
            .read(&bytes, &device)
            .map(|_| ())
    };
    let (weight, bias) = ("features.0.weight", "features.0.bias");
    let shape = vec![64, 3, 3, 3];
    let good = |name, shape: &[usize]| (name, shape.to_vec(), Dtype::F32, 0.5);
    assert!(read(&[good(weight, &shape), good(bias, &[64])]).is_ok());
    assert!(matches!(
        read(&[good(weight, &shape)]),
        Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == bias
    ));
    assert!(matches!(
        read(&[good("other", &shape)]),
        Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == weight
    ));
    assert!(matches!(
        read(&[good(weight, &[64, 3, 3, 2]), good(bias, &[64])]),
        Err(Error::Shape { what, .. }) if what.contains(weight)
    ));
    let nan = (weight, shape.clone(), Dtype::F32, f32::NAN);
    assert!(matches!(
        read(&[nan, good(bias, &[64])]),
        Err(Error::NotFinite { what, .. }) if what.contains(weight)
    ));
    let half = (weight, shape.clone(), Dtype::I16, 0.0);
    assert!(matches!(
        read(&[half, good(bias, &[64])]),
        Err(Error::Tensor { name, reason: TensorReason::Type(_) }) if name == weight
    ));
    // A gap: conv1_2 is absent, conv2_1 is there.
    let gap = read(&[
        good(weight, &shape),
        good(bias, &[64]),
        good("features.5.weight", &[128, 64, 3, 3]),
        good("features.5.bias", &[128]),
    ]);
    assert!(
        matches!(gap, Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == "features.2.weight")
    );
    let junk = WeightFile::default().read(b"not safetensors", &device);
    assert!(matches!(
        junk,
        Err(Error::File {
            wanted: FileUse::Weights,
            ..
        })
    ));
    let absent = WeightFile::default().load("no/such/file", &device);
    assert!(matches!(
        absent,
        Err(Error::File {
            wanted: FileUse::Read,
            ..
        })
    ));
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let vgg = RandomVgg::vgg19()
        .with_padding(Padding::Zero)
        .init(&flex())
        .unwrap();
    let refused = |shape: [usize; 4], name: &str| {
        let image = Tensor::zeros(shape, &flex());
        vgg.features(image, &[layer(name)]).map(|_| ()).unwrap_err()
    };
    assert!(matches!(
        refused([1, 1, 8, 8], "conv1_1"),
        Error::Shape { .. }
    ));
    assert!(matches!(
        refused([2, 3, 8, 8], "conv1_1"),
        Error::Shape { .. }
    ));
    assert!(matches!(
        refused([1, 3, 15, 400], "conv5_1"),
        Error::ImageSize {
            reason: ImageReason::TooSmall { minimum: 16 },
            ..
        }
    ));
    assert!(matches!(
        refused([1, 3, 225, 224], "fc6"),
        Error::ImageSize {
            reason: ImageReason::Fixed { side: 224 },
            ..
        }
    ));
    let none = vgg.features(Tensor::zeros([1, 3, 8, 8], &flex()), &[]);
    assert!(matches!(none, Err(Error::InvalidOption { .. })));
    let vgg16 = RandomVgg::vgg16().init(&flex()).unwrap();
    let deep = vgg16.features(picture(64, 64, 0.0, &flex()), &[layer("conv3_4")]);
    assert!(matches!(deep, Err(Error::UnknownLayer { .. })));
}

#[test]
fn the_smallest_image_of_every_layer_is_computed() {
    for padding in Padding::ALL {
        let vgg = RandomVgg::vgg16()
            .with_padding(padding)
            .init(&flex())
            .unwrap();
        for layer in Architecture::Vgg16.layers() {
            if matches!(layer, Layer::FullyConnected { .. }) || layer > self::layer("conv3_3") {
                continue;
            }
            let side = Architecture::Vgg16
                .extent(layer, padding)
                .unwrap()
                .smallest_image;
            let features = vgg.features(picture(side, side, 0.0, &flex()), &[layer]);
            assert!(
                features.is_ok(),
                "{layer} from {side} pixels with {padding:?}"
            );
            let smaller = vgg.check_image("it", side - 1, side, layer);
            assert!(
                smaller.is_err() || side == 1,
                "{layer} from {} pixels",
                side - 1
            );
        }
    }
}

#[test]
fn biases_for_inversion_begin_at_a_stride_of_eight() {
    for (name, sigma) in [
        ("conv1_1", 0.0),
        ("conv3_4", 0.0),
        ("pool3", 1.0),
        ("conv4_1", 1.0),
        ("conv5_4", 1.0),
    ] {
        let random = RandomVgg::vgg19().with_biases_for(name.parse().unwrap());
        assert_eq!(random.unwrap().bias_sigma(), sigma, "{name}");
    }
    let missing = RandomVgg::vgg16().with_biases_for("conv5_4".parse().unwrap());
    assert!(matches!(missing, Err(Error::UnknownLayer { .. })));
}
