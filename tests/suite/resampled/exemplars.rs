//! Mixtures, regions, maps and inpainting by resampled filters.

use super::{make, mean, options};
use crate::common::{bundled, flex};
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use ranvgg::{Exemplars, Inpainting, Picture, RandomVgg, Size, synthesize_texture};

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
