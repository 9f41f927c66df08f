//! Periods, nearest patches and sizes: what keeps the structure of an exemplar.

use super::{make, network, options};
use crate::common::bundled;
use image::{DynamicImage, Rgb, RgbImage};
use ranvgg::metrics::order;
use ranvgg::{Padding, Size, TextureOptions, synthesize_texture};

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
