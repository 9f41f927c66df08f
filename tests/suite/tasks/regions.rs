//! Exemplars, styles and contents in parts of a picture.

use super::{run, whitened, whitened_style};
use crate::common::{bundled, layer, left_half, network, plain};
use image::DynamicImage;
use ranvgg::{Exemplars, Size, synthesize_texture, transfer_style};

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
    let black = || plain([0; 3], 64);
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
