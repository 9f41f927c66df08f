//! Stacks of maps of one surface.

use super::{run, whitened, whitened_style};
use crate::common::{bundled, flex, layer, network};
use image::DynamicImage;
use ranvgg::{
    Colours, InvertOptions, Picture, RandomVgg, Size, invert, synthesize_texture, transfer_style,
};

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
