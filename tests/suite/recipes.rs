//! Recipes: a random network as JSON, out and in.

use crate::common::{flex, layer};
use ranvgg::error::{FileUse, OutputReason};
use ranvgg::network::Preprocessing;
use ranvgg::{Error, IfExists, Padding, Pooling, RandomVgg};

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
