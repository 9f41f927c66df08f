//! Textures by resampled filters, the default, as a user makes them.

use std::time::Duration;

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use ranvgg::metrics::{filter_responses, novelty, order, seam};
use ranvgg::optim::StopReason;
use ranvgg::{
    Control, Exemplars, Inpainting, Layer, Outcome, Padding, Picture, Progress, RandomVgg,
    RunOptions, Scales, Size, Statistics, TextureOptions, Vgg, synthesize_texture,
};

use crate::common::{bundled, flex};

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
fn kept_pixels_stay_and_the_hole_is_filled() {
    let gravel = bundled("gravel.png", 96).to_rgb8();
    let hole = |x: u32, y: u32| (30..66).contains(&x) && (24..60).contains(&y);
    let mut broken = gravel.clone();
    let mut mask = GrayImage::new(96, 96);
    for (x, y, pixel) in broken
        .enumerate_pixels_mut()
        .filter(|(x, y, _)| hole(*x, *y))
    {
        *pixel = Rgb([255, 0, 255]);
        mask.put_pixel(x, y, Luma([255]));
    }
    for evaluations in [160, 3] {
        let options = options(evaluations).with_inpainting(Inpainting::new(
            DynamicImage::from(broken.clone()),
            DynamicImage::from(mask.clone()),
        ));
        let found = make(DynamicImage::from(gravel.clone()), &options)
            .image()
            .to_rgb8();
        for (x, y, pixel) in found.enumerate_pixels().filter(|(x, y, _)| !hole(*x, *y)) {
            assert_eq!(pixel, broken.get_pixel(x, y));
        }
        if evaluations > 100 {
            let (inside, outside) = (mean(&found, hole), mean(&gravel, |x, y| !hole(x, y)));
            for (inside, outside) in inside.iter().zip(outside) {
                assert!((inside - outside).abs() < 25.0, "{inside} {outside}");
            }
        }
    }
}

/// Light squares in a dark ground, rows shifted by half a period; no two squares have the same colour.
fn weave(side: u32) -> DynamicImage {
    let image = RgbImage::from_fn(side, side, |x, y| {
        let row = y / 18;
        let x = x + 14 * (row % 2);
        let inside = (3..15).contains(&(y % 18)) && (4..18).contains(&(x % 28));
        let number = f64::from(row * 31 + x / 28 * 17);
        let shade = (20.0 * (number * 2.7).sin()) as i32;
        let grain = ((x * 7 + y * 13) % 11) as i32;
        let level = |base: i32| (base + shade + grain).clamp(0, 255) as u8;
        match inside {
            true => Rgb([level(200), level(160), level(100)]),
            false => Rgb([60 + grain as u8, 40, 30]),
        }
    });
    image.into()
}

#[test]
fn what_repeats_itself_keeps_its_periods() {
    let exemplar = weave(120);
    let disorder = |periods: bool, size: Option<Size>, padding: Padding| {
        let mut options = options(300).with_periods(periods);
        options.size = size;
        let outcome = synthesize_texture(&network(padding), &exemplar, &options, &mut ()).unwrap();
        let image = outcome.image().crop_imm(0, 0, 120, 120).to_rgb32f();
        order(&exemplar.to_rgb32f(), &image).unwrap().luminance
    };
    let without = disorder(false, None, Padding::Reflect);
    let with = disorder(true, None, Padding::Reflect);
    let larger = disorder(true, Some(Size::new(150, 190)), Padding::Reflect);
    // Whole periods fit into a tile of this size: 140 = 5 x 28, 144 = 4 x 36.
    let tile = disorder(true, Some(Size::new(140, 144)), Padding::Circular);
    println!("disorder: {without:.3} without periods; {with:.3}, {larger:.3}, {tile:.3}");
    for with in [with, larger, tile] {
        assert!(with < 0.1 && with < 0.6 * without, "{with} {without}");
    }
}

/// The mean distance of 8x8 patches from the nearest ones of another picture.
fn from_nearest(image: &RgbImage, exemplar: &RgbImage) -> f64 {
    let patch = |image: &RgbImage, x: u32, y: u32| -> Vec<f64> {
        let pixels = (0..64).flat_map(|i| image.get_pixel(x + i % 8, y + i / 8).0);
        pixels.map(f64::from).collect()
    };
    let places = |image: &RgbImage, step: usize| -> Vec<(u32, u32)> {
        let (width, height) = (image.width() - 7, image.height() - 7);
        let rows = (0..height).step_by(step);
        rows.flat_map(|y| (0..width).step_by(step).map(move |x| (x, y)))
            .collect()
    };
    let candidates: Vec<Vec<f64>> = places(exemplar, 1)
        .into_iter()
        .map(|(x, y)| patch(exemplar, x, y))
        .collect();
    let distances = places(image, 11).into_iter().map(|(x, y)| {
        let query = patch(image, x, y);
        let distance = |candidate: &Vec<f64>| -> f64 {
            candidate
                .iter()
                .zip(&query)
                .map(|(a, b)| (a - b).powi(2))
                .sum()
        };
        let least = candidates
            .iter()
            .map(distance)
            .fold(f64::INFINITY, f64::min);
        (least / 192.0).sqrt()
    });
    let distances: Vec<f64> = distances.collect();
    distances.iter().sum::<f64>() / distances.len() as f64
}

/// Rings of several colours, not in rows.
fn rings(side: u32) -> DynamicImage {
    let image = RgbImage::from_fn(side, side, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        for number in 0..36 {
            let (row, column) = (f64::from(number / 6), f64::from(number % 6));
            let jitter = |phase: f64| 4.0 * (f64::from(number) * phase).sin();
            let middle = (
                16.0 * column + 8.0 + jitter(2.3),
                16.0 * row + 8.0 + jitter(3.7),
            );
            let away = (x - middle.0).hypot(y - middle.1);
            if away < 7.0 {
                let colours = [[200, 60, 40], [60, 160, 70], [70, 90, 190]];
                let colour = colours[number as usize * 7 % 3];
                return if away > 4.5 {
                    Rgb([235, 225, 200])
                } else {
                    Rgb(colour)
                };
            }
        }
        Rgb([40, 35, 30])
    });
    image.into()
}

#[test]
fn nearest_patches_pull() {
    let exemplar = rings(96);
    let away = |nearest_weight: f64| {
        let options = options(400).with_nearest_weight(nearest_weight);
        from_nearest(
            &make(&exemplar, &options).image().to_rgb8(),
            &exemplar.to_rgb8(),
        )
    };
    let (without, with) = (away(0.0), away(2.0));
    println!("from the nearest patches: {without:.1} without, {with:.1} with a pull");
    assert!(with < 0.85 * without, "{without} {with}");
}

#[test]
fn mixtures_have_the_colours_of_their_shares() {
    let plain = |colour: [u8; 3]| DynamicImage::from(RgbImage::from_pixel(64, 64, Rgb(colour)));
    let mixture = Exemplars::mixture([(plain([40, 40, 200]), 1.0), (plain([200, 40, 40]), 3.0)]);
    let found = mean(&make(mixture, &options(160)).image().to_rgb8(), |_, _| true);
    // A quarter blue, three quarters red.
    for (found, expected) in found.iter().zip([160.0, 40.0, 80.0]) {
        assert!((found - expected).abs() < 15.0, "{found} {expected}");
    }
}

#[test]
fn regions_have_their_own_exemplars() {
    let plain = |colour: [u8; 3]| DynamicImage::from(RgbImage::from_pixel(48, 48, Rgb(colour)));
    let half = |left: bool| {
        DynamicImage::from(GrayImage::from_fn(48, 48, |x, _| {
            Luma([if (x < 24) == left { 255 } else { 0 }])
        }))
    };
    let regions = Exemplars::regions([
        (plain([220, 30, 30]).into(), half(true)),
        (plain([30, 30, 220]).into(), half(false)),
    ]);
    let options = options(200).with_size(Size::new(100, 60));
    let found = make(regions, &options).image().to_rgb8();
    let (left, right) = (mean(&found, |x, _| x < 42), mean(&found, |x, _| x > 58));
    assert!(left[0] > 190.0 && left[2] < 60.0, "{left:?}");
    assert!(right[0] < 60.0 && right[2] > 190.0, "{right:?}");

    // A mask says what counts of a picture.
    let mut picture = RgbImage::from_pixel(48, 48, Rgb([200, 200, 30]));
    for (_, _, pixel) in picture.enumerate_pixels_mut().filter(|(x, ..)| *x >= 24) {
        *pixel = Rgb([0, 0, 0]);
    }
    let part = Exemplars::part(DynamicImage::from(picture), half(true));
    let found = mean(
        &make(part, &self::options(120)).image().to_rgb8(),
        |_, _| true,
    );
    assert!(found[0] > 170.0 && found[2] < 60.0, "{found:?}");
}

#[test]
fn maps_of_one_surface_stay_registered() {
    // Height is the green channel's negative: in the result as well.
    let albedo = bundled("gravel.png", 96).to_rgb8();
    let height = GrayImage::from_fn(96, 96, |x, y| Luma([255 - albedo.get_pixel(x, y).0[1]]));
    let stack = Picture::maps([DynamicImage::from(albedo), DynamicImage::from(height)]);
    let vgg = RandomVgg::vgg19().with_channels(4).init(&flex()).unwrap();
    let maps = synthesize_texture(&vgg, stack, &options(320), &mut ())
        .unwrap()
        .maps();
    let (albedo, height) = (maps[0].to_rgb8(), maps[1].to_luma8());
    let pairs = albedo.pixels().zip(height.pixels());
    let apart = pairs.map(|(a, h)| (255.0 - f64::from(a.0[1]) - f64::from(h.0[0])).abs());
    let apart = apart.sum::<f64>() / f64::from(albedo.width() * albedo.height());
    println!("apart by {apart:.1} of 255");
    assert!(apart < 12.0, "{apart}");
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
    assert_eq!(outcome.stop_reason(), StopReason::Asked);
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
fn exemplars_much_larger_than_the_result_are_reduced() {
    let size = |given: (usize, usize), scale: Option<f64>, result: usize| {
        let mut options = TextureOptions::default();
        options.exemplar_scale = scale;
        let given = Size::new(given.0, given.1);
        let size = options.exemplar_size(given, Size::square(result));
        (size.width, size.height)
    };
    assert_eq!(size((3872, 2592), None, 200), (448, 300));
    assert_eq!(size((300, 256), None, 256), (300, 256));
    assert_eq!(size((300, 256), None, 64), (113, 96));
    assert_eq!(size((300, 256), None, 1024), (300, 256));
    assert_eq!(size((3872, 2592), Some(1.0), 200), (3872, 2592));
    assert_eq!(size((300, 200), Some(0.5), 200), (150, 100));
    // Without a size the result is as large as the exemplar, brought to its scale.
    let options = options(4).with_exemplar_scale(0.5);
    assert_eq!(
        make(bundled("gravel.png", 96), &options).image().width(),
        48
    );
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
