//! Runs: seeds, budgets, observers and bounds.

use super::{run, whitened};
use crate::common::{bundled, network};
use ranvgg::run::StopReason;
use ranvgg::{Control, Progress, RunOptions, Size, Statistics, TextureOptions, synthesize_texture};
use std::time::Duration;

#[test]
fn the_same_seed_makes_the_same_picture() {
    let gravel = bundled("gravel.png", 64);
    let vgg = network();
    let make = |seed| {
        let run = run(10).with_seed(seed);
        let options = whitened().with_run(run);
        synthesize_texture(&vgg, &gravel, &options, &mut ())
            .unwrap()
            .image()
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
}

#[test]
fn evaluations_bound_the_whole_run() {
    let gravel = bundled("gravel.png", 128);
    for evaluations in [1, 2, 7] {
        let options = whitened().with_run(run(evaluations));
        let outcome = synthesize_texture(&network(), &gravel, &options, &mut ()).unwrap();
        assert_eq!(outcome.evaluations(), evaluations);
        assert_eq!(outcome.records().len(), evaluations);
        assert_eq!(outcome.stop_reason(), StopReason::Evaluations);
        assert_eq!(outcome.image().width(), 128);
    }
}

#[test]
fn an_observer_sees_the_run_and_may_end_it() {
    let gravel = bundled("gravel.png", 128);
    let mut seen = Vec::new();
    let mut halfway = None;
    let mut observer = |progress: &Progress<'_>| {
        seen.push((progress.scale, progress.evaluation, progress.loss()));
        assert_eq!(progress.evaluations, 60);
        assert!(
            progress
                .terms
                .iter()
                .all(|term| term.name.contains(" conv") || term.name.starts_with("colours"))
        );
        if progress.evaluation == 8 {
            halfway = Some(progress.image().unwrap());
        }
        if progress.evaluation == 9 {
            Control::Stop
        } else {
            Control::Continue
        }
    };
    let options = whitened().with_run(run(60));
    let outcome = synthesize_texture(&network(), &gravel, &options, &mut observer).unwrap();
    assert_eq!(outcome.stop_reason(), StopReason::Stopped);
    assert_eq!(outcome.evaluations(), 9);
    assert_eq!(
        outcome.image().width(),
        128,
        "the picture is kept, at the size asked for"
    );
    assert_eq!(halfway.unwrap().width(), 64);
    assert_eq!(
        seen.iter().map(|(_, count, _)| *count).collect::<Vec<_>>(),
        (1..=9).collect::<Vec<_>>()
    );
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].0 != pair[1].0 || pair[1].2 <= pair[0].2)
    );
}

#[test]
fn bounds_keep_colours_in_range() {
    let gravel = bundled("gravel.png", 64);
    let run = run(20).with_bounds((0.0, 1.0));
    let options = whitened().with_run(run);
    let outcome = synthesize_texture(&network(), &gravel, &options, &mut ()).unwrap();
    assert!(
        outcome
            .picture()
            .as_raw()
            .iter()
            .all(|value| (0.0..=1.0).contains(value))
    );
    let losses: Vec<f64> = outcome
        .records()
        .iter()
        .map(|record| record.loss())
        .collect();
    assert!(losses.last() < losses.first());
}

#[test]
fn a_run_ends_when_its_time_is_up_at_its_last_scale() {
    let mut sizes = Vec::new();
    let mut watch = |progress: &Progress<'_>| {
        sizes.push(progress.scale);
        Control::Continue
    };
    let options = whitened().with_run(
        RunOptions::default()
            .with_evaluations(100_000)
            .with_time_limit(Duration::from_secs(3)),
    );
    let exemplar = bundled("gravel.png", 112);
    let outcome = synthesize_texture(&network(), &exemplar, &options, &mut watch).unwrap();
    assert_eq!(outcome.stop_reason(), StopReason::Time);
    assert!(
        outcome.elapsed() < Duration::from_secs(8),
        "{:?}",
        outcome.elapsed()
    );
    assert_eq!(sizes.last(), Some(&1));
    let first = sizes.iter().filter(|scale| **scale == 0).count();
    assert!(
        first > 1 && sizes.len() - first > 1,
        "{first} of {}",
        sizes.len()
    );
    let mut options = options.clone();
    options.run.time_limit = Some(Duration::ZERO);
    let refused = synthesize_texture(&network(), &exemplar, &options, &mut ());
    assert!(refused.unwrap_err().to_string().contains("time limit"));
}

/// A second at 512x512, where one evaluation of the last scale takes about as long: scales that cannot be
/// afforded are left out.
#[test]
fn a_short_time_limit_holds_at_a_large_size() {
    let exemplar = bundled("gravel.png", 256);
    for statistics in [Statistics::Whitened, Statistics::Resampled] {
        let options = TextureOptions::default()
            .with_statistics(statistics)
            .with_size(Size::square(512))
            .with_time_limit(Duration::from_secs(1));
        let outcome = synthesize_texture(&network(), &exemplar, &options, &mut ()).unwrap();
        println!("{statistics}: {:?}", outcome.elapsed());
        assert_eq!(outcome.stop_reason(), StopReason::Time);
        assert!(
            outcome.elapsed() < Duration::from_secs(4),
            "{:?}",
            outcome.elapsed()
        );
        assert_eq!(outcome.image().width(), 512);
    }
}
