//! Paintings by resampled filters, the default, as a user makes them.

use image::{DynamicImage, GrayImage, Luma};
use ranvgg::metrics::{filter_responses, psnr};
use ranvgg::{
    Colours, Exemplars, Outcome, Picture, RandomVgg, RunOptions, Scales, Size, StyleOptions,
    StyleStart, transfer_style,
};

use crate::common::{bundled, flex, left_half, network, plain};

fn options(evaluations: usize) -> StyleOptions {
    StyleOptions::default().with_run(RunOptions::default().with_evaluations(evaluations))
}

fn paint(style: impl Into<Exemplars>, options: &StyleOptions) -> Outcome {
    transfer_style(&network(), bundled("cat.png", 96), style, options, &mut ()).unwrap()
}

/// How alike contours are: the correlation of differences of luminance between neighbours.
fn contours(a: &DynamicImage, b: &DynamicImage, columns: std::ops::Range<u32>) -> f64 {
    let differences = |image: &DynamicImage| -> Vec<f64> {
        let light = image.to_luma32f();
        let at = |x: u32, y: u32| f64::from(light.get_pixel(x, y).0[0]);
        let mut differences = Vec::new();
        for y in 0..light.height() - 2 {
            for x in columns.start..columns.end.min(light.width() - 2) {
                differences.extend([at(x + 2, y) - at(x, y), at(x, y + 2) - at(x, y)]);
            }
        }
        differences
    };
    let (a, b) = (differences(a), differences(b));
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn a_painting_has_the_style_and_keeps_the_contours() {
    let (cat, strokes) = (bundled("cat.png", 96), bundled("strokes.png", 96));
    let outcome = paint(&strokes, &StyleOptions::default());
    assert_eq!(outcome.term_names(), ["style", "content"]);
    let result = outcome.image();
    // A metric that shares no code with the objective.
    let towards =
        |image: &DynamicImage| filter_responses(&strokes.to_rgb32f(), &image.to_rgb32f()).unwrap();
    let (before, after) = (towards(&cat), towards(&result));
    println!("filter responses from the style: {before:.3} -> {after:.3}");
    assert!(after < 0.35 * before, "{before} {after}");
    let kept = contours(&result, &cat, 0..96);
    let nothing = contours(&strokes, &cat, 0..96);
    println!("contours {kept:.2}, of the style picture {nothing:.2}");
    assert!(kept > 0.4 && nothing < 0.1, "{kept} {nothing}");
}

#[test]
fn the_content_weight_decides_how_much_stays() {
    let (cat, strokes) = (bundled("cat.png", 96), bundled("strokes.png", 96));
    let kept = |weight: f64, style_weight: f64| {
        let options = options(200)
            .with_content_weight(weight)
            .with_style_weight(style_weight);
        contours(&paint(&strokes, &options).image(), &cat, 0..96)
    };
    let weights = [kept(0.0, 1.0), kept(0.1, 1.0), kept(1.0, 1.0)];
    println!("{weights:.2?}");
    assert!(weights[0] + 0.1 < weights[1] && weights[1] + 0.1 < weights[2]);
    // Only the ratio counts.
    assert!((kept(0.2, 2.0) - weights[1]).abs() < 1e-6);
}

#[test]
fn styles_and_contents_keep_to_their_places() {
    let (cat, strokes) = (bundled("cat.png", 96), bundled("strokes.png", 96));
    let left = Exemplars::regions([(strokes.clone().into(), left_half(96, 96))]);
    let result = paint(left, &options(100)).image().to_rgb8();
    let (mut painted, mut count) = (0.0, 0.0);
    for (x, y, pixel) in result.enumerate_pixels() {
        let own = cat.to_rgb8().get_pixel(x, y).0;
        if x >= 48 {
            assert_eq!(pixel.0, own, "{x} {y}");
        } else {
            count += 1.0;
            painted += (f64::from(pixel.0[1]) - f64::from(own[1])).abs();
        }
    }
    assert!(painted / count > 10.0, "{}", painted / count);

    let options = options(200)
        .with_content_mask(left_half(96, 96))
        .with_content_weight(0.5);
    let result = paint(&strokes, &options).image();
    let (kept, free) = (
        contours(&result, &cat, 0..42),
        contours(&result, &cat, 54..96),
    );
    println!("contours: {kept:.2} where the content counts, {free:.2} elsewhere");
    assert!(kept > free + 0.2, "{kept} {free}");
}

#[test]
fn each_region_has_the_colours_of_its_style() {
    let black_and_white = |left: bool| {
        let mask = left_half(64, 64).to_luma8();
        GrayImage::from_fn(64, 64, |x, y| {
            let white = (mask.get_pixel(x, y).0[0] > 0) == left;
            Luma([if white { 255 } else { 0 }])
        })
    };
    let mask = |left| DynamicImage::from(black_and_white(left));
    let regions = Exemplars::regions([
        (plain([200, 40, 40], 48).into(), mask(true)),
        (plain([40, 40, 200], 48).into(), mask(false)),
    ]);
    let result = paint(regions, &options(120)).image().to_rgb8();
    let mean = |columns: std::ops::Range<u32>| {
        let pixels = result
            .enumerate_pixels()
            .filter(|(x, ..)| columns.contains(x));
        let redder: Vec<f64> = pixels
            .map(|(_, _, pixel)| f64::from(pixel.0[0]) - f64::from(pixel.0[2]))
            .collect();
        redder.iter().sum::<f64>() / redder.len() as f64
    };
    let (left, right) = (mean(0..40), mean(56..96));
    assert!(left > 120.0 && right < -120.0, "{left} {right}");
}

#[test]
fn colours_can_stay() {
    let (cat, strokes) = (bundled("cat.png", 96), bundled("strokes.png", 96));
    let result = |colours: Colours| {
        let options = options(60).with_colours(colours);
        paint(&strokes, &options).picture()
    };
    // Differences of channels, which luminance does not touch.
    let luminance = result(Colours::Luminance);
    let mut changed = 0.0f32;
    for (found, own) in luminance.pixels().zip(cat.to_rgb32f().pixels()) {
        assert!((found.0[0] - found.0[2] - (own.0[0] - own.0[2])).abs() < 1e-5);
        changed = changed.max((found.0[1] - own.0[1]).abs());
    }
    assert!(changed > 0.05, "{changed}");
    let mean = |picture: &image::Rgb32FImage| -> [f32; 3] {
        let count = picture.pixels().len() as f32;
        [0, 1, 2].map(|c| picture.pixels().map(|pixel| pixel.0[c]).sum::<f32>() / count)
    };
    let distance =
        |a: [f32; 3], b: [f32; 3]| -> f32 { a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum() };
    let own = mean(&cat.to_rgb32f());
    let (styled, matched) = (
        distance(mean(&result(Colours::Style)), own),
        distance(mean(&result(Colours::Matched)), own),
    );
    println!("mean colour from the content's: {styled:.3} with the style's, {matched:.3} matched");
    assert!(matched < 0.3 * styled, "{matched} {styled}");
}

#[test]
fn the_start_is_free_and_the_seed_decides() {
    let (cat, strokes) = (bundled("cat.png", 96), bundled("strokes.png", 96));
    let painted = |options: StyleOptions| {
        let options = options.with_scales(Scales::Single);
        paint(&strokes, &options).image()
    };
    let content = painted(options(1));
    assert_eq!(content, painted(options(1).with_start(StyleStart::Content)));
    assert_ne!(content, painted(options(1).with_seed(1)));
    // One step changes a colour by two hundredths at most.
    let picture = painted(options(1).with_start_picture(&cat));
    assert!(psnr(&picture.to_rgb32f(), &cat.to_rgb32f()).unwrap() > 33.0);
    let noise = painted(options(1).with_start(StyleStart::Noise));
    assert!(contours(&noise, &cat, 0..96).abs() < 0.1);
}

#[test]
fn sizes_and_shapes_are_free() {
    let (small, flat) = (bundled("gravel.png", 40), plain([90, 90, 90], 64));
    let size = Size::new(75, 40);
    for (content, style) in [
        (&small, &flat),
        (&flat, &small),
        (&flat, &flat),
        (&plain([7, 8, 9], 1), &small),
        (&small, &plain([7, 8, 9], 2)),
    ] {
        for (size, scale) in [(None, 1.0), (Some(size), 0.4)] {
            let mut options = options(12).with_style_scale(scale);
            options.size = size;
            let outcome = transfer_style(&network(), content, style, &options, &mut ()).unwrap();
            let image = outcome.image();
            let expected = match size {
                Some(size) => (size.width as u32, size.height as u32),
                None => (content.width(), content.height()),
            };
            assert_eq!((image.width(), image.height()), expected);
            let finite = outcome.picture().as_raw().iter().all(|v| v.is_finite());
            assert!(finite);
        }
    }
    // A network of one channel paints greys.
    let grey = RandomVgg::vgg19().with_channels(1).init(&flex()).unwrap();
    let map = |picture: &DynamicImage| Picture::maps([DynamicImage::from(picture.to_luma8())]);
    let outcome = transfer_style(
        &grey,
        map(&small),
        map(&bundled("cat.png", 40)),
        &options(12),
        &mut (),
    );
    let outcome = outcome.unwrap();
    assert_eq!(outcome.maps().len(), 1);
}

#[test]
fn options_of_a_network_are_refused() {
    let gravel = bundled("gravel.png", 48);
    let refused = |options: StyleOptions, named: &str| {
        let error = transfer_style(&network(), &gravel, &gravel, &options, &mut ()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(named) && said.contains("resampled"), "{said}");
    };
    refused(
        options(3).with_content_layer("conv2_2".parse().unwrap()),
        "content layer",
    );
    refused(
        options(3).with_style_layers(["conv1_1".parse().unwrap()]),
        "style layers",
    );
    refused(
        options(3).with_total_variation_weight(0.1),
        "total variation weight",
    );
}
