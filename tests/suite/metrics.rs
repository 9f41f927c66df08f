//! Metrics against scikit-image and NumPy.

use image::Rgb32FImage;
use ranvgg::imaging::{self, Limits};
use ranvgg::metrics::{filter_responses, novelty, order, psnr, seam, sliced_wasserstein, ssim};

fn load_whole(name: &str) -> Rgb32FImage {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/images")
        .join(name);
    let image = imaging::open(path, Limits::default()).unwrap();
    image.to_rgb32f()
}

fn load(name: &str) -> Rgb32FImage {
    image::imageops::crop_imm(&load_whole(name), 0, 0, 200, 200).to_image()
}

fn mix(a: &Rgb32FImage, b: &Rgb32FImage) -> Rgb32FImage {
    let values = a
        .as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| 0.9 * a + 0.1 * b)
        .collect();
    Rgb32FImage::from_raw(a.width(), a.height(), values).unwrap()
}

#[test]
fn the_same_numbers_as_other_programs() {
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../golden/metrics.json")).unwrap();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let first = load(row["first"].as_str().unwrap());
        let mut second = load(row["second"].as_str().unwrap());
        if row["mixed"].as_bool().unwrap() {
            second = mix(&first, &second);
        }
        let close = |what: &str, found: f64, tolerance: f64| {
            let expected = row[what].as_f64().unwrap();
            println!("{what} {found} {expected}");
            assert!(
                (found - expected).abs() <= tolerance * expected.abs(),
                "{row}: {found}"
            );
        };
        let order = order(&first, &second).unwrap();
        for (found, expected) in [order.luminance, order.gradient].into_iter().zip(
            row["order"]
                .as_array()
                .unwrap()
                .iter()
                .map(|number| number.as_f64().unwrap()),
        ) {
            assert!(
                (found - expected).abs() <= 1e-4 * expected,
                "{found} {expected}"
            );
        }
        close("psnr", psnr(&second, &first).unwrap(), 1e-5);
        // scikit-image averages over the interior that its own cropping leaves.
        close("ssim", ssim(&second, &first).unwrap(), 1e-4);
        let novelty = novelty(&first, &second).unwrap();
        close("correlation", novelty.correlation, 1e-3);
        // One patch in 529 may have two neighbours that are equally near but for rounding.
        let patches = 2.0 / 529.0;
        for (what, found) in [
            ("coherent", novelty.coherent),
            ("in_place", novelty.in_place),
        ] {
            let expected = row[what].as_f64().unwrap();
            println!("{what} {found} {expected}");
            assert!((found - expected).abs() <= patches, "{row}: {what} {found}");
        }
        let responses = filter_responses(&first, &second).unwrap();
        close("filter_responses", responses, 1e-3);
        // Other random directions: the mean over 4 * 256 of them differs by a percent or so.
        close(
            "sliced_wasserstein",
            sliced_wasserstein(&first, &second).unwrap(),
            0.02,
        );
    }
}

#[test]
fn an_image_is_at_no_distance_from_itself() {
    let image = load("gravel.png");
    assert!(sliced_wasserstein(&image, &image).unwrap().abs() < f64::EPSILON);
    assert!((ssim(&image, &image).unwrap() - 1.0).abs() < 1e-12);
    assert!(filter_responses(&image, &image).unwrap().abs() < f64::EPSILON);
    let copy = novelty(&image, &image).unwrap();
    assert!((copy.correlation - 1.0).abs() < 1e-9);
    assert_eq!((copy.coherent, copy.in_place), (1.0, 1.0));
    // Moved by 30 pixels it is coherent still, and no longer in place.
    let moved = image::imageops::crop_imm(&load_whole("gravel.png"), 30, 0, 200, 200).to_image();
    let moved = novelty(&image, &moved).unwrap();
    assert!(moved.coherent > 0.7 && moved.in_place < 0.05, "{moved:?}");
    assert!(moved.correlation > 0.95, "{moved:?}");
    // Gravel does not tile, whatever it is compared with.
    assert!(seam(&image).unwrap() > 1.2);
}

#[test]
fn a_copy_in_another_order_scores_better_than_another_texture() {
    let (gravel, strokes) = (load("gravel.png"), load("strokes.png"));
    let turned = image::imageops::rotate180(&gravel);
    let same = sliced_wasserstein(&gravel, &turned).unwrap();
    let other = sliced_wasserstein(&gravel, &strokes).unwrap();
    assert!(same < 0.1 * other, "{same} {other}");
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let image = load("gravel.png");
    let narrow = image::imageops::crop_imm(&image, 0, 0, 55, 200).to_image();
    assert!(sliced_wasserstein(&narrow, &narrow).is_err());
    assert!(sliced_wasserstein(&image, &narrow).is_err());
    let tiny = image::imageops::crop_imm(&image, 0, 0, 10, 200).to_image();
    assert!(ssim(&tiny, &tiny).is_err());
}
