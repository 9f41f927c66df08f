//! Runs by resampled filters within a bound on their memory.

use std::time::Duration;

use image::DynamicImage;
use ranvgg::run::{Forecast, Preparation, Saving, StopReason};
use ranvgg::{
    Control, Observer, Outcome, Progress, RandomVgg, Scales, Size, StyleOptions, TextureOptions,
    Vgg, synthesize_texture, transfer_style,
};

use crate::common::{bundled, flex};

/// What a run told, and how often.
#[derive(Default)]
struct Told {
    saving: Saving,
    forecasts: Vec<Forecast>,
    observed: usize,
    evaluations: usize,
    stop_at: Option<usize>,
}

impl Observer for Told {
    fn prepare(&mut self, preparation: &Preparation) {
        self.saving = preparation.saving;
        self.forecasts.extend(preparation.forecast);
    }

    fn observe(&mut self, progress: &Progress<'_>) -> Control {
        self.observed += 1;
        self.evaluations = progress.evaluations;
        // Windows are pictures like others.
        if self.observed == 1 {
            let picture = progress.image().unwrap();
            assert_eq!(picture.width() as usize, progress.size.width);
        }
        match self.stop_at {
            Some(stop) if stop == self.observed => Control::Stop,
            _ => Control::Continue,
        }
    }
}

fn network(tile: bool) -> Vgg {
    let padding = if tile {
        ranvgg::Padding::Circular
    } else {
        ranvgg::Padding::Reflect
    };
    RandomVgg::vgg19()
        .with_padding(padding)
        .init(&flex())
        .unwrap()
}

fn texture(tile: bool, memory: Option<u64>, told: &mut Told, limit: Option<Duration>) -> Outcome {
    let exemplar: DynamicImage = bundled("gravel.png", 128);
    let mut options = TextureOptions::default()
        .with_size(Size::square(900))
        .with_evaluations(3)
        .with_scales(Scales::Single);
    options.run.memory = memory;
    options.run.time_limit = limit;
    synthesize_texture(&network(tile), exemplar, &options, told).unwrap()
}

fn largest(found: &[f32], expected: &[f32]) -> f32 {
    let pairs = found.iter().zip(expected);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Means in 16 bits take 30 MB and 45 bytes a pixel, 67 million in all; windows take 27 bytes a pixel and those of a window.
const WINDOWS: u64 = 65_000_000;
const COMPACT: u64 = 75_000_000;

#[test]
fn a_bound_first_drops_responses_then_bits_and_then_divides_into_windows() {
    let free = texture(false, None, &mut Told::default(), None).picture();
    for (memory, expected) in [
        (80_000_000, [true, false, false]),
        (COMPACT, [true, true, false]),
        (WINDOWS, [true, true, true]),
    ] {
        let mut told = Told::default();
        let outcome = texture(false, Some(memory), &mut told, None);
        let Saving {
            responses_again,
            compact_means,
            window_side,
            ..
        } = told.saving;
        assert_eq!(
            [responses_again, compact_means, window_side.is_some()],
            expected
        );
        assert_eq!(
            (told.observed, outcome.evaluations()),
            (told.evaluations, told.evaluations)
        );
        let picture = outcome.picture();
        assert_eq!((picture.width(), picture.height()), (900, 900));
        // After three steps of 0.02 pictures are still near each other, in all places.
        let (found, expected) = (picture.as_raw(), free.as_raw());
        let apart =
            |range: std::ops::Range<usize>| largest(&found[range.clone()], &expected[range]);
        let values = 900 * 900 * 3;
        println!("{memory}: {} {}", told.saving, apart(0..values));
        assert!(apart(0..values) < 0.13);
        assert!(apart(0..values / 2) > 0.0 && apart(values / 2..values) > 0.0);
    }
}

#[test]
fn windows_tile_stop_and_keep_to_their_time() {
    let mut told = Told::default();
    let whole = texture(true, Some(WINDOWS), &mut told, None);
    let windows = told.evaluations / 3;
    assert!(
        windows >= 4 && told.evaluations % 3 == 0,
        "{windows} windows"
    );
    let again = texture(true, Some(WINDOWS), &mut Told::default(), None);
    assert_eq!(again.picture(), whole.picture());

    // In the second window.
    let mut told = Told {
        stop_at: Some(4),
        ..Told::default()
    };
    let stopped = texture(true, Some(WINDOWS), &mut told, None);
    assert_eq!(
        (stopped.stop_reason(), stopped.evaluations()),
        (StopReason::Stopped, 4)
    );
    // The first one is finished.
    assert_eq!(
        stopped.picture().as_raw()[..30],
        whole.picture().as_raw()[..30]
    );
    assert_ne!(stopped.picture(), whole.picture());

    // Each window takes a step, however little time there is.
    let limit = Some(Duration::from_millis(1));
    let short = texture(true, Some(WINDOWS), &mut Told::default(), limit);
    assert_eq!(short.stop_reason(), StopReason::Time);
    assert!(
        (windows..3 * windows).contains(&short.evaluations()),
        "{}",
        short.evaluations()
    );
}

#[test]
fn a_long_run_says_what_it_should_take() {
    let told = |limit: Option<Duration>| {
        let mut told = Told {
            stop_at: Some(1),
            ..Told::default()
        };
        let mut options = TextureOptions::default().with_size(Size::square(600));
        options.run.time_limit = limit;
        let exemplar: DynamicImage = bundled("gravel.png", 64);
        synthesize_texture(&network(false), exemplar, &options, &mut told).unwrap();
        told.forecasts
    };
    let [forecast] = told(None)[..] else {
        panic!("one forecast is told");
    };
    // 600^2, and as much again for the sizes before it, 120 times: seconds to minutes on any machine.
    assert!((1..3600).contains(&forecast.time.as_secs()), "{forecast:?}");
    // 57 bytes for each pixel, the responses kept, and the program.
    assert!(
        (50e6..400e6).contains(&(forecast.memory as f64)),
        "{forecast:?}"
    );
    let half_a_minute = Duration::from_secs(30);
    assert!(told(Some(half_a_minute))[0].time <= half_a_minute);
    assert!(told(Some(Duration::from_secs(5))).is_empty());
}

#[test]
fn a_style_within_a_bound_is_nearly_the_same() {
    let (content, style) = (bundled("coffee.png", 200), bundled("strokes.png", 128));
    let vgg = network(false);
    let paint = |memory: Option<u64>, told: &mut Told| {
        let mut options = StyleOptions::default()
            .with_evaluations(4)
            .with_scales(Scales::Single);
        options.run.memory = memory;
        transfer_style(&vgg, content.clone(), style.clone(), &options, told)
    };
    let mut told = Told::default();
    let free = paint(None, &mut told).unwrap();
    assert_eq!(told.saving, Saving::default());
    assert!(told.forecasts.is_empty());
    // 48 MB, 68 bytes for each of 200^2 pixels and 25 for each of the style: 51.7 million. With 16 bits 12 bytes less.
    let bounded = paint(Some(51_500_000), &mut told).unwrap();
    assert!(told.saving.compact_means, "{}", told.saving);
    let apart = largest(free.picture().as_raw(), bounded.picture().as_raw());
    println!("{apart}");
    assert!(apart > 0.0 && apart < 0.01, "{apart}");
    let error = paint(Some(1_000_000), &mut told).unwrap_err().to_string();
    assert!(
        error.starts_with("memory is 1000000; allowed: at least"),
        "{error}"
    );
}
