//! Textures by statistics of a network.

use super::{run, whitened};
use crate::common::{bundled, flex, gpu_device, layer, network};
use image::DynamicImage;
use ranvgg::metrics::{novelty, psnr, seam, sliced_wasserstein};
use ranvgg::{Error, Exemplars, Inpainting, Padding, RandomVgg, Scales, Size, synthesize_texture};

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
fn a_flat_exemplar_does_not_break_a_run() {
    let flat = burn::tensor::Tensor::<4>::full([1, 3, 64, 64], 0.25, &flex());
    let options = whitened().with_run(run(40));
    let outcome = synthesize_texture(&network(), flat, &options, &mut ()).unwrap();
    let picture = outcome.picture();
    let values = picture.as_raw();
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    assert!((mean - 0.25).abs() < 0.02, "{mean}");
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
