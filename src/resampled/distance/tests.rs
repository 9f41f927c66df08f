use super::*;
use crate::imaging::{Raster, Size};
use crate::resampled::comparison::SOFT;
use crate::resampled::transport::Range;
use crate::resampled::{Region, coloured};

fn raster(height: usize, width: usize, across: f64, down: f64) -> Raster {
    let values = coloured(height, width, across, down).to_pixels();
    Raster::new(Size::new(width, height), 3, values)
}

fn resampled(exemplar: &Raster, wraps: bool, kept_bytes: usize) -> Resampled {
    Resampled {
        regions: vec![Region {
            exemplars: vec![Exemplar {
                image: exemplar.clone(),
                mask: None,
                guide: None,
                share: 1.0,
            }],
            mask: None,
        }],
        guide: None,
        nearest: None,
        wraps,
        seed: 5,
        kept_bytes,
        buffers: super::super::Buffers::default(),
    }
}

/// The distance and its gradient by passes over the whole picture.
fn whole(target: &Resampled, image: &Raster, exemplar: &Raster, draw: u32) -> (f64, Vec<f32>) {
    let canvas = Canvas::of(image, target.wraps);
    let side = target.filter_side(image.size());
    let (height, width) = (canvas.height, canvas.width);
    let extended = canvas.extended(side - 1);
    let exemplar = Canvas::of(exemplar, false).extended(0);
    let mut value = 0.0;
    let mut gradient = vec![0.0; height * width * 3];
    for bank in &target.draw(3, side, draw).banks {
        let responses = bank.responses(&extended);
        let targets = bank.responses(&exemplar);
        let mut slopes = Planes::new(BANK, responses.height, responses.width);
        for filter in 0..BANK {
            let list = |planes: &Planes| -> Vec<f32> {
                let rows = (0..planes.height).flat_map(|y| planes.row(filter, y).to_vec());
                rows.collect()
            };
            let distribution = |values: &[f32]| {
                let bins = Bins::over(Range::of([values]));
                let mut counts = vec![0; super::super::transport::BINS];
                values
                    .iter()
                    .for_each(|value| counts[bins.bin(*value)] += 1);
                let mut distribution = Distribution::new(bins);
                distribution.add(&counts, 1.0);
                distribution
            };
            let (values, others) = (list(&responses), list(&targets));
            let map = Transport::new(&distribution(&values), &distribution(&others));
            let mean = others.iter().sum::<f32>() / others.len() as f32;
            let squares = others.iter().map(|value| (value - mean).powi(2));
            let s = (squares.sum::<f32>() / others.len() as f32).sqrt();
            let mut sum = 0.0;
            for y in 0..responses.height {
                let row = slopes.row_mut(filter, y).iter_mut();
                for (slope, value) in row.zip(responses.row(filter, y)) {
                    let difference = value - map.apply(*value);
                    sum += f64::from(difference.abs() / s);
                    *slope = difference / ((difference.abs() + SOFT * s) * s);
                }
            }
            value += sum / values.len() as f64 / (BANKS * BANK) as f64;
        }
        let all = bank.input_gradient(&slopes.with_zeros(bank.reach()));
        for y in 0..all.height {
            for x in 0..all.width {
                for channel in 0..3 {
                    let pixel = (y % height) * width + x % width;
                    gradient[pixel * 3 + channel] += all.row(channel, y)[x];
                }
            }
        }
    }
    (value, gradient)
}

/// A region in a corner of a large picture has responses outside of any sample of tiles.
#[test]
fn a_small_region_of_a_large_picture_has_its_own_range() {
    let (image, exemplar) = (raster(720, 700, 0.31, 0.17), raster(40, 53, 0.8, 0.3));
    let white = |pixel: usize| {
        let (y, x) = (pixel / 700, pixel % 700);
        [if y < 50 && (250..420).contains(&x) {
            1.0
        } else {
            0.0
        }]
    };
    let gradient = |kept_bytes: usize| {
        let mut target = resampled(&exemplar, false, kept_bytes);
        let mask = Raster::from_pixels(Size::new(700, 720), white);
        target.regions[0].mask = Some(super::super::Mask::new(&mask));
        let mut gradient = vec![0.0; 720 * 700 * 3];
        let value = target.distance(Canvas::of(&image, false), 2, &mut gradient);
        (value, gradient)
    };
    let (computed_again, kept) = (gradient(0), gradient(usize::MAX));
    assert_eq!(computed_again, kept);
    assert!(kept.0 > 0.01 && kept.1.iter().any(|value| *value != 0.0));
}

/// Tiles, kept responses and responses that are computed again give what passes over the whole
/// picture give.
#[test]
fn tiles_add_up_to_the_whole() {
    for (height, width, wraps) in [
        (25, 31, false),
        (13, 9, true),
        (70, 300, false),
        (150, 270, true),
    ] {
        let image = raster(height, width, 0.31, 0.17);
        let exemplar = raster(40, 53, 0.8, 0.3);
        for kept_bytes in [0, usize::MAX] {
            let target = resampled(&exemplar, wraps, kept_bytes);
            let (value, gradient) = whole(&target, &image, &exemplar, 7);
            let mut found = vec![0.0; gradient.len()];
            let canvas = Canvas::of(&image, wraps);
            let distance = target.distance(canvas, 7, &mut found);
            assert!((distance / value - 1.0).abs() < 1e-4, "{distance} {value}");
            let norm = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
            let apart: Vec<f32> = found.iter().zip(&gradient).map(|(a, b)| a - b).collect();
            let error = norm(&apart) / norm(&gradient);
            assert!(error < 1e-3, "{height}x{width}: {error}");
        }
    }
}
