//! What a caller can hand in that has the right types and is wrong: an error, in no time, and nothing is spoiled.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;
use image::{DynamicImage, GrayImage, Luma, Rgb, Rgb32FImage, RgbImage};
use ranvgg::loss::{Content, Custom, Gradient, Mean, Wasserstein};
use ranvgg::objective::Objective;
use ranvgg::optim::{Adam, AdamOptions, LbfgsOptions, LbfgsState};
use ranvgg::{
    Error, Exemplars, Gram, GreedyStackBuilder, IfExists, InvertOptions, Lbfgs, Padding, RandomVgg,
    RunOptions, Scales, Size, StyleOptions, TextureOptions, imaging, invert, metrics,
    reconstruction_error, synthesize_texture, transfer_style,
};
use serde_json::{Value, json};

use crate::common::{bundled, flex, layer, network};

fn ones(shape: [usize; 4]) -> Tensor<4> {
    Tensor::ones(shape, &flex())
}

/// Red lines of one pixel on blue, and their mask.
fn lines(side: u32) -> (DynamicImage, DynamicImage) {
    let on_line = |x: u32, y: u32| x % 40 == 7 || y % 40 == 7;
    let colour = |x, y| {
        Rgb(if on_line(x, y) {
            [200, 30, 20]
        } else {
            [10, 20, 220]
        })
    };
    let mask = |x, y| Luma([255 * u8::from(on_line(x, y))]);
    let picture = RgbImage::from_fn(side, side, colour);
    (picture.into(), GrayImage::from_fn(side, side, mask).into())
}

/// Brought to a smaller size, the lines of the mask are greys below one half everywhere.
#[test]
fn a_mask_of_fine_lines_keeps_its_texture() {
    let (picture, mask) = lines(400);
    let run = RunOptions::default().with_evaluations(40);
    let options = TextureOptions::default()
        .with_size(Size::square(32))
        .with_run(run.clone());
    let part = Exemplars::part(picture.clone(), mask.clone());
    let texture = synthesize_texture(&network(), part.clone(), &options, &mut ()).unwrap();
    let options = StyleOptions::default().with_style_scale(0.1).with_run(run);
    let content = bundled("cat.png", 40);
    let style = transfer_style(&network(), content, part, &options, &mut ()).unwrap();
    for image in [texture.image().to_rgb8(), style.image().to_rgb8()] {
        let sum = |channel: usize| {
            image
                .pixels()
                .map(|it| u64::from(it.0[channel]))
                .sum::<u64>()
        };
        // A seventh of such a pixel is red, and it is what counts.
        assert!(sum(2) > 0 && sum(0) > 0, "{:?}", [sum(0), sum(2)]);
    }
    assert!(texture.records().iter().any(|record| record.loss() > 0.0));
}

#[test]
fn as_many_evaluations_as_fit_into_the_time() {
    let limit = |evaluations: usize| {
        let run = RunOptions::default().with_time_limit(Duration::from_millis(300));
        run.with_evaluations(evaluations)
    };
    for evaluations in [usize::MAX, 1 << 63, 1 << 40] {
        let options = TextureOptions::default()
            .with_size(Size::square(96))
            .with_run(limit(evaluations));
        let exemplar = bundled("gravel.png", 64);
        let made = synthesize_texture(&network(), exemplar, &options, &mut ()).unwrap();
        assert!(made.evaluations() > 0);
        let options = InvertOptions::default().with_run(limit(evaluations));
        let picture = bundled("gravel.png", 96);
        let made = invert(&network(), picture, layer("conv1_1"), &options, &mut ()).unwrap();
        assert!(made.evaluations() > 0);
    }
}

#[test]
fn scales_end_where_a_side_has_one_pixel() {
    let vgg = RandomVgg::vgg19()
        .with_padding(Padding::Zero)
        .init(&flex())
        .unwrap();
    for most in [100, usize::MAX] {
        let scales = Scales::Octaves { most, smallest: 1 };
        let run = RunOptions::default()
            .with_scales(scales)
            .with_evaluations(6);
        let options = InvertOptions::default().with_run(run);
        let picture = bundled("gravel.png", 20);
        let made = invert(&vgg, picture, layer("conv1_1"), &options, &mut ()).unwrap();
        assert_eq!((made.image().width(), made.image().height()), (20, 20));
    }
}

/// The exemplar would take 49 GB.
#[test]
fn a_bound_on_memory_is_asked_before_exemplars_are_enlarged() {
    let run = RunOptions::default().with_memory(1 << 30);
    let options = TextureOptions::default()
        .with_size(Size::square(64))
        .with_exemplar_scale(500.0)
        .with_run(run);
    let begun = Instant::now();
    let exemplar = bundled("gravel.png", 128);
    let refused = synthesize_texture(&network(), exemplar, &options, &mut ());
    assert!(
        matches!(&refused, Err(Error::InvalidOption { name, .. }) if name == "memory"),
        "{refused:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    let clear = DynamicImage::new_rgba8(8, 8);
    assert!(matches!(
        imaging::save(&clear, &path, IfExists::Refuse),
        Err(Error::File { .. })
    ));
    assert!(!path.exists());
    let [small, large] = [ones([1, 3, 16, 16]), ones([1, 3, 32, 32])];
    let refused = reconstruction_error(&network(), small.clone(), large, layer("conv1_1"));
    assert!(matches!(refused, Err(Error::Shape { .. })), "{refused:?}");
    let refused = imaging::halve(ones([1, 1, 2, 200_000]));
    assert!(matches!(refused, Err(Error::Shape { .. })));
    // Of a line the middle counts.
    let line = Rgb32FImage::from_fn(1, 100_000, |_, y| image::Rgb([(y % 7) as f32 / 7.0; 3]));
    let square = Rgb32FImage::from_pixel(64, 64, image::Rgb([0.5; 3]));
    assert!(
        metrics::novelty(&line, &square)
            .unwrap()
            .correlation
            .is_finite()
    );
}

/// Those of f64 that are infinite as f32.
#[test]
fn numbers_are_finite_in_the_precision_that_they_are_used_in() {
    let network = RandomVgg::vgg19().with_bias_sigma(1e39);
    assert!(matches!(
        network.init(&flex()),
        Err(Error::InvalidOption { .. })
    ));
    let mut adam = Adam::new(vec![0.0, 0.0], AdamOptions::default()).unwrap();
    assert!(adam.tell(&[0.0, 1.0], 1e39).is_err());
    assert_eq!(adam.ask(), [0.0, 0.0]);
    assert!(Adam::new(vec![f32::NAN], AdamOptions::default()).is_err());
    let run = RunOptions::default().with_noise(1e39);
    let options = InvertOptions::default().with_run(run);
    let refused = invert(
        &crate::common::network(),
        bundled("cat.png", 32),
        layer("conv1_1"),
        &options,
        &mut (),
    );
    assert!(
        matches!(refused, Err(Error::InvalidOption { .. })),
        "{refused:?}"
    );
}

#[test]
fn losses_refuse_maps_that_are_none() {
    for shape in [
        [2, 3, 4, 4],
        [0, 3, 4, 4],
        [1, 0, 4, 4],
        [1, 3, 0, 4],
        [1, 3, 4, 0],
    ] {
        let map = || Tensor::<4>::zeros(shape, &flex());
        assert!(
            matches!(Gram::of(map()), Err(Error::Shape { .. })),
            "{shape:?}"
        );
        assert!(
            matches!(Mean::of(map()), Err(Error::Shape { .. })),
            "{shape:?}"
        );
        assert!(
            matches!(Content::of(map()), Err(Error::Shape { .. })),
            "{shape:?}"
        );
        assert!(
            matches!(Wasserstein::of(map(), 8), Err(Error::Shape { .. })),
            "{shape:?}"
        );
    }
    assert!(Wasserstein::of(ones([1, 3, 4, 4]), usize::MAX).is_err());
    let map = || ones([1, 3, 4, 4]);
    for gradient in [
        Gradient::matrix(Tensor::ones([2, 2], &flex())),
        Gradient::offset(Tensor::ones([1, 4], &flex())),
        Gradient::map(ones([1, 3, 4, 5])),
    ] {
        let refused = gradient.at(map().into());
        assert!(matches!(refused, Err(Error::Shape { .. })), "{refused:?}");
    }
}

#[test]
fn counts_beyond_all_reason_take_no_memory() {
    for channels in [0, 65, 1 << 40, usize::MAX] {
        let refused = RandomVgg::vgg19().with_channels(channels).init(&flex());
        assert!(
            matches!(refused, Err(Error::InvalidOption { .. })),
            "{channels}"
        );
    }
    let refused = GreedyStackBuilder::new(RandomVgg::vgg19(), bundled("cat.png", 32))
        .with_candidates(usize::MAX)
        .with_devices([flex()])
        .build(&mut ());
    assert!(
        matches!(refused, Err(Error::InvalidOption { .. })),
        "{refused:?}"
    );
    assert_eq!(Size::square(usize::MAX).pixels(), usize::MAX);
}

#[test]
fn states_that_were_changed_are_refused() {
    let mut adam = Adam::new(vec![0.0; 4], AdamOptions::default()).unwrap();
    adam.tell(&[1.0, 2.0, 3.0, 4.0], 0.1).unwrap();
    let whole = serde_json::to_value(&adam).unwrap();
    assert_eq!(serde_json::from_value::<Adam>(whole.clone()).unwrap(), adam);
    for (place, value) in [
        ("/options/bounds", json!([1.0, 0.0])),
        ("/options/beta1", json!(2.0)),
        ("/means/Full/mean", json!([])),
        ("/means/Full/square", json!([1.0])),
        ("/steps", json!(u64::MAX)),
        ("/point", json!([0.0])),
        (
            "/means",
            json!({ "Compact": { "ratio": [0, 0, 0, 0], "root": [0, 0, 0, 0],
            "scale": { "bound": 1.0, "smallest": 4_294_967_295u32 } } }),
        ),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = value;
        assert!(serde_json::from_value::<Adam>(changed).is_err(), "{place}");
    }

    let start = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &flex());
    let mut lbfgs = Lbfgs::new(start, LbfgsOptions::default()).unwrap();
    for _ in 0..4 {
        let x = lbfgs.ask();
        let value = (x.clone() * x.clone()).sum();
        lbfgs.tell(value, x * 2.0).unwrap();
    }
    let whole = serde_json::to_value(lbfgs.state().unwrap()).unwrap();
    let resumed = |state: Value| {
        let state: LbfgsState = serde_json::from_value(state).unwrap();
        Lbfgs::resume(state, &flex())
    };
    assert!(resumed(whole.clone()).is_ok());
    let shorter = json!(lbfgs.state().unwrap());
    let mut other = whole.clone();
    *other.pointer_mut("/trial").unwrap() = shorter_vector();
    assert!(resumed(other).is_err());
    let mut other = shorter;
    *other.pointer_mut("/options/settings/history").unwrap() = json!(0);
    assert!(resumed(other).is_err());
    let none = Tensor::<1>::zeros([0], &flex());
    let gradient = lbfgs.ask();
    assert!(matches!(
        lbfgs.tell(none, gradient),
        Err(Error::Shape { .. })
    ));
}

/// The trial point of a minimisation in one variable.
fn shorter_vector() -> Value {
    let start = Tensor::<1>::from_floats([1.0], &flex());
    let lbfgs = Lbfgs::new(start, LbfgsOptions::default()).unwrap();
    json!(lbfgs.state().unwrap())["trial"].clone()
}

/// What it keeps for the size of an image is not that of an image that was refused.
#[test]
fn a_refused_image_does_not_spoil_an_objective() {
    let vgg = network();
    let target = vgg
        .features(ones([1, 3, 32, 32]), &[layer("conv1_1")])
        .unwrap();
    let mean = || Mean::of(target.clone().take(layer("conv1_1")).unwrap()).unwrap();
    let mut objective = Objective::new(&vgg);
    for octave in 0..2 {
        objective = objective.at_octave(octave, "mean", layer("conv1_1"), 1.0, mean());
    }
    let image = || ones([1, 3, 40, 36]) * 0.5;
    let whole = objective.evaluate(image()).unwrap();
    let again = |objective: &Objective| {
        let other = objective.evaluate(image()).unwrap();
        assert_eq!(other.values.to_data(), whole.values.to_data());
    };
    assert!(
        objective
            .evaluate(image().autodiff().require_grad())
            .is_err()
    );
    again(&objective);
    assert!(matches!(
        objective.evaluate(ones([2, 3, 40, 36])),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        objective.evaluate(ones([1, 4, 40, 36])),
        Err(Error::Shape { .. })
    ));
    again(&objective);
    let odd = Custom::new(|map: Tensor<4>| map.flatten::<1>(0, 3));
    let objective = Objective::new(&vgg).at_layer("odd", layer("conv1_1"), 1.0, odd);
    assert!(objective.evaluate(image()).is_err());
}
