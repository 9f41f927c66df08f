//! Random networks: their weights, their sizes, what they refuse.

use crate::common::{all_devices, assert_close, flex, layer, picture, values};
use burn::tensor::{Device, Tensor};
use ranvgg::error::ImageReason;
use ranvgg::{
    Architecture, Error, Layer, Padding, RandomVgg, RunOptions, Scales, Statistics, TextureOptions,
    Vgg, WeightFile, synthesize_texture,
};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

pub(crate) fn features(vgg: &Vgg, name: &str) -> Vec<f32> {
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
                .geometry(layer, padding)
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
