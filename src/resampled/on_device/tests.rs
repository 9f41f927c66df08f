//! What a GPU computes, beside what the host computes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::check::{TOLERANCE, both, wrong_result};
use super::*;
use crate::backend::{launches, reads};
use crate::imaging::luminance;
use crate::optim::{AdamOptions, falling_rate};
use crate::resampled::{Canvas, Exemplar, Guide, Lattice, Mask, Region, coloured};

fn raster(height: usize, width: usize, across: f64, down: f64) -> Raster {
    let values = coloured(height, width, across, down).to_pixels();
    Raster::new(Size::new(width, height), 3, values)
}

fn texture(exemplar: &Raster, wraps: bool) -> Resampled {
    Resampled::of_one(exemplar.clone(), wraps, 5)
}

/// A target without a content if its weight is 0, and by classes with a guide of that size.
fn painting(
    exemplar: &Raster,
    wraps: bool,
    (guided, weight): (Option<Size>, f64),
    device: &Device,
) -> Painting {
    let style = texture(exemplar, wraps);
    let size = guided.unwrap_or(Size::square(8));
    let content = raster(size.height, size.width, 0.22, 0.6);
    let luminance = luminance(&content);
    let style = match guided {
        Some(_) => style.guided(Guide::of(&content)),
        None => style,
    };
    Painting {
        style,
        content: Content::of(luminance, None),
        weight,
        device: device.clone(),
    }
}

fn agree(target: &Painting, image: &Raster, most: usize, name: &str) {
    let device = &target.device;
    let (host, found) = both(target, image, device, most).unwrap().unwrap();
    let error = found.error(&host);
    println!(
        "{name}: {error:.1e}, {:?} and {:?}",
        host.terms, found.terms
    );
    assert!(error < TOLERANCE, "{name}: {error}");
    for (found, expected) in found.terms.iter().zip(host.terms) {
        let apart = (found - expected).abs();
        assert!(apart <= 2e-4 * expected, "{name}: {found} {expected}");
    }
    assert!(found.terms != host.terms, "{name}: the host computed");
}

/// Sizes that are and are not multiples of a block's, an exemplar smaller than a block, and short filters.
#[test]
fn a_gpu_computes_what_the_host_computes() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let all = usize::MAX;
    for (size, wraps, exemplar, at_once) in [
        ((97, 131), false, (40, 53), all),
        ((128, 96), true, (70, 64), all),
        ((101, 99), true, (150, 40), 16),
        ((9, 1100), false, (40, 53), 32),
        ((5, 4), true, (6, 9), all),
    ] {
        let image = raster(size.0, size.1, 0.31, 0.17);
        let exemplar = raster(exemplar.0, exemplar.1, 0.8, 0.3);
        let target = painting(&exemplar, wraps, (None, 0.0), &device);
        agree(&target, &image, at_once, &format!("{size:?}"));
    }
}

/// Classes by a guide with noise, whose words begin anywhere in a block of the stream, and contours.
#[test]
fn a_gpu_computes_classes_and_contours() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let all = usize::MAX;
    for (size, wraps, exemplar, weight, at_once) in [
        ((97, 131), false, (60, 73), 0.15, all),
        ((128, 96), true, (70, 64), 0.0, all),
        ((101, 99), true, (150, 40), 2.0, 16),
        ((64, 300), false, (40, 53), 0.3, 48),
    ] {
        let image = raster(size.0, size.1, 0.31, 0.17);
        let exemplar = raster(exemplar.0, exemplar.1, 0.8, 0.3);
        let guided = Some(Size::new(size.1, size.0));
        let target = painting(&exemplar, wraps, (guided, weight), &device);
        agree(&target, &image, at_once, &format!("{size:?}"));
    }
}

/// Phases have no noise and two or four numbers.
#[test]
fn a_gpu_computes_phases() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let exemplar = Raster::from_pixels(Size::new(120, 100), |pixel| {
        let (y, x) = ((pixel / 120) as f32, (pixel % 120) as f32);
        let (a, b) = ((x * 0.39).sin(), (y * 0.52 + 0.3 * x).cos());
        [0.5 + 0.2 * a, 0.5 + 0.2 * b, 0.5 + 0.1 * (a + b)]
    });
    let lattice = Lattice::of(&exemplar).unwrap();
    let image = raster(110, 97, 0.31, 0.17);
    for wraps in [false, true] {
        let size = if wraps {
            (image.size(), 0)
        } else {
            (image.size().without_margin(5), 5)
        };
        let mut target = painting(&exemplar, wraps, (None, 0.0), &device);
        target.style = target.style.repeating(&lattice, size, 1.0, [0.2, 0.7]);
        agree(&target, &image, usize::MAX, &format!("wraps: {wraps}"));
    }
}

#[test]
fn a_device_is_checked() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    for painting in [false, true] {
        check_device(&device, painting).unwrap();
        for wraps in [false, true] {
            assert_eq!(wrong_result(&device, wraps, painting), None);
        }
    }
}

/// A mask that is white in a half plane and in dots.
fn mask(size: Size, slope: usize) -> Mask {
    let raster = Raster::from_pixels(size, |pixel| {
        let (y, x) = (pixel / size.width, pixel % size.width);
        let white = 2 * x > slope * y + size.width / 4 || (x / 5 + y / 7) % 3 == 0;
        [f32::from(u8::from(white))]
    });
    Mask::new(&raster)
}

/// Masks of the exemplar, of the region, of both, of two regions that overlap, of a content, with and without classes; and
/// a mask that is black.
#[test]
fn a_gpu_computes_masks() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let image = raster(97, 131, 0.31, 0.17);
    let (exemplar, other) = (raster(60, 73, 0.8, 0.3), raster(50, 44, 0.1, 0.9));
    let (size, small) = (image.size(), exemplar.size());
    for wraps in [false, true] {
        for (name, guided, weight, most) in [
            ("plain", None, 0.0, usize::MAX),
            ("in classes", Some(size), 0.0, 32),
            ("with a content", Some(size), 0.4, usize::MAX),
        ] {
            let target = |change: &dyn Fn(&mut Painting)| {
                let mut target = painting(&exemplar, wraps, (guided, weight), &device);
                change(&mut target);
                target
            };
            let of_exemplar = target(&|target| {
                target.style.regions[0].exemplars[0].mask = Some(mask(small, 1));
            });
            agree(&of_exemplar, &image, most, &format!("{name}, exemplar"));
            let of_region = target(&|target| {
                target.style.regions[0].mask = Some(mask(size, 2));
            });
            agree(&of_region, &image, most, &format!("{name}, region"));
            let of_both = target(&|target| {
                target.style.regions[0].exemplars[0].mask = Some(mask(small, 1));
                target.style.regions[0].mask = Some(mask(size, 2));
                target.content.mask = Some(mask(size, 1));
            });
            agree(&of_both, &image, most, &format!("{name}, both"));
            if weight > 0.0 {
                continue;
            }
            let of_two = target(&|target| {
                let guide = guided.map(|_| Guide::of(&other));
                let second = Exemplar {
                    image: other.clone(),
                    mask: Some(mask(other.size(), 3)),
                    guide,
                    share: 1.0,
                };
                target.style.regions[0].mask = Some(mask(size, 2));
                target.style.regions.push(Region {
                    exemplars: vec![second],
                    mask: Some(mask(size, 0)),
                });
            });
            agree(&of_two, &image, most, &format!("{name}, two regions"));
            let black = target(&|target| {
                let black = Raster::from_pixels(small, |_| [0.0]);
                target.style.regions[0].exemplars[0].mask = Some(Mask::new(&black));
            });
            let (host, found) = both(&black, &image, &device, most).unwrap().unwrap();
            assert_eq!(host.terms, [0.0; 2]);
            assert_eq!(found.terms, [0.0; 2]);
            assert!(found.gradient.iter().all(|value| *value == 0.0));
        }
    }
}

/// Two exemplars with shares, one of them masked, alone and beside another region; and styles in regions with a content.
#[test]
fn a_gpu_computes_mixtures() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let image = raster(97, 131, 0.31, 0.17);
    let size = image.size();
    let pictures = [
        raster(60, 73, 0.8, 0.3),
        raster(50, 44, 0.1, 0.9),
        raster(120, 90, 0.4, -0.4),
    ];
    for (name, guided, weight, most) in [
        ("plain", None, 0.0, usize::MAX),
        ("in classes", Some(size), 0.0, 32),
        ("with a content", Some(size), 0.4, usize::MAX),
    ] {
        let exemplar = |number: usize, share: f32, masked: bool| {
            let image = &pictures[number];
            Exemplar {
                image: image.clone(),
                mask: masked.then(|| mask(image.size(), 1)),
                guide: guided.map(|_| Guide::of(image)),
                share,
            }
        };
        let mixture = |masked: bool| vec![exemplar(0, 0.25, masked), exemplar(1, 0.75, false)];
        let mut target = painting(&pictures[0], false, (guided, weight), &device);
        target.style.regions[0].exemplars = mixture(false);
        agree(&target, &image, most, &format!("{name}, two exemplars"));
        target.style.regions[0].exemplars = mixture(true);
        agree(&target, &image, most, &format!("{name}, one masked"));
        target.style.regions[0].mask = Some(mask(size, 2));
        target.style.regions.push(Region {
            exemplars: vec![exemplar(2, 1.0, false)],
            mask: Some(mask(size, 0)),
        });
        agree(&target, &image, most, &format!("{name}, two regions"));
    }
}

/// Nearest patches are the host's.
#[test]
fn what_a_gpu_does_not_compute_stays_on_the_host() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let exemplar = raster(40, 53, 0.8, 0.3);
    let computes = |target: &Resampled| Objective::new(target, None, &device).unwrap().is_some();
    assert!(computes(&texture(&exemplar, false)));
    assert!(!computes(&texture(&exemplar, false).with_nearest(0.5, 10)));
}

const STEPS: usize = 60;

/// A picture after steps on the host, and after the same steps on a device with the reads of each.
fn descended(target: &Painting, start: &Raster, free: Option<&Raster>) -> [Vec<f32>; 2] {
    let size = start.size();
    let options = AdamOptions {
        bounds: Some((0.0, 1.0)),
        ..AdamOptions::default()
    };
    let adam = Adam::new(start.values().to_vec(), options).unwrap();
    let picture = Optimised {
        size,
        whole: size,
        channels: 3,
        wraps: target.style.wraps,
        free,
    };
    let rate = |step: usize| falling_rate((0.02, 0.004), 0.7, step, STEPS);
    let mut host = adam.clone();
    let mut host_terms = Vec::new();
    for step in 0..STEPS {
        let mut gradient = vec![0.0; start.values().len()];
        let canvas = Canvas::new(size, 3, host.ask(), target.style.wraps);
        host_terms = target.distance(canvas, step as u32, &mut gradient).to_vec();
        if let Some(free) = free {
            let pixels = gradient.chunks_exact_mut(3).zip(free.values());
            pixels.for_each(|(pixel, free)| pixel.iter_mut().for_each(|g| *g *= free));
        }
        host.tell(&gradient, rate(step)).unwrap();
    }
    let content = Some((&target.content, target.weight));
    let objective = Objective::new(&target.style, content, &target.device);
    let objective = objective.unwrap().unwrap();
    let mut descent = Descent::new(objective, &adam, picture, 1).unwrap().unwrap();
    let before = reads();
    let mut terms = Vec::new();
    for step in 0..STEPS {
        terms = descent.step(step as u32, rate(step)).unwrap();
    }
    // One a step, and the picture every 25 steps.
    assert_eq!(reads() - before, STEPS as u64 + 2);
    println!("{terms:?} and {host_terms:?}");
    for (found, expected) in terms.iter().zip(&host_terms) {
        assert!(
            (found - expected).abs() <= 0.005 * expected,
            "{found} {expected}"
        );
    }
    let adam = descent.adam().unwrap();
    assert_eq!(adam.steps(), STEPS as u64);
    let point = descent.point().unwrap().into_owned();
    assert_eq!(point, adam.ask());
    assert_eq!(Box::new(descent).into_point(), point);
    [host.into_point(), point]
}

/// Both go the same way, though rounding at the borders of bins makes single pixels differ: by a twentieth of what the steps
/// change at most.
#[test]
fn steps_on_a_gpu_are_those_of_the_host() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let start = raster(100, 97, 0.05, 0.9);
    let exemplar = raster(90, 83, 0.8, 0.3);
    let distance = |a: &[f32], b: &[f32]| {
        let pairs = a.iter().zip(b);
        pairs
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    for (guided, weight, wraps) in [(false, 0.0, true), (true, 0.15, false)] {
        let guided = guided.then(|| start.size());
        let target = painting(&exemplar, wraps, (guided, weight), &device);
        let free = Raster::from_pixels(start.size(), |pixel| {
            [if pixel % 97 < 40 { 0.0 } else { 1.0 }]
        });
        for free in [None, Some(&free)] {
            let [host, found] = descended(&target, &start, free);
            let (apart, way) = (distance(&host, &found), distance(&host, start.values()));
            println!("{apart:.4} of {way:.4}");
            assert!(way > 1.0 && apart < 0.05 * way, "{apart} of {way}");
            if free.is_some() {
                let pixels = found.chunks_exact(3).zip(start.values().chunks_exact(3));
                for (number, (found, start)) in pixels.enumerate() {
                    assert!(number % 97 >= 40 || found == start, "{number}");
                }
            }
        }
    }
}

/// How many kernels a step is sent. Those of tests on other threads are counted, too, until these have ended.
#[test]
fn a_step_takes_few_launches() {
    let Some(device) = crate::engine::gpu_of_tests() else {
        return;
    };
    let start = raster(100, 97, 0.05, 0.9);
    let exemplar = raster(90, 83, 0.8, 0.3);
    let began = Instant::now();
    for (guided, weight, expected) in [(None, 0.0, 12), (Some(start.size()), 0.15, 23)] {
        let target = painting(&exemplar, false, (guided, weight), &device);
        let content = guided.map(|_| (&target.content, weight));
        let adam = Adam::new(start.values().to_vec(), AdamOptions::default()).unwrap();
        let picture = Optimised {
            size: start.size(),
            whole: start.size(),
            channels: 3,
            wraps: false,
            free: None,
        };
        let objective = Objective::new(&target.style, content, &device);
        let objective = objective.unwrap().unwrap();
        let mut descent = Descent::new(objective, &adam, picture, 1).unwrap().unwrap();
        for step in 0.. {
            let (_, sent) = launches(false, || descent.step(step, 0.01).unwrap());
            let total: u64 = sent.iter().map(|kernel| kernel.count).sum();
            assert!(total >= expected, "{sent:?}");
            if total == expected {
                println!("{sent:?}");
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(600), "{sent:?}");
            sleep(Duration::from_millis(100));
        }
    }
}
