//! Textures by resampled filters, the default, as a user makes them.

mod exemplars;
mod structure;

use crate::common::{bundled, flex};
use image::{DynamicImage, Rgb, RgbImage};
use ranvgg::metrics::{filter_responses, novelty, seam};
use ranvgg::run::StopReason;
use ranvgg::{
    Control, Exemplars, Layer, Outcome, Padding, Picture, Progress, RandomVgg, RunOptions, Scales,
    Size, Statistics, TextureOptions, Vgg, synthesize_texture,
};
use std::time::Duration;

fn network(padding: Padding) -> Vgg {
    let network = RandomVgg::vgg19().with_padding(padding);
    network.init(&flex()).unwrap()
}

fn options(evaluations: usize) -> TextureOptions {
    TextureOptions::default().with_run(RunOptions::default().with_evaluations(evaluations))
}

fn make(exemplar: impl Into<Exemplars>, options: &TextureOptions) -> Outcome {
    synthesize_texture(&network(Padding::Reflect), exemplar, options, &mut ()).unwrap()
}

/// The mean colour of the pixels for which `holds`.
fn mean(image: &RgbImage, holds: impl Fn(u32, u32) -> bool) -> [f64; 3] {
    let (mut sums, mut count) = ([0.0; 3], 0.0);
    let counting = image.enumerate_pixels().filter(|(x, y, _)| holds(*x, *y));
    for (_, _, pixel) in counting {
        count += 1.0;
        for (sum, value) in sums.iter_mut().zip(pixel.0) {
            *sum += f64::from(value);
        }
    }
    sums.map(|sum| sum / count)
}

#[test]
fn a_texture_is_like_its_exemplar_and_no_copy() {
    let gravel = bundled("gravel.png", 112);
    let outcome = make(&gravel, &TextureOptions::default());
    let (found, exemplar) = (outcome.image().to_rgb32f(), gravel.to_rgb32f());
    // A metric that shares no code with the objective; noise of the same colours has above 1.
    let distance = filter_responses(&exemplar, &found).unwrap();
    println!("filter responses {distance:.3}");
    assert!(distance < 0.15, "{distance}");
    let novelty = novelty(&exemplar, &found).unwrap();
    println!("{novelty:?}");
    assert!(
        novelty.coherent < 0.35 && novelty.in_place < 0.1,
        "{novelty:?}"
    );
    assert_eq!(outcome.stop_reason(), StopReason::Evaluations);
    assert_eq!(outcome.term_names(), ["patches"]);
}

#[test]
fn fresh_filters_make_better_textures_than_fixed_ones() {
    let gravel = bundled("gravel.png", 96).to_rgb32f();
    let distance = |steps_per_draw: usize| {
        let options = options(300).with_steps_per_draw(steps_per_draw);
        let found = make(bundled("gravel.png", 96), &options).image();
        filter_responses(&gravel, &found.to_rgb32f()).unwrap()
    };
    let (fresh, fixed) = (distance(1), distance(usize::MAX));
    println!("filter responses: {fresh:.3} fresh, {fixed:.3} fixed");
    assert!(fresh < 0.9 * fixed, "{fresh} {fixed}");
}

#[test]
fn a_network_that_wraps_makes_a_tile() {
    let cat = bundled("cat.png", 96);
    let seam_of = |padding: Padding| {
        let outcome = synthesize_texture(&network(padding), &cat, &options(240), &mut ()).unwrap();
        seam(&outcome.image().to_rgb32f()).unwrap()
    };
    let (wrapped, other) = (seam_of(Padding::Circular), seam_of(Padding::Reflect));
    println!("seams: wrapped {wrapped:.2}, not {other:.2}");
    assert!(wrapped < 1.4 && other > 1.5 * wrapped, "{wrapped} {other}");
}

#[test]
fn what_one_run_makes_the_next_can_take() {
    let gravel = bundled("gravel.png", 48);
    let first = make(&gravel, &options(8));
    let options = options(8)
        .with_start_picture(&first)
        .with_size(Size::square(64));
    for exemplar in [Picture::from(&first), Picture::from(first.picture())] {
        let second = make(exemplar, &options);
        assert_eq!(second.image().width(), 64);
    }
}

#[test]
fn the_size_is_free_and_the_seed_decides() {
    let gravel = bundled("gravel.png", 64);
    for size in [
        Size::new(150, 40),
        Size::new(33, 97),
        Size::new(1, 1),
        Size::new(9, 200),
    ] {
        let options = options(8).with_size(size);
        let image = make(&gravel, &options).image();
        assert_eq!(
            (image.width(), image.height()),
            (size.width as u32, size.height as u32)
        );
    }
    let of_seed = |seed: u64| {
        let mut options = options(16);
        options.run.seed = seed;
        make(&gravel, &options).image()
    };
    assert_eq!(of_seed(3), of_seed(3));
    assert_ne!(of_seed(3), of_seed(4));
    // The network's seed is that of the filters.
    let other = RandomVgg::vgg19().with_seed(1).init(&flex()).unwrap();
    let mut options = options(16);
    options.run.seed = 3;
    let image = synthesize_texture(&other, &gravel, &options, &mut ())
        .unwrap()
        .image();
    assert_ne!(image, of_seed(3));
}

#[test]
fn a_run_is_watched_stopped_and_limited() {
    let gravel = bundled("gravel.png", 96);
    let vgg = network(Padding::Reflect);
    let mut pictures = Vec::new();
    let mut watch = |progress: &Progress<'_>| {
        if progress.evaluation == 5 {
            pictures.push(progress.image().unwrap());
            return Control::Stop;
        }
        Control::Continue
    };
    let outcome = synthesize_texture(&vgg, &gravel, &options(80), &mut watch).unwrap();
    assert_eq!(outcome.stop_reason(), StopReason::Stopped);
    assert_eq!((outcome.evaluations(), outcome.records().len()), (5, 5));
    assert_eq!(outcome.image().width(), 96);
    assert_eq!(pictures[0].width(), 25);

    for evaluations in [1, 2, 7] {
        let outcome = make(&gravel, &options(evaluations));
        assert_eq!(outcome.evaluations(), evaluations);
        assert_eq!(outcome.image().width(), 96);
    }
    let mut limited = options(1_000_000);
    limited.run.time_limit = Some(Duration::from_secs(2));
    let outcome = make(&gravel, &limited);
    assert_eq!(outcome.stop_reason(), StopReason::Time);
    assert!(
        outcome.elapsed() < Duration::from_secs(4),
        "{:?}",
        outcome.elapsed()
    );
    let last = outcome.records().last().unwrap();
    assert!(last.scale >= 4, "the last size was not reached");
}

#[test]
fn colours_stay_in_bounds_and_the_distance_falls() {
    let gravel = bundled("gravel.png", 80);
    let mut options = options(60);
    options.run.bounds = Some((0.0, 1.0));
    options.run.scales = Scales::Single;
    let outcome = make(&gravel, &options);
    let picture = outcome.picture();
    assert!(
        picture
            .as_raw()
            .iter()
            .all(|value| (0.0..=1.0).contains(value))
    );
    let losses: Vec<f64> = outcome
        .records()
        .iter()
        .map(|record| record.loss())
        .collect();
    let (first, last) = (losses[0], losses[59]);
    assert!(last < 0.3 * first, "{first} {last}");
}

#[test]
fn options_that_say_nothing_here_are_refused() {
    let gravel = bundled("gravel.png", 48);
    let vgg = network(Padding::Reflect);
    let refused = |options: TextureOptions, named: &str| match synthesize_texture(
        &vgg,
        &gravel,
        &options,
        &mut (),
    ) {
        Err(error) => assert!(error.to_string().contains(named), "{error}"),
        Ok(_) => panic!("{named}"),
    };
    let layers: [Layer; 1] = ["conv1_1".parse().unwrap()];
    refused(options(3).with_layers(layers), "conv1_1");
    let total_variation_weight = 0.5;
    let options_with = options(3).with_total_variation_weight(total_variation_weight);
    refused(options_with, "total variation weight");
    let never = options(3).with_steps_per_draw(0);
    refused(never, "steps per draw");
    let nearest = |nearest_weight: f64, statistics: Statistics| {
        options(3)
            .with_nearest_weight(nearest_weight)
            .with_statistics(statistics)
    };
    refused(nearest(-1.0, Statistics::Resampled), "nearest weight");
    refused(nearest(1.0, Statistics::Whitened), "nearest weight");
    let two = Exemplars::mixture([(&gravel, 1.0), (&gravel, 1.0)]);
    let error =
        synthesize_texture(&vgg, two, &nearest(1.0, Statistics::Resampled), &mut ()).unwrap_err();
    assert!(error.to_string().contains("several exemplars"), "{error}");
    for scale in [0.0, -1.0, f64::NAN] {
        refused(
            options(3).with_exemplar_scale(scale),
            "the exemplar's scale",
        );
    }
}

#[test]
fn a_flat_or_tiny_exemplar_does_not_break_a_run() {
    for side in [1, 2, 3, 64] {
        let flat = RgbImage::from_pixel(side, side, Rgb([64, 64, 64]));
        let options = options(60).with_size(Size::square(40));
        let found = mean(
            &make(DynamicImage::from(flat), &options).image().to_rgb8(),
            |_, _| true,
        );
        assert!((found[0] - 64.0).abs() < 6.0, "{side}: {found:?}");
    }
}
