//! Paintings by statistics of a network.

use super::{run, whitened_style};
use crate::common::{bundled, flex, network};
use image::DynamicImage;
use ranvgg::metrics::{psnr, sliced_wasserstein};
use ranvgg::{
    Colours, Padding, RandomVgg, RunOptions, Scales, Statistics, StyleOptions, StyleStart,
    transfer_style,
};

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
