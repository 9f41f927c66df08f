//! Gradients through networks, against Burn's autodiff and between devices.

use crate::common::{all_devices, assert_close, cpu_devices, flex, gpu_device, picture, values};
use burn::tensor::{Device, Tensor};
use ranvgg::imaging::halve;
use ranvgg::loss::{Content, Covariance, TotalVariation};
use ranvgg::network::Features;
use ranvgg::objective::Objective;
use ranvgg::{Architecture, Error, Gram, Layer, Padding, Pooling, Precision, RandomVgg, Vgg};

fn networks(device: &Device) -> impl Iterator<Item = (String, Vgg)> {
    let device = device.clone();
    Padding::ALL.into_iter().flat_map(move |padding| {
        let device = device.clone();
        [Pooling::Average, Pooling::Max]
            .into_iter()
            .map(move |pooling| {
                let vgg = RandomVgg::vgg16()
                    .with_seed(3)
                    .with_bias_sigma(0.1)
                    .with_padding(padding)
                    .with_pooling(pooling)
                    .init(&device)
                    .unwrap();
                (format!("{padding:?} {pooling:?}"), vgg)
            })
    })
}

fn layers(vgg: &Vgg, names: &[&str]) -> Vec<Layer> {
    names.iter().map(|name| vgg.layer(name).unwrap()).collect()
}

/// The explicit reverse pass, over two taps at once, against autodiff of Burn's own operations.
fn against_autodiff(device: &Device, names: &[&str], (height, width): (usize, usize)) {
    for (what, vgg) in networks(device) {
        let taps = layers(&vgg, names);
        let image = picture(height, width, 0.4, device);
        let (features, trace) = vgg.forward(image.clone(), &taps).unwrap();
        let explicit = vgg.backward(features.clone(), &trace).unwrap();

        let watched = image.autodiff().require_grad();
        let seen = vgg.features(watched.clone(), &taps).unwrap();
        let mut half_squares = Vec::new();
        for (layer, map) in features.iter() {
            let watched = seen.get(layer).unwrap();
            let (found, expected) = (values(map.clone()), values(watched.clone()));
            assert_close(&format!("{what} {layer}"), &found, &expected, 1e-5);
            half_squares.push(watched.clone().square().sum().mul_scalar(0.5));
        }
        let sum = half_squares.into_iter().reduce(|a, b| a + b).unwrap();
        let automatic = watched.grad(&sum.backward()).unwrap();
        assert_close(&what, &values(explicit), &values(automatic), 1e-3);
    }
}

#[test]
fn the_reverse_pass_is_that_of_autodiff_on_cpus() {
    for (_, device) in cpu_devices() {
        against_autodiff(&device, &["conv1_1", "pool1", "conv3_2", "pool3"], (19, 26));
        against_autodiff(&device, &["conv1_2"], (2, 2));
    }
}

/// Burn's operations in both directions, explicit and by autodiff, on the same GPU.
#[test]
fn the_reverse_pass_is_that_of_autodiff_on_a_gpu() {
    if let Some((_, device)) = gpu_device() {
        against_autodiff(&device, &["conv1_1", "pool1"], (6, 5));
    }
}

/// The same features and gradients on every device.
#[test]
fn devices_agree() {
    let reference = RandomVgg::vgg19().with_seed(5).init(&flex()).unwrap();
    let taps = layers(&reference, &["conv1_2", "conv2_1"]);
    let run = |vgg: &Vgg| {
        let image = picture(13, 18, 0.2, vgg.device());
        let (features, trace) = vgg.forward(image, &taps).unwrap();
        let deepest = values(features.get(taps[1]).unwrap().clone());
        (deepest, values(vgg.backward(features, &trace).unwrap()))
    };
    let (features, gradient) = run(&reference);
    for (name, device) in all_devices() {
        let vgg = RandomVgg::vgg19().with_seed(5).init(&device).unwrap();
        let (found, found_gradient) = run(&vgg);
        assert_close(&name, &found, &features, 1e-5);
        assert_close(&name, &found_gradient, &gradient, 1e-3);
    }
}

/// Directional derivatives of a whole objective, in f32, where ReLUs bend the loss.
#[test]
fn an_objective_descends_as_its_gradient_says() {
    let vgg = RandomVgg::vgg19().with_seed(2).init(&flex()).unwrap();
    let taps = layers(&vgg, &["conv1_1", "conv3_1"]);
    let target = vgg.features(picture(40, 33, 2.0, &flex()), &taps).unwrap();
    let mut objective = Objective::new(&vgg).at_image("variation", 0.1, TotalVariation);
    let half = halve(picture(40, 33, 2.0, &flex())).unwrap();
    for (layer, map) in vgg.features(half, &taps).unwrap().iter() {
        let target = Covariance::of(map.clone()).unwrap();
        objective = objective.at_octave(1, "half", layer, 1.0, target);
    }
    for (layer, map) in target.iter() {
        objective = objective
            .at_layer("content", layer, 1.0, Content::of(map.clone()).unwrap())
            .at_layer("style", layer, 1.0, Gram::of(map.clone()).unwrap());
    }
    let image = picture(40, 33, 0.0, &flex());
    objective.normalize(image.clone()).unwrap();
    let evaluation = objective.evaluate(image.clone()).unwrap();
    let direction = picture(40, 33, 1.0, &flex()) - 0.5;
    let slope: f64 = values(evaluation.gradient * direction.clone())
        .iter()
        .map(|v| f64::from(*v))
        .sum();
    let value = |step: f64| -> f64 {
        let moved = image.clone() + direction.clone() * step;
        let values = values(objective.evaluate(moved).unwrap().values);
        values.iter().map(|v| f64::from(*v)).sum()
    };
    let step = 1e-3;
    let difference = (value(step) - value(-step)) / (2.0 * step);
    assert!(
        (difference - slope).abs() < 0.01 * slope.abs(),
        "{difference} {slope}"
    );
}

#[test]
fn a_gradient_that_does_not_fit_is_refused() {
    let vgg = RandomVgg::vgg19().init(&flex()).unwrap();
    let taps = layers(&vgg, &["conv1_1"]);
    let (features, trace) = vgg.forward(picture(8, 8, 0.0, &flex()), &taps).unwrap();
    let gradient = features.get(taps[0]).unwrap().clone().narrow(2, 0, 7);
    let with = |layer: Layer, gradient: Tensor<4>| {
        vgg.backward(Features::from_iter([(layer, gradient)]), &trace)
    };
    assert!(matches!(with(taps[0], gradient), Err(Error::Shape { .. })));
    let deeper = vgg.layer("conv2_1").unwrap();
    let gradient = Tensor::zeros([1, 128, 4, 4], &flex());
    assert!(matches!(with(deeper, gradient), Err(Error::Shape { .. })));
    let none = vgg.backward(Features::default(), &trace);
    assert!(matches!(none, Err(Error::Shape { .. })));
    let beyond = Architecture::Vgg19.layer("conv3_1").unwrap();
    let other = RandomVgg::alexnet().init(&flex()).unwrap();
    let gradients = Features::from_iter([(beyond, Tensor::zeros([1, 256, 2, 2], &flex()))]);
    let unknown = other.backward(gradients, &trace);
    assert!(matches!(unknown, Err(Error::UnknownLayer { .. })));
}

#[test]
fn a_trace_belongs_to_its_network_and_to_an_image_without_autodiff() {
    for (name, device) in all_devices() {
        let vgg = RandomVgg::vgg19().init(&device).unwrap();
        let taps = layers(&vgg, &["conv1_1"]);
        let image = picture(8, 8, 0.0, &device);
        let (features, trace) = vgg.forward(image.clone(), &taps).unwrap();
        let map = features.get(taps[0]).unwrap().clone();
        let gradients = |map: Tensor<4>| Features::from_iter([(taps[0], map)]);
        let plain = vgg.with_precision(Precision::Plain).unwrap();
        let refused = |result: ranvgg::Result<Tensor<4>>, named: &str| match result {
            Err(Error::InvalidOption { value, .. }) => assert!(value.contains(named), "{value}"),
            other => panic!("{name}: {other:?}"),
        };
        refused(plain.backward(gradients(map.clone()), &trace), "another");
        let expected = vgg.backward(gradients(map.clone()), &trace).unwrap();
        let cloned = vgg.clone().backward(gradients(map.clone()), &trace);
        assert_eq!(values(cloned.unwrap()), values(expected.clone()));

        // A gradient that autodiff watches is one without its graph.
        let watched = map.clone().autodiff().require_grad();
        let found = vgg.backward(gradients(watched), &trace).unwrap();
        assert!(!found.is_autodiff());
        assert_eq!(values(found), values(expected));
        let (_, trace) = vgg.forward(image.autodiff().require_grad(), &taps).unwrap();
        refused(vgg.backward(gradients(map), &trace), "autodiff");
    }
}

#[test]
fn a_gradient_on_another_device_is_refused() {
    let Some((_, device)) = gpu_device() else {
        return;
    };
    let vgg = RandomVgg::vgg19().init(&flex()).unwrap();
    let taps = layers(&vgg, &["conv1_1"]);
    let (_, trace) = vgg.forward(picture(8, 8, 0.0, &flex()), &taps).unwrap();
    let gradients = Features::from_iter([(taps[0], Tensor::zeros([1, 64, 8, 8], &device))]);
    let result = vgg.backward(gradients, &trace);
    assert!(matches!(result, Err(Error::DeviceMismatch { .. })));
}
