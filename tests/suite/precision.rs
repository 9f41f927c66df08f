//! Half precision: near enough, and refused where there is none.

use crate::common::{distance, flex, picture, values};
use burn::tensor::{Device, Tensor};
use ranvgg::device::has_half;
use ranvgg::network::Features;
use ranvgg::objective::Objective;
use ranvgg::optim::{LbfgsOptions, Next};
use ranvgg::{Error, Gram, Layer, Lbfgs, Padding, Precision, RandomVgg, Vgg};

/// The first GPU, if it has half precision.
fn gpu_device() -> Option<(String, Device)> {
    let gpu = crate::common::gpu_device();
    if let Some((name, device)) = &gpu
        && !has_half(device)
    {
        eprintln!("skipped on {name}: no half precision");
        return None;
    }
    gpu
}

fn half(vgg: &Vgg) -> Vgg {
    vgg.with_precision(Precision::Half).unwrap()
}

/// Features and the gradient of half the sum of their squares times `factor`.
fn both_ways(vgg: &Vgg, name: &str, factor: f64) -> (Vec<f32>, Vec<f32>) {
    let layer = vgg.layer(name).unwrap();
    let image = picture(37, 42, 0.0, vgg.device());
    let (mut features, trace) = vgg.forward(image, &[layer]).unwrap();
    let map = features.take(layer).unwrap();
    let gradients = Features::from_iter([(layer, map.clone() * factor)]);
    let gradient = vgg.backward(gradients, &trace).unwrap();
    (values(map), values(gradient))
}

#[test]
fn features_and_gradients_are_near_those_in_single_precision() {
    let Some((_, device)) = gpu_device() else {
        return;
    };
    for padding in [Padding::Reflect, Padding::Circular] {
        let vgg = RandomVgg::vgg19()
            .with_padding(padding)
            .init(&device)
            .unwrap();
        for name in ["conv1_1", "conv3_1", "pool3"] {
            let (map, gradient) = both_ways(&vgg, name, 1.0);
            // Gradients far below and far above what f16 can hold.
            for factor in [1.0, 1e-9, 1e9] {
                let (found, steered) = both_ways(&half(&vgg), name, factor);
                let expected: Vec<f32> = gradient.iter().map(|v| v * factor as f32).collect();
                let (apart, turned) = (distance(&found, &map), distance(&steered, &expected));
                eprintln!(
                    "{padding:?} {name} {factor:.0e}: features {apart:.1e}, gradient {turned:.1e}"
                );
                assert!(apart < 2e-3, "{padding:?} {name}: {apart}");
                // f16 keeps 11 bits: what differs less was not in it.
                assert!(apart > 2e-5, "{padding:?} {name}: {apart}");
                // Units that rounding passes or blocks move a gradient more than it rounds.
                assert!(turned < 2e-2, "{padding:?} {name} {factor}: {turned}");
            }
        }
    }
}

/// The loss of a texture after this many evaluations, of the same start.
fn descended(vgg: &Vgg, evaluations: usize) -> f64 {
    let names = ["conv1_1", "conv2_1", "conv3_1"];
    let layers: Vec<Layer> = names.iter().map(|name| vgg.layer(name).unwrap()).collect();
    let (side, device) = (32, vgg.device());
    let mut objective = Objective::new(vgg);
    let exemplar = picture(side, side, 1.0, device);
    for (layer, map) in vgg.features(exemplar, &layers).unwrap().iter() {
        objective = objective.at_layer("style", layer, 1.0, Gram::of(map.clone()).unwrap());
    }
    objective
        .normalize(picture(side, side, 5.0, device))
        .unwrap();
    let shape = [1, 3, side, side];
    let start: Tensor<4> = picture(side, side, 3.0, device);
    let options = LbfgsOptions::default().with_first_step(1.0);
    let mut lbfgs = Lbfgs::new(start.reshape([3 * side * side]), options).unwrap();
    let mut first = None;
    for _ in 0..evaluations {
        let evaluation = objective.evaluate(lbfgs.ask().reshape(shape)).unwrap();
        let gradient = evaluation.gradient.reshape([3 * side * side]);
        let next = lbfgs.tell(evaluation.values, gradient).unwrap();
        first.get_or_insert(lbfgs.value());
        if let Next::Stop(reason) = next {
            panic!("{reason}");
        }
    }
    lbfgs.value() / first.unwrap()
}

#[test]
fn a_descent_gets_as_far_as_in_single_precision() {
    let Some((_, device)) = gpu_device() else {
        return;
    };
    let vgg = RandomVgg::vgg19().init(&device).unwrap();
    let (single, half) = (descended(&vgg, 60), descended(&half(&vgg), 60));
    eprintln!("of the loss is left {single:.3e} in single, {half:.3e} in half precision");
    assert!(single < 0.05, "{single}");
    // Two descents that round differently part by some percent either way.
    assert!(half < 1.05 * single, "{half} {single}");
}

#[test]
fn half_precision_is_refused_where_there_is_none() {
    let refused = |result: ranvgg::Result<()>, named: &str| match result {
        Err(Error::InvalidOption { allowed, .. }) => assert!(allowed.contains(named), "{allowed}"),
        other => panic!("{other:?}"),
    };
    let vgg = RandomVgg::vgg19().init(&flex()).unwrap();
    refused(vgg.with_precision(Precision::Half).map(|_| ()), "flex");
    let Some((_, device)) = gpu_device() else {
        return;
    };
    let at = |network: RandomVgg, name: &str, side: usize, device: &Device| {
        let vgg = half(&network.init(device).unwrap());
        let layer = vgg.layer(name).unwrap();
        vgg.features(picture(side, side, 0.0, device), &[layer])
            .map(|_| ())
    };
    refused(at(RandomVgg::alexnet(), "conv1", 64, &device), "conv1");
    let whole = RandomVgg::vgg16().with_padding(Padding::Zero);
    refused(at(whole, "fc6", 224, &device), "fc6");

    // Stacks of maps: kernels for an odd number of channels above four there are none.
    let stack = |channels: usize| {
        let vgg = half(
            &RandomVgg::vgg19()
                .with_channels(channels)
                .init(&device)
                .unwrap(),
        );
        let image = Tensor::zeros([1, channels, 8, 8], &device) + 0.500_1;
        let layer = vgg.layer("conv1_1").unwrap();
        vgg.features(image, &[layer]).map(|_| ())
    };
    refused(stack(5), "5 to 64 channels");
    stack(6).unwrap();
}

#[test]
fn names_are_read() {
    for (name, precision) in [
        ("single", Precision::Single),
        ("plain", Precision::Plain),
        ("half", Precision::Half),
    ] {
        assert_eq!(name.parse::<Precision>().unwrap(), precision);
    }
    let error = "double".parse::<Precision>().unwrap_err().to_string();
    assert!(error.contains("single"), "{error}");
}
