//! The three tasks, whole: on real pictures, by thresholds, and with input out of range.

use std::time::Duration;

use crate::common::{bundled, flex, gpu_device};
use image::DynamicImage;
use ranvgg::error::ImageReason;
use ranvgg::metrics::{novelty, psnr, seam, sliced_wasserstein};
use ranvgg::optim::StopReason;
use ranvgg::{
    Colours, Control, Error, Exemplars, Inpainting, InvertOptions, Layer, Padding, Picture,
    Progress, RandomVgg, RunOptions, Scales, Size, Statistics, StyleOptions, StyleStart,
    TextureOptions, Vgg, device, invert, synthesize_texture, transfer_style,
};

fn network() -> Vgg {
    RandomVgg::vgg19().init(&flex()).unwrap()
}

fn layer(name: &str) -> Layer {
    name.parse().unwrap()
}

/// Statistics of a network's features; `tests/suite/resampled.rs` has the default.
fn whitened() -> TextureOptions {
    TextureOptions::default().with_statistics(Statistics::Whitened)
}

/// The same; `tests/suite/paintings.rs` has the default.
fn whitened_style() -> StyleOptions {
    StyleOptions::default().with_statistics(Statistics::Whitened)
}

fn run(evaluations: usize) -> RunOptions {
    RunOptions::default().with_evaluations(evaluations)
}

/// Decibels that a PyTorch sketch of the method reached at 160 pixels, less a margin.
#[test]
fn inversions_come_back_as_far_as_the_layer_knows() {
    let cat = bundled("cat.png", 160);
    let vgg = network();
    for (name, decibels) in [("conv1_1", 45.0), ("conv3_1", 30.0), ("pool3", 24.0)] {
        let outcome = invert(&vgg, &cat, layer(name), &InvertOptions::default(), &mut ()).unwrap();
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
    let options = whitened().with_run(run(120));
    let seam_of = |padding: Padding| {
        let vgg = RandomVgg::vgg19()
            .with_padding(padding)
            .init(&flex())
            .unwrap();
        let outcome = synthesize_texture(&vgg, &cat, &options, &mut ()).unwrap();
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
    let options = |evaluations: usize| {
        whitened()
            .with_inpainting(Inpainting::new(
                DynamicImage::from(broken.clone()),
                DynamicImage::from(mask.clone()),
            ))
            .with_run(run(evaluations))
    };
    let exemplar = bundled("gravel.png", 96);
    // Three evaluations end before the last scale is reached by far.
    for evaluations in [90, 3] {
        let outcome =
            synthesize_texture(&network(), &exemplar, &options(evaluations), &mut ()).unwrap();
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
    let refused = synthesize_texture(&network(), &exemplar, &wrong, &mut ()).unwrap_err();
    assert!(
        refused.to_string().contains("the picture to fill"),
        "{refused}"
    );
}

#[test]
fn a_mixture_has_the_colours_of_all_its_exemplars() {
    let grey = bundled("gravel.png", 64);
    let coloured = bundled("strokes.png", 64);
    let options = whitened().with_run(run(80));
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
    let outcome = synthesize_texture(&network(), mixture, &options, &mut ()).unwrap();
    let (a, b, found) = (mean(&grey), mean(&coloured), mean(&outcome.image()));
    for channel in 0..3 {
        let expected = 0.25 * a[channel] + 0.75 * b[channel];
        assert!(
            (found[channel] - expected).abs() < 0.03,
            "{a:?} {b:?} {found:?}"
        );
    }
    let none: [(&DynamicImage, f64); 0] = [];
    let refused = synthesize_texture(&network(), Exemplars::mixture(none), &options, &mut ());
    assert!(matches!(refused, Err(Error::InvalidOption { .. })));
    let refused = synthesize_texture(
        &network(),
        Exemplars::mixture([(&grey, -1.0)]),
        &options,
        &mut (),
    );
    assert!(matches!(refused, Err(Error::InvalidOption { .. })));
}

#[test]
fn a_texture_has_the_exemplars_patches_but_not_its_pixels() {
    let gravel = bundled("gravel.png", 128);
    let options = whitened().with_run(run(120));
    let outcome = synthesize_texture(&network(), &gravel, &options, &mut ()).unwrap();
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
        let options = whitened().with_size(size).with_run(run(4));
        let image = synthesize_texture(&network(), &gravel, &options, &mut ())
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
    let options = whitened_style().with_run(run(60));
    let outcome = transfer_style(&network(), &cat, &strokes, &options, &mut ()).unwrap();
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
        let run = run(10).with_seed(seed);
        let options = whitened().with_run(run);
        synthesize_texture(&vgg, &gravel, &options, &mut ())
            .unwrap()
            .image()
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
}

#[test]
fn evaluations_bound_the_whole_run() {
    let gravel = bundled("gravel.png", 128);
    for evaluations in [1, 2, 7] {
        let options = whitened().with_run(run(evaluations));
        let outcome = synthesize_texture(&network(), &gravel, &options, &mut ()).unwrap();
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
    let options = whitened().with_run(run(60));
    let outcome = synthesize_texture(&network(), &gravel, &options, &mut observer).unwrap();
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
    let options = InvertOptions::paper()
        .with_start_picture(&cat)
        .with_run(run(5).with_scales(Scales::Single));
    let outcome = invert(&network(), &cat, layer("conv2_1"), &options, &mut ()).unwrap();
    assert!(psnr(&outcome.picture(), &cat.to_rgb32f()).unwrap() > 60.0);
    assert_eq!(outcome.stop_reason(), StopReason::Gradient);
}

#[test]
fn bounds_keep_colours_in_range() {
    let gravel = bundled("gravel.png", 64);
    let run = run(20).with_bounds((0.0, 1.0));
    let options = whitened().with_run(run);
    let outcome = synthesize_texture(&network(), &gravel, &options, &mut ()).unwrap();
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
    let texture = |options: TextureOptions| synthesize_texture(&vgg, &gravel, &options, &mut ());
    let default = whitened;
    let named = |result: ranvgg::Result<ranvgg::Outcome>, expected: &str| match result {
        Err(Error::InvalidOption { name, .. }) => assert_eq!(name, expected),
        other => panic!("{expected}: {:?}", other.map(|_| ())),
    };
    named(texture(default().with_run(run(0))), "evaluations");
    let size = Size::new(0, 64);
    named(
        texture(default().with_size(size)),
        "the width of the result",
    );
    named(texture(default().with_layers([])), "layers");
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let options = default().with_total_variation_weight(weight);
        named(texture(options), "total variation weight");
    }
    let run = run(3).with_noise(-0.1);
    named(texture(default().with_run(run)), "noise");
    let run = self::run(3).with_bounds((1.0, 0.0));
    named(texture(default().with_run(run)), "bounds");
    let mut run = self::run(3);
    run.lbfgs.history = 0;
    named(texture(default().with_run(run)), "history");
    let scales = Scales::Octaves {
        most: 0,
        smallest: 48,
    };
    let run = self::run(3).with_scales(scales);
    named(texture(default().with_run(run)), "octaves");
    let style = |options: StyleOptions| transfer_style(&vgg, &gravel, &gravel, &options, &mut ());
    let default = whitened_style;
    named(style(default().with_style_weight(0.0)), "style weight");
    named(style(default().with_content_weight(-1.0)), "content weight");
    named(style(default().with_style_scale(0.0)), "style scale");
}

#[test]
fn results_too_large_for_a_buffer_of_the_device_are_refused_at_once() {
    let Some((name, device)) = gpu_device() else {
        return;
    };
    let mut listed = device::list().into_iter();
    let info = listed.find(|info| info.name.starts_with(&name)).unwrap();
    let buffer = info.largest_buffer.unwrap();
    // The first map has 64 channels of 4 bytes.
    let side = ((buffer / 256) as f64).sqrt() as usize + 1;
    let vgg = RandomVgg::vgg19().init(&device).unwrap();
    let options = whitened().with_size(Size::new(side, side));
    let mut evaluations = 0;
    let mut watch = |_: &Progress<'_>| {
        evaluations += 1;
        Control::Continue
    };
    let exemplar = bundled("gravel.png", 64);
    let refused = synthesize_texture(&vgg, exemplar, &options, &mut watch);
    assert_eq!(evaluations, 0);
    match refused {
        Err(Error::ImageSize {
            width,
            reason: ImageReason::TooLarge { map, largest },
            ..
        }) => {
            assert_eq!(width, side);
            assert!(map > largest && largest <= buffer, "{map} {largest}");
        }
        other => panic!("{:?}", other.map(|outcome| outcome.evaluations())),
    }
}

#[test]
fn pictures_too_small_are_refused_by_name() {
    let vgg = network();
    let (one, small) = (bundled("gravel.png", 1), bundled("gravel.png", 24));
    let error = synthesize_texture(&vgg, &one, &whitened(), &mut ()).unwrap_err();
    assert!(
        matches!(&error, Error::ImageSize { what, reason: ImageReason::TooSmall { .. }, .. } if what == "the exemplar"),
        "{error}"
    );
    let deep = whitened().with_layers([layer("conv5_1")]);
    let error = synthesize_texture(&vgg, &small, &deep, &mut ()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::ImageSize {
                reason: ImageReason::TooSmall { minimum: 32 },
                ..
            }
        ),
        "{error}"
    );
    let error = invert(
        &vgg,
        &small,
        layer("conv5_1"),
        &InvertOptions::default(),
        &mut (),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::ImageSize {
                reason: ImageReason::TooSmall { .. },
                ..
            }
        ),
        "{error}"
    );
    let error = invert(
        &vgg,
        &small,
        layer("fc6"),
        &InvertOptions::default(),
        &mut (),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::ImageSize {
                reason: ImageReason::Fixed { side: 224 },
                ..
            }
        ),
        "{error}"
    );
    let error = transfer_style(&vgg, &small, &one, &whitened_style(), &mut ());
    assert!(
        error.is_ok(),
        "a style of one pixel is resized: {:?}",
        error.err()
    );
}

#[test]
fn a_picture_that_holds_nan_is_refused() {
    let nan = burn::tensor::Tensor::<4>::full([1, 3, 64, 64], f32::NAN, &flex());
    let error = synthesize_texture(&network(), nan, &whitened(), &mut ()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
}

#[test]
fn a_flat_exemplar_does_not_break_a_run() {
    let flat = burn::tensor::Tensor::<4>::full([1, 3, 64, 64], 0.25, &flex());
    let options = whitened().with_run(run(40));
    let outcome = synthesize_texture(&network(), flat, &options, &mut ()).unwrap();
    let picture = outcome.picture();
    let values = picture.as_raw();
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    assert!((mean - 0.25).abs() < 0.02, "{mean}");
}

#[test]
fn styles_start_from_content_noise_or_a_picture() {
    let (cat, strokes) = (bundled("cat.png", 64), bundled("strokes.png", 64));
    let vgg = network();
    let start = |options: StyleOptions| {
        let options = options.with_evaluations(1);
        let outcome = transfer_style(&vgg, &cat, &strokes, &options, &mut ()).unwrap();
        psnr(&outcome.picture(), &cat.to_rgb32f()).unwrap()
    };
    let content = start(whitened_style());
    let noise = start(whitened_style().with_start(StyleStart::Noise));
    let picture = start(whitened_style().with_start_picture(&strokes));
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
    let options = whitened()
        .with_layers([layer("conv1_1"), layer("conv1_2")])
        .with_run(run(8).with_scales(Scales::Single));
    let outcome = synthesize_texture(&vgg, bundled("gravel.png", 16), &options, &mut ()).unwrap();
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
    let options = InvertOptions::default().with_run(run(3));
    let cat = bundled("cat.png", 48);
    invert(&network(), &cat, layer("conv1_1"), &options, &mut observer).unwrap();
    assert_eq!(count, 3);
}

/// A picture of gravel, its negative light in 16 bits, and a map that follows its reds.
fn surface(side: u32) -> [DynamicImage; 3] {
    let albedo = bundled("gravel.png", side).to_rgb8();
    let light = |pixel: &image::Rgb<u8>| pixel.0.iter().map(|v| u16::from(*v)).sum::<u16>() / 3;
    let height = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(side, side, |x, y| {
        image::Luma([(255 - light(albedo.get_pixel(x, y))) * 257])
    });
    let roughness = image::GrayImage::from_fn(side, side, |x, y| {
        image::Luma([albedo.get_pixel(x, y).0[0]])
    });
    [albedo.into(), height.into(), roughness.into()]
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut product, mut squares_a, mut squares_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        product += (x - mean_a) * (y - mean_b);
        squares_a += (x - mean_a).powi(2);
        squares_b += (y - mean_b).powi(2);
    }
    product / (squares_a * squares_b).sqrt()
}

#[test]
fn maps_made_together_stay_registered_and_keep_their_depth() {
    let stack = Picture::maps(surface(96));
    assert_eq!(stack.channels(), 5);
    let vgg = RandomVgg::vgg19()
        .with_channels(stack.channels())
        .init(&flex())
        .unwrap();
    let options = whitened().with_size(Size::new(112, 96)).with_run(run(100));
    let outcome = synthesize_texture(&vgg, stack, &options, &mut ()).unwrap();
    let maps = outcome.maps();
    let kinds: Vec<image::ColorType> = maps.iter().map(DynamicImage::color).collect();
    let expected = [
        image::ColorType::Rgb8,
        image::ColorType::L16,
        image::ColorType::L8,
    ];
    assert_eq!(kinds, expected);
    let [albedo, height, roughness] = &maps[..] else {
        panic!("{} maps", maps.len());
    };
    assert_eq!((albedo.width(), albedo.height()), (112, 96));
    assert_eq!(outcome.tensor().dims(), [1, 5, 96, 112]);
    let albedo = albedo.to_rgb8();
    let channel = |image: &DynamicImage| -> Vec<f64> {
        let values = image.to_luma32f().into_raw();
        values.into_iter().map(f64::from).collect()
    };
    let light: Vec<f64> = albedo
        .pixels()
        .map(|pixel| pixel.0.iter().map(|v| f64::from(*v)).sum())
        .collect();
    let reds: Vec<f64> = albedo.pixels().map(|pixel| f64::from(pixel.0[0])).collect();
    let (down, along) = (
        correlation(&light, &channel(height)),
        correlation(&reds, &channel(roughness)),
    );
    println!("height against light {down:.3}, roughness against red {along:.3}");
    assert!(down < -0.9, "{down}");
    assert!(along > 0.9, "{along}");
    // More than 8 bits: not every value is a multiple of 257.
    let deep = height.to_luma16();
    assert!(deep.pixels().any(|pixel| pixel.0[0] % 257 != 0));
}

#[test]
fn a_network_takes_pictures_of_its_own_channels_only() {
    let message = |result: ranvgg::Result<ranvgg::Outcome>| result.unwrap_err().to_string();
    let options = whitened();
    let stack = Picture::maps(surface(64));
    let refused = message(synthesize_texture(
        &network(),
        stack.clone(),
        &options,
        &mut (),
    ));
    assert_eq!(refused, "the exemplar has 5 channels; the network reads 3");
    let five = RandomVgg::vgg19().with_channels(5).init(&flex()).unwrap();
    let refused = message(invert(
        &five,
        bundled("cat.png", 64),
        layer("conv1_1"),
        &InvertOptions::default(),
        &mut (),
    ));
    assert_eq!(refused, "the picture has 3 channels; the network reads 5");
    let [albedo, height, _] = surface(64);
    let [_, other, _] = surface(48);
    let uneven = Picture::maps([albedo, other]);
    let refused = message(synthesize_texture(&five, uneven, &options, &mut ()));
    assert!(refused.contains("map 2 of the exemplar"), "{refused}");
    let refused = message(synthesize_texture(
        &five,
        Picture::maps([]),
        &options,
        &mut (),
    ));
    assert!(refused.contains("at least one pixel"), "{refused}");
    let colours = whitened_style().with_colours(Colours::Luminance);
    let one = RandomVgg::vgg19().with_channels(1).init(&flex()).unwrap();
    let grey = || Picture::maps([height.clone()]);
    let refused = message(transfer_style(&one, grey(), grey(), &colours, &mut ()));
    assert!(refused.contains("three channels"), "{refused}");
    let none = RandomVgg::vgg19().with_channels(0).init(&flex());
    assert!(none.unwrap_err().to_string().contains("1 to 64"));
}

fn flat(colour: [u8; 3], side: u32) -> DynamicImage {
    image::RgbImage::from_pixel(side, side, image::Rgb(colour)).into()
}

/// White on the left half.
fn left_half(width: u32, height: u32) -> DynamicImage {
    image::GrayImage::from_fn(width, height, |x, _| {
        image::Luma([if x < width / 2 { 255 } else { 0 }])
    })
    .into()
}

/// The mean of one channel, 0 to 255, over columns of a picture.
fn mean_of_columns(image: &DynamicImage, channel: usize, columns: std::ops::Range<u32>) -> f64 {
    let image = image.to_rgb8();
    let pixels = image
        .enumerate_pixels()
        .filter(|(x, _, _)| columns.contains(x));
    let values: Vec<f64> = pixels
        .map(|(_, _, pixel)| f64::from(pixel.0[channel]))
        .collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn each_region_has_the_texture_of_its_own_exemplar() {
    // Gravel, reddened and made green.
    let tinted = |keep: usize| -> DynamicImage {
        let mut picture = bundled("gravel.png", 96).to_rgb8();
        for pixel in picture.pixels_mut() {
            for (channel, value) in pixel.0.iter_mut().enumerate() {
                *value = if channel == keep { *value } else { *value / 4 };
            }
        }
        picture.into()
    };
    let (left, mut right) = (left_half(80, 64), left_half(80, 64));
    right.invert();
    let exemplars = Exemplars::regions([(tinted(0).into(), left), (tinted(1).into(), right)]);
    let options = whitened().with_size(Size::new(120, 96)).with_run(run(80));
    let result = synthesize_texture(&network(), exemplars, &options, &mut ()).unwrap();
    let result = result.image();
    let (gravel, dark) = (
        mean_of_columns(&tinted(0), 0, 0..96),
        mean_of_columns(&tinted(0), 1, 0..96),
    );
    for (channel, columns, expected) in [
        (0, 0..55, gravel),
        (1, 0..55, dark),
        (0, 65..120, dark),
        (1, 65..120, gravel),
    ] {
        let found = mean_of_columns(&result, channel, columns.clone());
        println!("channel {channel}, columns {columns:?}: {found:.0} of {expected:.0}");
        assert!(
            (found - expected).abs() < 12.0,
            "{channel} {columns:?}: {found} {expected}"
        );
    }
}

#[test]
fn a_part_of_a_picture_is_an_exemplar() {
    // Red on the left, blue on the right, of which only the left counts.
    let two = image::RgbImage::from_fn(64, 64, |x, y| {
        let grain = (x * 31 + y * 17 + x * y) as u8 % 64;
        image::Rgb(if x < 32 {
            [180 + grain, 20, 20]
        } else {
            [20, 20, 180 + grain]
        })
    });
    let exemplars = Exemplars::part(DynamicImage::from(two), left_half(64, 64));
    let options = whitened().with_run(run(40));
    let result = synthesize_texture(&network(), exemplars, &options, &mut ()).unwrap();
    let blue = mean_of_columns(&result.image(), 2, 0..64);
    let red = mean_of_columns(&result.image(), 0, 0..64);
    assert!(blue < 60.0 && red > 180.0, "{red} {blue}");
}

#[test]
fn masks_and_regions_that_say_nothing_are_refused() {
    let options = whitened();
    let message = |exemplars: Exemplars| {
        let result = synthesize_texture(&network(), exemplars, &options, &mut ());
        result.unwrap_err().to_string()
    };
    let gravel = || bundled("gravel.png", 64);
    let black = || flat([0; 3], 64);
    let refused = message(Exemplars::regions([(gravel().into(), black())]));
    assert!(refused.contains("white somewhere"), "{refused}");
    let refused = message(Exemplars::part(gravel(), black()));
    assert!(refused.contains("the mask of the exemplar"), "{refused}");
    let refused = message(Exemplars::part(gravel(), left_half(32, 64)));
    assert!(refused.contains("[64, 64]"), "{refused}");
    let inner = Exemplars::regions([(gravel().into(), left_half(64, 64))]);
    let refused = message(Exemplars::regions([(inner, left_half(64, 64))]));
    assert!(refused.contains("within a region"), "{refused}");
    let none: [(Exemplars, DynamicImage); 0] = [];
    assert!(message(Exemplars::regions(none)).contains("at least one"));
}

#[test]
fn a_style_and_a_content_keep_to_their_places() {
    let (cat, strokes) = (bundled("cat.png", 96), bundled("strokes.png", 96));
    let apart = |a: &DynamicImage, columns: std::ops::Range<u32>| {
        let (a, b) = (a.to_rgb8(), cat.to_rgb8());
        let pixels = a.enumerate_pixels().filter(|(x, _, _)| columns.contains(x));
        let differences: Vec<f64> = pixels
            .map(|(x, y, pixel)| (f64::from(pixel.0[1]) - f64::from(b.get_pixel(x, y).0[1])).abs())
            .collect();
        differences.iter().sum::<f64>() / differences.len() as f64
    };
    let options = whitened_style().with_run(run(60));
    // Painted on the left alone.
    let left = Exemplars::regions([(strokes.clone().into(), left_half(96, 96))]);
    let result = transfer_style(&network(), &cat, left, &options, &mut ()).unwrap();
    let (painted, spared) = (
        apart(&result.image(), 0..40),
        apart(&result.image(), 60..96),
    );
    println!("style on the left: {painted:.1} there, {spared:.1} elsewhere");
    assert!(painted > 4.0 * spared, "{painted} {spared}");
    // Kept on the left alone.
    let options = options
        .with_content_mask(left_half(96, 96))
        .with_content_layer(layer("conv1_2"))
        .with_content_weight(100.0);
    let result = transfer_style(&network(), &cat, &strokes, &options, &mut ()).unwrap();
    let (kept, free) = (
        apart(&result.image(), 0..40),
        apart(&result.image(), 60..96),
    );
    println!("content on the left: {kept:.1} there, {free:.1} elsewhere");
    assert!(free > 1.5 * kept, "{free} {kept}");
}

#[test]
fn colours_can_be_those_of_the_content() {
    let (cat, strokes) = (bundled("cat.png", 80), bundled("strokes.png", 80));
    let result = |colours: Colours| {
        let options = whitened_style().with_colours(colours).with_run(run(40));
        transfer_style(&network(), &cat, &strokes, &options, &mut ())
            .unwrap()
            .picture()
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

/// What one picture repeated side by side tells of weights: the same statistics in many times the
/// pixels, so the same weights must give the same terms.
#[test]
fn a_weight_means_the_same_at_every_size() {
    let repeated = |name: &str, side: u32, times: u32| -> DynamicImage {
        let tile = bundled(name, side).to_rgb8();
        image::RgbImage::from_fn(side * times, side * times, |x, y| {
            *tile.get_pixel(x % side, y % side)
        })
        .into()
    };
    // A network that wraps sees no border, of which the large one has relatively less.
    let vgg = RandomVgg::vgg19()
        .with_padding(Padding::Circular)
        .init(&flex())
        .unwrap();
    let compare = |statistics: Statistics, side: u32, of_covariances: f64| {
        let terms = |times: u32| {
            let repeated = |name: &str| repeated(name, side, times);
            let options = whitened_style()
                .with_statistics(statistics)
                .with_run(
                    RunOptions::default()
                        .with_evaluations(1)
                        .with_scales(Scales::Single),
                )
                .with_start_picture(repeated("gravel.png"))
                .with_total_variation_weight(0.1);
            let (content, style) = (repeated("cat.png"), repeated("strokes.png"));
            let outcome = transfer_style(&vgg, content, style, &options, &mut ()).unwrap();
            let names = outcome.term_names().to_vec();
            let terms = outcome.records()[0].terms.clone();
            names.into_iter().zip(terms).collect::<Vec<_>>()
        };
        let (small, large) = (terms(1), terms(3));
        assert!(small.len() >= 9, "{small:?}");
        for ((name, small), (_, large)) in small.iter().zip(&large) {
            println!("{side} {name}: {small:.4} and {large:.4}");
            let tolerance = match name.starts_with("covariance") {
                true => of_covariances,
                false => 0.1,
            };
            assert!(
                (large / small - 1.0).abs() < tolerance,
                "{name}: {small} {large}"
            );
        }
    };
    compare(Statistics::Moments, 192, 0.1);
    // The metric of whitened covariances trusts weak directions the more, the more samples it has.
    compare(Statistics::Whitened, 192, 0.5);
}

#[test]
fn a_run_ends_when_its_time_is_up_at_its_last_scale() {
    let mut sizes = Vec::new();
    let mut watch = |progress: &Progress<'_>| {
        sizes.push(progress.scale);
        Control::Continue
    };
    let options = whitened().with_run(
        RunOptions::default()
            .with_evaluations(100_000)
            .with_time_limit(Duration::from_secs(3)),
    );
    let exemplar = bundled("gravel.png", 112);
    let outcome = synthesize_texture(&network(), &exemplar, &options, &mut watch).unwrap();
    assert_eq!(outcome.stop_reason(), StopReason::Time);
    assert!(
        outcome.elapsed() < Duration::from_secs(8),
        "{:?}",
        outcome.elapsed()
    );
    assert_eq!(sizes.last(), Some(&1));
    let first = sizes.iter().filter(|scale| **scale == 0).count();
    assert!(
        first > 1 && sizes.len() - first > 1,
        "{first} of {}",
        sizes.len()
    );
    let mut options = options.clone();
    options.run.time_limit = Some(Duration::ZERO);
    let refused = synthesize_texture(&network(), &exemplar, &options, &mut ());
    assert!(refused.unwrap_err().to_string().contains("time limit"));
}
