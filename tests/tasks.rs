//! The three tasks, whole: on real pictures, by thresholds, and with input out of range.

#![allow(clippy::float_cmp)] // equality is meant where it is asserted

mod common;

use common::{flex, gpu_device};
use image::DynamicImage;
use ranvgg::imaging::{self, Limits};
use ranvgg::metrics::{novelty, psnr, seam, sliced_wasserstein};
use ranvgg::{
    Control, Error, Exemplars, InvertOptions, Kept, Layer, Padding, Progress, RandomVgg,
    RunOptions, Scales, Size, StopReason, StyleOptions, StyleStart, TextureOptions, Vgg, invert,
    invert_observed, synthesize_texture, synthesize_texture_observed, transfer_style,
};

fn bundled(name: &str, side: u32) -> DynamicImage {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/images")
        .join(name);
    let image = imaging::open(path, Limits::default()).unwrap();
    image.resize_exact(side, side, image::imageops::FilterType::Lanczos3)
}

fn network() -> Vgg {
    RandomVgg::vgg19().init(&flex()).unwrap()
}

fn layer(name: &str) -> Layer {
    name.parse().unwrap()
}

fn run(evaluations: usize) -> RunOptions {
    RunOptions {
        evaluations,
        ..RunOptions::default()
    }
}

/// Decibels that a PyTorch sketch of the method reached at 160 pixels, less a margin.
#[test]
fn inversions_come_back_as_far_as_the_layer_knows() {
    let cat = bundled("cat.png", 160);
    let vgg = network();
    for (name, decibels) in [("conv1_1", 45.0), ("conv3_1", 26.0), ("pool3", 13.0)] {
        let outcome = invert(&vgg, &cat, layer(name), &InvertOptions::default()).unwrap();
        assert!(outcome.evaluations() <= 200);
        let found = psnr(&outcome.image().to_rgb32f(), &cat.to_rgb32f()).unwrap();
        println!("{name}: {found:.1} dB");
        assert!(found >= decibels, "{name}: {found:.1} dB < {decibels}");
    }
}

#[test]
fn a_texture_through_a_network_that_wraps_tiles() {
    // A photograph of one thing: what is above has little to do with what is below.
    let cat = bundled("cat.png", 112);
    let options = TextureOptions {
        run: run(120),
        ..TextureOptions::default()
    };
    let seam_of = |padding: Padding| {
        let vgg = RandomVgg::vgg19()
            .with_padding(padding)
            .init(&flex())
            .unwrap();
        let outcome = synthesize_texture(&vgg, &cat, &options).unwrap();
        seam(&outcome.image().to_rgb32f()).unwrap()
    };
    let (wrapped, reflected) = (seam_of(Padding::Circular), seam_of(Padding::Reflect));
    println!("seams: wrapped {wrapped:.2}, reflected {reflected:.2}");
    assert!(wrapped < 1.3, "{wrapped}");
    assert!(reflected > 1.8, "{reflected}");
}

#[test]
fn what_is_kept_stays_bit_for_bit_and_the_rest_is_made() {
    let gravel = bundled("gravel.png", 96).to_rgb8();
    // A hole in the middle of the picture, filled with one colour.
    let hole = |x: u32, y: u32| (30..66).contains(&x) && (24..70).contains(&y);
    let mut broken = gravel.clone();
    let mut mask = image::GrayImage::new(96, 96);
    for (x, y, pixel) in broken.enumerate_pixels_mut() {
        if hole(x, y) {
            *pixel = image::Rgb([255, 0, 255]);
            mask.put_pixel(x, y, image::Luma([255]));
        }
    }
    let options = |evaluations: usize| TextureOptions {
        kept: Some(Kept {
            picture: DynamicImage::from(broken.clone()).into(),
            mask: DynamicImage::from(mask.clone()).into(),
        }),
        run: run(evaluations),
        ..TextureOptions::default()
    };
    let exemplar = bundled("gravel.png", 96);
    // Three evaluations end before the last scale is reached by far.
    for evaluations in [90, 3] {
        let outcome = synthesize_texture(&network(), &exemplar, &options(evaluations)).unwrap();
        let found = outcome.image().to_rgb8();
        let (mut inside, mut count) = ([0.0; 3], 0.0);
        for (x, y, pixel) in found.enumerate_pixels() {
            if hole(x, y) {
                for (sum, value) in inside.iter_mut().zip(pixel.0) {
                    *sum += f64::from(value);
                }
                count += 1.0;
            } else {
                assert_eq!(pixel, broken.get_pixel(x, y), "{x} {y}");
            }
        }
        // Gravel is grey: the colour that filled the hole is gone.
        let [red, green, blue] = inside.map(|sum| sum / count);
        println!("inside: {red:.0} {green:.0} {blue:.0}");
        assert!((red - green).abs() < 25.0 && (blue - green).abs() < 25.0);
    }
    let mut wrong = options(10);
    wrong.size = Some(Size::square(80));
    let refused = synthesize_texture(&network(), &exemplar, &wrong).unwrap_err();
    assert!(
        refused.to_string().contains("the picture to keep"),
        "{refused}"
    );
}

#[test]
fn a_mixture_has_the_colours_of_all_its_exemplars() {
    let grey = bundled("gravel.png", 64);
    let coloured = bundled("strokes.png", 64);
    let options = TextureOptions {
        run: run(80),
        ..TextureOptions::default()
    };
    let mean = |image: &DynamicImage| -> [f64; 3] {
        let image = image.to_rgb32f();
        let mut sums = [0.0; 3];
        for pixel in image.pixels() {
            for (sum, value) in sums.iter_mut().zip(pixel.0) {
                *sum += f64::from(value) / f64::from(image.width() * image.height());
            }
        }
        sums
    };
    let mixture = Exemplars::mixture([(&grey, 1.0), (&coloured, 3.0)]);
    let outcome = synthesize_texture(&network(), mixture, &options).unwrap();
    let (a, b, found) = (mean(&grey), mean(&coloured), mean(&outcome.image()));
    for channel in 0..3 {
        let expected = 0.25 * a[channel] + 0.75 * b[channel];
        assert!(
            (found[channel] - expected).abs() < 0.03,
            "{a:?} {b:?} {found:?}"
        );
    }
    let none: [(&DynamicImage, f64); 0] = [];
    let refused = synthesize_texture(&network(), Exemplars::mixture(none), &options);
    assert!(matches!(refused, Err(Error::InvalidOption { .. })));
    let refused = synthesize_texture(&network(), Exemplars::mixture([(&grey, -1.0)]), &options);
    assert!(matches!(refused, Err(Error::InvalidOption { .. })));
}

#[test]
fn a_texture_has_the_exemplars_patches_but_not_its_pixels() {
    let gravel = bundled("gravel.png", 128);
    let options = TextureOptions {
        run: run(120),
        ..TextureOptions::default()
    };
    let outcome = synthesize_texture(&network(), &gravel, &options).unwrap();
    assert_eq!(outcome.image().width(), 128);
    let (found, exemplar) = (outcome.image().to_rgb32f(), gravel.to_rgb32f());
    let distance = sliced_wasserstein(&exemplar, &found).unwrap();
    println!("sliced Wasserstein distance {distance:.3}");
    assert!(distance < 0.15, "{distance}");
    let copied = psnr(&found, &exemplar).unwrap();
    assert!(copied < 16.0, "{copied} dB: a copy");
    let novelty = novelty(&exemplar, &found).unwrap();
    println!("{novelty:?}");
    assert!(
        novelty.coherent < 0.4 && novelty.in_place < 0.1,
        "{novelty:?}"
    );
}

#[test]
fn a_texture_has_the_size_asked_for() {
    let gravel = bundled("gravel.png", 64);
    let sizes = [Size::new(97, 50), Size::new(64, 160)];
    for size in sizes {
        let options = TextureOptions {
            size: Some(size),
            run: run(4),
            ..TextureOptions::default()
        };
        let image = synthesize_texture(&network(), &gravel, &options)
            .unwrap()
            .image();
        assert_eq!(
            (image.width() as usize, image.height() as usize),
            (size.width, size.height)
        );
    }
}

#[test]
fn a_style_changes_the_picture_and_keeps_its_content() {
    let (cat, strokes) = (bundled("cat.png", 96), bundled("strokes.png", 96));
    let options = StyleOptions {
        run: run(60),
        ..StyleOptions::default()
    };
    let outcome = transfer_style(&network(), &cat, &strokes, &options).unwrap();
    let result = outcome.image().to_rgb32f();
    let towards = |picture: &DynamicImage, result: &image::Rgb32FImage| {
        sliced_wasserstein(&picture.to_rgb32f(), result).unwrap()
    };
    let before = towards(&strokes, &cat.to_rgb32f());
    let after = towards(&strokes, &result);
    println!("style distance {before:.3} -> {after:.3}");
    assert!(after < 0.5 * before, "{before} {after}");
    let kept = psnr(&result, &cat.to_rgb32f()).unwrap();
    let nothing = psnr(&strokes.to_rgb32f(), &cat.to_rgb32f()).unwrap();
    assert!(kept > nothing, "{kept} {nothing}");
    let first = outcome.term_names().first().unwrap();
    assert_eq!(first, "content conv2_2");
}

#[test]
fn the_same_seed_makes_the_same_picture() {
    let gravel = bundled("gravel.png", 64);
    let vgg = network();
    let make = |seed| {
        let run = RunOptions { seed, ..run(10) };
        let options = TextureOptions {
            run,
            ..TextureOptions::default()
        };
        synthesize_texture(&vgg, &gravel, &options).unwrap().image()
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
}

#[test]
fn evaluations_bound_the_whole_run() {
    let gravel = bundled("gravel.png", 128);
    for evaluations in [1, 2, 7] {
        let options = TextureOptions {
            run: run(evaluations),
            ..TextureOptions::default()
        };
        let outcome = synthesize_texture(&network(), &gravel, &options).unwrap();
        assert_eq!(outcome.evaluations(), evaluations);
        assert_eq!(outcome.records().len(), evaluations);
        assert_eq!(outcome.stop_reason(), StopReason::Evaluations);
        assert_eq!(outcome.image().width(), 128);
    }
}

#[test]
fn an_observer_sees_the_run_and_may_end_it() {
    let gravel = bundled("gravel.png", 128);
    let mut seen = Vec::new();
    let mut halfway = None;
    let mut observer = |progress: &Progress<'_>| {
        seen.push((progress.scale, progress.evaluation, progress.loss()));
        assert_eq!(progress.evaluations, 60);
        assert!(
            progress
                .terms
                .iter()
                .all(|term| term.name.contains(" conv") || term.name.starts_with("colours"))
        );
        if progress.evaluation == 8 {
            halfway = Some(progress.image().unwrap());
        }
        if progress.evaluation == 9 {
            Control::Stop
        } else {
            Control::Continue
        }
    };
    let options = TextureOptions {
        run: run(60),
        ..TextureOptions::default()
    };
    let outcome =
        synthesize_texture_observed(&network(), &gravel, &options, &mut observer).unwrap();
    assert_eq!(outcome.stop_reason(), StopReason::Asked);
    assert_eq!(outcome.evaluations(), 9);
    assert_eq!(
        outcome.image().width(),
        128,
        "the picture is kept, at the size asked for"
    );
    assert_eq!(halfway.unwrap().width(), 64);
    assert_eq!(
        seen.iter().map(|(_, count, _)| *count).collect::<Vec<_>>(),
        (1..=9).collect::<Vec<_>>()
    );
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].0 != pair[1].0 || pair[1].2 <= pair[0].2)
    );
}

#[test]
fn a_start_near_the_goal_stays_there() {
    let cat = bundled("cat.png", 64);
    let options = InvertOptions {
        start: Some((&cat).into()),
        run: RunOptions {
            scales: Scales::Single,
            ..run(5)
        },
        ..InvertOptions::default()
    };
    let outcome = invert(&network(), &cat, layer("conv2_1"), &options).unwrap();
    assert!(psnr(&outcome.picture(), &cat.to_rgb32f()).unwrap() > 60.0);
    assert_eq!(outcome.stop_reason(), StopReason::Gradient);
}

#[test]
fn bounds_keep_colours_in_range() {
    let gravel = bundled("gravel.png", 64);
    let run = RunOptions {
        bounds: Some((0.0, 1.0)),
        ..run(20)
    };
    let options = TextureOptions {
        run,
        ..TextureOptions::default()
    };
    let outcome = synthesize_texture(&network(), &gravel, &options).unwrap();
    assert!(
        outcome
            .picture()
            .as_raw()
            .iter()
            .all(|value| (0.0..=1.0).contains(value))
    );
    let losses: Vec<f64> = outcome
        .records()
        .iter()
        .map(|record| record.loss())
        .collect();
    assert!(losses.last() < losses.first());
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let (vgg, gravel) = (network(), bundled("gravel.png", 64));
    let texture = |options: TextureOptions| synthesize_texture(&vgg, &gravel, &options);
    let default = TextureOptions::default;
    let named = |result: ranvgg::Result<ranvgg::Outcome>, expected: &str| match result {
        Err(Error::InvalidOption { name, .. }) => assert_eq!(name, expected),
        other => panic!("{expected}: {:?}", other.map(|_| ())),
    };
    named(
        texture(TextureOptions {
            run: run(0),
            ..default()
        }),
        "evaluations",
    );
    let size = Some(Size::new(0, 64));
    named(
        texture(TextureOptions { size, ..default() }),
        "the width of the result",
    );
    named(
        texture(TextureOptions {
            layers: Some(vec![]),
            ..default()
        }),
        "layers",
    );
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let options = TextureOptions {
            total_variation_weight: weight,
            ..default()
        };
        named(texture(options), "total variation weight");
    }
    let run = RunOptions {
        noise: -0.1,
        ..run(3)
    };
    named(texture(TextureOptions { run, ..default() }), "noise");
    let run = RunOptions {
        bounds: Some((1.0, 0.0)),
        ..self::run(3)
    };
    named(texture(TextureOptions { run, ..default() }), "bounds");
    let mut run = self::run(3);
    run.lbfgs.history = 0;
    named(texture(TextureOptions { run, ..default() }), "history");
    let scales = Scales::Octaves {
        most: 0,
        smallest: 48,
    };
    let run = RunOptions {
        scales,
        ..self::run(3)
    };
    named(texture(TextureOptions { run, ..default() }), "octaves");
    let style = |options: StyleOptions| transfer_style(&vgg, &gravel, &gravel, &options);
    let default = StyleOptions::default;
    named(
        style(StyleOptions {
            style_weight: 0.0,
            ..default()
        }),
        "style weight",
    );
    named(
        style(StyleOptions {
            content_weight: -1.0,
            ..default()
        }),
        "content weight",
    );
    named(
        style(StyleOptions {
            style_scale: 0.0,
            ..default()
        }),
        "style scale",
    );
}

#[test]
fn pictures_too_small_are_refused_by_name() {
    let vgg = network();
    let (one, small) = (bundled("gravel.png", 1), bundled("gravel.png", 24));
    let error = synthesize_texture(&vgg, &one, &TextureOptions::default()).unwrap_err();
    assert!(
        matches!(&error, Error::ImageTooSmall { what, .. } if what == "the exemplar"),
        "{error}"
    );
    let deep = TextureOptions {
        layers: Some(vec![layer("conv5_1")]),
        ..TextureOptions::default()
    };
    let error = synthesize_texture(&vgg, &small, &deep).unwrap_err();
    assert!(
        matches!(error, Error::ImageTooSmall { minimum: 32, .. }),
        "{error}"
    );
    let error = invert(&vgg, &small, layer("conv5_1"), &InvertOptions::default()).unwrap_err();
    assert!(matches!(error, Error::ImageTooSmall { .. }), "{error}");
    let error = invert(&vgg, &small, layer("fc6"), &InvertOptions::default()).unwrap_err();
    assert!(
        matches!(error, Error::ImageSize { size: 224, .. }),
        "{error}"
    );
    let error = transfer_style(&vgg, &small, &one, &StyleOptions::default());
    assert!(
        error.is_ok(),
        "a style of one pixel is resized: {:?}",
        error.err()
    );
}

#[test]
fn a_picture_that_holds_nan_is_refused() {
    let nan = burn::tensor::Tensor::<4>::full([1, 3, 64, 64], f32::NAN, &flex());
    let error = synthesize_texture(&network(), nan, &TextureOptions::default()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
}

#[test]
fn a_flat_exemplar_does_not_break_a_run() {
    let flat = burn::tensor::Tensor::<4>::full([1, 3, 64, 64], 0.25, &flex());
    let options = TextureOptions {
        run: run(40),
        ..TextureOptions::default()
    };
    let outcome = synthesize_texture(&network(), flat, &options).unwrap();
    let picture = outcome.picture();
    let values = picture.as_raw();
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    assert!((mean - 0.25).abs() < 0.02, "{mean}");
}

#[test]
fn styles_start_from_content_noise_or_a_picture() {
    let (cat, strokes) = (bundled("cat.png", 64), bundled("strokes.png", 64));
    let vgg = network();
    let start = |start| {
        let options = StyleOptions {
            start,
            run: run(1),
            ..StyleOptions::default()
        };
        let outcome = transfer_style(&vgg, &cat, &strokes, &options).unwrap();
        psnr(&outcome.picture(), &cat.to_rgb32f()).unwrap()
    };
    let (content, noise) = (start(StyleStart::Content), start(StyleStart::Noise));
    let picture = start(StyleStart::Picture((&strokes).into()));
    assert!(
        content > 20.0 && noise < 15.0 && picture < 15.0,
        "{content} {noise} {picture}"
    );
}

/// One short run on a GPU, real or software.
#[test]
fn a_texture_on_a_gpu() {
    let Some((_, device)) = gpu_device() else {
        return;
    };
    let vgg = RandomVgg::vgg19()
        .with_padding(Padding::Zero)
        .init(&device)
        .unwrap();
    let options = TextureOptions {
        layers: Some(vec![layer("conv1_1"), layer("conv1_2")]),
        run: RunOptions {
            scales: Scales::Single,
            ..run(8)
        },
        ..TextureOptions::default()
    };
    let outcome = synthesize_texture(&vgg, bundled("gravel.png", 16), &options).unwrap();
    let losses: Vec<f64> = outcome
        .records()
        .iter()
        .map(|record| record.loss())
        .collect();
    assert!(losses[7] < 0.5 * losses[0], "{losses:?}");
}

#[test]
fn an_inversion_can_be_watched() {
    let mut count = 0;
    let mut observer = |_: &Progress<'_>| {
        count += 1;
        Control::Continue
    };
    let options = InvertOptions {
        run: run(3),
        ..InvertOptions::default()
    };
    let cat = bundled("cat.png", 48);
    invert_observed(&network(), &cat, layer("conv1_1"), &options, &mut observer).unwrap();
    assert_eq!(count, 3);
}
