//! Blocks of an image give what the whole image gives.

use crate::common::{bundled, flex, picture, values};
use burn::tensor::{Tensor, TensorData};
use ranvgg::loss::{Content, Covariance, Custom, Mean, Region, Wasserstein};
use ranvgg::objective::{Evaluation, Objective};
use ranvgg::{
    Architecture, Gram, Layer, Outcome, Padding, Pooling, Precision, RandomVgg, RunOptions, Scales,
    Size, Statistics, StyleOptions, TextureOptions, Vgg, synthesize_texture, transfer_style,
};

/// By plain sums: the Winograd transform rounds more, and turns more ReLUs on or off.
fn network(architecture: Architecture, padding: Padding, pooling: Pooling) -> Vgg {
    RandomVgg::new(architecture)
        .with_padding(padding)
        .with_pooling(pooling)
        .init(&flex())
        .unwrap()
        .with_precision(Precision::Plain)
        .unwrap()
}

/// A disc of an image's positions.
fn disc([height, width]: [usize; 2]) -> Region {
    let inside = |position: usize| {
        let y = (position / width) as f32 / height as f32 - 0.4;
        let x = (position % width) as f32 / width as f32 - 0.6;
        if y * y + x * x < 0.08 { 1.0 } else { 0.0 }
    };
    let mask: Vec<f32> = (0..height * width).map(inside).collect();
    let mask = Tensor::from_data(TensorData::new(mask, [height, width]), &flex());
    Region::of(mask).unwrap()
}

/// Every loss that has an evaluation by blocks, at each layer, for images of one size.
fn objective(
    vgg: &Vgg,
    [height, width]: [usize; 2],
    layers: &[Layer],
    octaves: usize,
) -> Objective {
    let exemplar = picture(height + 9, width - 4, 1.0, vgg.device());
    let content = picture(height, width, 2.0, vgg.device());
    let mut objective = Objective::new(vgg);
    for &layer in layers {
        let at = |image: &Tensor<4>| {
            let features = vgg.features(image.clone(), &[layer]).unwrap();
            features.get(layer).unwrap().clone()
        };
        let (map, own) = (at(&exemplar), at(&content));
        let covariance = Covariance::of(map.clone()).unwrap();
        for octave in 0..=octaves {
            objective = objective
                .at_octave(octave, "gram", layer, 0.7, Gram::of(map.clone()).unwrap())
                .at_octave(octave, "mean", layer, 3.0, Mean::of(map.clone()).unwrap())
                .at_octave(
                    octave,
                    "covariance",
                    layer,
                    2.0,
                    covariance.clone().partially_whitened(0.5).unwrap(),
                );
        }
        let distribution = || Wasserstein::of(map.clone(), 6).unwrap();
        let [_, _, rows, columns] = own.dims();
        let region = disc([rows, columns]);
        let inside = Content::of(region.gather(own.clone()).unwrap()).unwrap();
        objective = objective
            .at_layer("content", layer, 0.5, Content::of(own).unwrap())
            .at_layer("distribution", layer, 0.8, distribution())
            .at_layer(
                "distribution of a region",
                layer,
                0.6,
                region.restrict(distribution()),
            )
            .at_layer("content of a region", layer, 0.4, region.restrict(inside))
            .at_layer(
                "gram of a region",
                layer,
                0.3,
                region.restrict(Gram::of(map).unwrap()),
            );
    }
    objective
}

/// The largest relative difference of a value, and the relative distance of the gradients.
fn difference(a: &Evaluation, b: &Evaluation) -> (f64, f64) {
    let pairs = |a: Vec<f32>, b: Vec<f32>| a.into_iter().zip(b).collect::<Vec<(f32, f32)>>();
    let of_values = pairs(values(a.values.clone()), values(b.values.clone()))
        .into_iter()
        .map(|(a, b)| f64::from((a - b).abs() / b.abs().max(1e-12)))
        .fold(0.0, f64::max);
    let gradients = pairs(values(a.gradient.clone()), values(b.gradient.clone()));
    let norm = |values: &mut dyn Iterator<Item = f32>| -> f64 {
        values
            .map(|value| f64::from(value).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let apart = norm(&mut gradients.iter().map(|(a, b)| a - b));
    (
        of_values,
        apart / norm(&mut gradients.iter().map(|(_, b)| *b)),
    )
}

/// The largest relative distances of values and of gradients.
const MOST: (f64, f64) = (2e-5, 1e-5);

#[test]
fn blocks_equal_the_whole_for_every_loss_and_padding() {
    let vgg = |padding, pooling| network(Architecture::Vgg19, padding, pooling);
    for (padding, pooling, size) in [
        (Padding::Reflect, Pooling::Average, [117, 93]),
        (Padding::Zero, Pooling::Max, [64, 131]),
        (Padding::Replicate, Pooling::Average, [99, 61]),
        (Padding::Circular, Pooling::Average, [96, 120]),
        // The first axis is no multiple of the strides: it is not divided.
        (Padding::Circular, Pooling::Max, [97, 128]),
    ] {
        let vgg = vgg(padding, pooling);
        let layers = ["conv1_1", "conv2_2", "conv3_1"].map(|name| vgg.layer(name).unwrap());
        let objective = objective(&vgg, size, &layers, 0);
        let image = picture(size[0], size[1], 0.0, vgg.device());
        let whole = objective.evaluate(image.clone()).unwrap();
        let objective = objective.with_block_side(57);
        let (of_values, of_gradients) = difference(&objective.evaluate(image).unwrap(), &whole);
        println!("{padding} {size:?}: {of_values:.1e} {of_gradients:.1e}");
        assert!(of_values < MOST.0 && of_gradients < MOST.1);
    }
}

#[test]
fn blocks_equal_the_whole_in_deep_layers_octaves_and_other_networks() {
    for (architecture, names, size, side, octaves) in [
        (
            Architecture::Vgg16,
            ["conv1_2", "conv5_1"],
            [209, 186],
            182,
            0,
        ),
        (
            Architecture::AlexNet,
            ["conv1", "conv2"],
            [150, 141],
            110,
            0,
        ),
        // What is left over after blocks of 16 and of 20 pixels has no positions of its own.
        (Architecture::Vgg19, ["conv1_1", "conv3_1"], [97, 97], 38, 0),
        (
            Architecture::AlexNet,
            ["conv1", "conv5"],
            [401, 150],
            256,
            0,
        ),
        (
            Architecture::Vgg19,
            ["conv1_1", "conv3_1"],
            [141, 126],
            52,
            1,
        ),
    ] {
        let vgg = network(architecture, Padding::Reflect, Pooling::Average);
        let layers = names.map(|name| vgg.layer(name).unwrap());
        let objective = objective(&vgg, size, &layers, octaves);
        let image = picture(size[0], size[1], 0.0, vgg.device());
        let whole = objective.evaluate(image.clone()).unwrap();
        let objective = objective.with_block_side(side);
        let (of_values, of_gradients) = difference(&objective.evaluate(image).unwrap(), &whole);
        println!("{architecture} {size:?}: {of_values:.1e} {of_gradients:.1e}");
        assert!(of_values < MOST.0 && of_gradients < MOST.1);
    }
}

#[test]
fn blocks_almost_equal_the_whole_with_the_transform() {
    let vgg = network(Architecture::Vgg19, Padding::Reflect, Pooling::Average);
    let vgg = vgg.with_precision(Precision::Single).unwrap();
    let layers = ["conv1_1", "conv2_2", "conv3_1"].map(|name| vgg.layer(name).unwrap());
    let objective = objective(&vgg, [117, 93], &layers, 0);
    let image = picture(117, 93, 0.0, vgg.device());
    let whole = objective.evaluate(image.clone()).unwrap();
    let blocks = objective.with_block_side(57).evaluate(image).unwrap();
    let (of_values, of_gradients) = difference(&blocks, &whole);
    println!("with the transform: {of_values:.1e} {of_gradients:.1e}");
    // Where a sum lies at the kink of a ReLU, or two projections change places in the order, the gradient jumps.
    assert!(of_values < 1e-4 && of_gradients < 5e-4);
}

/// AlexNet's maps have no padding at the border of pools: they do not wrap where the image does, and are not
/// divided.
#[test]
fn maps_that_do_not_wrap_with_the_image_are_not_divided() {
    let vgg = network(Architecture::AlexNet, Padding::Circular, Pooling::Average);
    let layers = [vgg.layer("conv2").unwrap()];
    let objective = objective(&vgg, [160, 160], &layers, 0);
    let image = picture(160, 160, 0.0, vgg.device());
    let whole = objective.evaluate(image.clone()).unwrap();
    let blocks = objective.with_block_side(120).evaluate(image).unwrap();
    assert_eq!(values(blocks.gradient), values(whole.gradient));
}

#[test]
fn weights_are_measured_by_blocks() {
    let vgg = network(Architecture::Vgg19, Padding::Reflect, Pooling::Average);
    let layers = ["conv1_1", "conv2_1"].map(|name| vgg.layer(name).unwrap());
    let noise = picture(90, 70, 0.3, vgg.device());
    let weights = |side: Option<usize>| -> Vec<f64> {
        let mut objective = objective(&vgg, [90, 70], &layers, 1);
        if let Some(side) = side {
            objective = objective.with_block_side(side);
        }
        objective.normalize(noise.clone()).unwrap();
        objective.weights().collect()
    };
    for (blocks, whole) in weights(Some(40)).iter().zip(weights(None)) {
        assert!((blocks / whole - 1.0).abs() < 1e-4, "{blocks} {whole}");
    }
}

#[test]
fn a_loss_that_needs_its_map_gets_it_and_small_blocks_are_refused() {
    let vgg = network(Architecture::Vgg19, Padding::Reflect, Pooling::Average);
    let layer = vgg.layer("conv3_1").unwrap();
    let image = picture(80, 80, 0.0, vgg.device());
    let largest = Custom::new(|map| map.max().reshape([1]));
    let custom = Objective::new(&vgg).at_layer("largest", layer, 1.0, largest);
    let whole = custom.evaluate(image.clone()).unwrap();
    let blocks = custom.with_block_side(40).evaluate(image.clone()).unwrap();
    assert_eq!(values(blocks.gradient), values(whole.gradient));

    let objective = objective(&vgg, [80, 80], &[layer], 0).with_block_side(20);
    let error = objective.evaluate(image).unwrap_err().to_string();
    assert_eq!(
        error,
        "the side of a block is 20; allowed: at least 26, for features of these layers"
    );
}

/// Runs within a bound on their memory make the pictures that runs without make.
#[test]
fn a_run_within_a_bound_makes_the_same_picture() {
    let vgg = network(Architecture::Vgg19, Padding::Reflect, Pooling::Average);
    let exemplar = bundled("gravel.png", 128);
    let photograph = bundled("coffee.png", 280);
    // 280 x 280 pixels as a whole take 280^2 (500 + 14 * 12 + 20 * 12) bytes, 71 million. In blocks of 256
    // they take at least 280^2 (26 * 12 + 6 * 12) + 256^2 * 500, 63 million.
    let run = |memory: Option<u64>| {
        let mut run = RunOptions::default()
            .with_evaluations(4)
            .with_scales(Scales::Single);
        run.memory = memory;
        run
    };
    let texture = |memory: Option<u64>| {
        let mut options = TextureOptions::default()
            .with_statistics(Statistics::Whitened)
            .with_size(Size::square(280));
        options.run = run(memory);
        synthesize_texture(&vgg, exemplar.clone(), &options, &mut ())
    };
    let style = |memory: Option<u64>| {
        let mut options = StyleOptions::default().with_statistics(Statistics::Whitened);
        options.run = run(memory);
        let (content, style) = (photograph.clone(), exemplar.clone());
        transfer_style(&vgg, content, style, &options, &mut ())
    };
    let tasks: [&dyn Fn(Option<u64>) -> ranvgg::Result<Outcome>; 2] = [&texture, &style];
    for task in tasks {
        let (whole, bounded) = (task(None).unwrap(), task(Some(65_000_000)).unwrap());
        let (whole, bounded) = (whole.picture(), bounded.picture());
        let pairs = whole.as_raw().iter().zip(bounded.as_raw());
        let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{apart:.1e}");
        assert!(apart < 0.01);
        let error = task(Some(1_000_000)).unwrap_err().to_string();
        assert!(
            error.starts_with("memory is 1000000; allowed: at least"),
            "{error}"
        );
    }
}
