//! A device that is lost in the middle of a run: the picture so far is kept, and another device goes on from
//! the checkpoint.

use std::time::Duration;

use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{Device, try_read_sync};
use ranvgg::run::{Checkpoint, StopReason};
use ranvgg::{
    Control, Error, Outcome, Progress, RandomVgg, Result, RunOptions, Statistics, TextureOptions,
    Vgg, synthesize_texture,
};

use crate::common::{bundled, flex, gpu_device, layer};

/// Evaluations of a run.
const ALL: usize = 40;

/// After so many the device is lost.
const GOOD: usize = 30;

/// Devices of their own, each with the handle by which it can be lost. Without a GPU there are none.
fn devices() -> Vec<(Device, wgpu::Device)> {
    if gpu_device().is_none() {
        return Vec::new();
    }
    // Adapters are opened by their kind elsewhere, so nothing else computes on this one.
    let (first, setup) = Device::wgpu_options().init_with_setup().unwrap();
    let descriptor = wgpu::DeviceDescriptor {
        required_features: setup.device.features(),
        required_limits: setup.device.limits(),
        ..Default::default()
    };
    let opened = try_read_sync(setup.adapter.request_device(&descriptor));
    let (device, queue) = opened.unwrap().unwrap();
    let handles = vec![setup.device.clone(), device.clone()];
    let setup = WgpuSetup {
        device,
        queue,
        ..setup
    };
    let second = Device::wgpu_options().setup(setup).init().unwrap();
    [first, second].into_iter().zip(handles).collect()
}

/// A texture, and the losses that an observer saw. `lose` is called after [`GOOD`] evaluations.
fn make(
    vgg: &Vgg,
    statistics: Statistics,
    run: RunOptions,
    lose: impl Fn(),
) -> (Result<Outcome>, Vec<f64>) {
    let mut seen = Vec::new();
    let mut observer = |progress: &Progress<'_>| {
        seen.push(progress.loss());
        if progress.evaluation == GOOD {
            lose();
        }
        Control::Continue
    };
    let mut options = TextureOptions::default()
        .with_statistics(statistics)
        .with_run(run.with_evaluations(ALL));
    if statistics == Statistics::Gram {
        options = options.with_layers(vec![layer("conv1_1"), layer("conv2_1")]);
    }
    let gravel = bundled("gravel.png", 32);
    let outcome = synthesize_texture(vgg, &gravel, &options, &mut observer);
    (outcome, seen)
}

#[test]
fn a_device_that_is_lost_on_the_way_costs_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let statistics = [Statistics::Gram, Statistics::Resampled];
    for ((device, handle), statistics) in devices().into_iter().zip(statistics) {
        let state = folder.path().join(statistics.to_string());
        let vgg = RandomVgg::vgg19().init(&device).unwrap();
        let checkpoint = Checkpoint::new(&state).with_every(Duration::ZERO);
        let options = RunOptions::default().with_checkpoint(checkpoint);
        let (outcome, seen) = make(&vgg, statistics, options, || handle.destroy());
        let outcome = outcome.unwrap();
        assert_eq!(outcome.stop_reason(), StopReason::Failed, "{statistics}");
        let failure = outcome.failure().unwrap();
        assert!(matches!(failure, Error::Device(_)), "{failure}");
        // What was sent already may come back.
        assert!((GOOD..GOOD + 3).contains(&seen.len()), "{}", seen.len());
        let picture = outcome.picture();
        assert_eq!((picture.width(), picture.height()), (32, 32));
        assert!(picture.as_raw().iter().all(|value| value.is_finite()));
        assert!(*seen.last().unwrap() < 0.5 * seen[0], "{seen:?}");
        // Nothing begins on the device that is gone, and nothing hangs.
        let (refused, _) = make(&vgg, statistics, RunOptions::default(), || ());
        assert!(matches!(refused, Err(Error::Device(_))), "{statistics}");
        // Another device goes on from the last state.
        let other = RandomVgg::vgg19().init(&flex()).unwrap();
        let options = RunOptions::default().with_resume(&state);
        let (outcome, seen) = make(&other, statistics, options, || ());
        let outcome = outcome.unwrap();
        assert!(outcome.failure().is_none());
        assert_eq!(outcome.evaluations(), ALL);
        assert!(
            (ALL - GOOD - 2..=ALL - GOOD + 2).contains(&seen.len()),
            "{}",
            seen.len()
        );
    }
}
