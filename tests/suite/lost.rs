//! A device that is lost in the middle of a run: the picture so far is kept.

use burn::tensor::Device;
use burn::tensor::wgpu::wgpu;
use ranvgg::run::StopReason;
use ranvgg::{
    Control, Error, Outcome, Progress, RandomVgg, Result, Statistics, TextureOptions, Vgg,
    synthesize_texture,
};

use crate::common::{bundled, gpu_device, layer};

/// Evaluations of a run.
const ALL: usize = 40;

/// After so many the device is lost.
const GOOD: usize = 30;

/// A device of its own, with the handle by which it can be lost. None without a GPU.
fn device() -> Option<(Device, wgpu::Device)> {
    gpu_device()?;
    // Adapters are opened by their kind elsewhere, so nothing else computes on this one.
    let (device, setup) = Device::wgpu_options().init_with_setup().unwrap();
    Some((device, setup.device))
}

/// A texture, and the losses that an observer saw. `lose` is called after [`GOOD`] evaluations.
fn make(vgg: &Vgg, lose: impl Fn()) -> (Result<Outcome>, Vec<f64>) {
    let mut seen = Vec::new();
    let mut observer = |progress: &Progress<'_>| {
        seen.push(progress.loss());
        if progress.evaluation == GOOD {
            lose();
        }
        Control::Continue
    };
    let options = TextureOptions::default()
        .with_statistics(Statistics::Gram)
        .with_layers(vec![layer("conv1_1"), layer("conv2_1")])
        .with_evaluations(ALL);
    let gravel = bundled("gravel.png", 32);
    let outcome = synthesize_texture(vgg, &gravel, &options, &mut observer);
    (outcome, seen)
}

#[test]
fn a_device_that_is_lost_on_the_way_costs_no_picture() {
    let Some((device, handle)) = device() else {
        return;
    };
    let vgg = RandomVgg::vgg19().init(&device).unwrap();
    let (outcome, seen) = make(&vgg, || handle.destroy());
    let outcome = outcome.unwrap();
    assert_eq!(outcome.stop_reason(), StopReason::Failed);
    let failure = outcome.failure().unwrap();
    assert!(matches!(failure, Error::Device(_)), "{failure}");
    // What was sent already may come back.
    assert!((GOOD..GOOD + 3).contains(&seen.len()), "{}", seen.len());
    let picture = outcome.picture();
    assert_eq!((picture.width(), picture.height()), (32, 32));
    assert!(picture.as_raw().iter().all(|value| value.is_finite()));
    assert!(*seen.last().unwrap() < 0.5 * seen[0], "{seen:?}");
    // Nothing begins on the device that is gone, and nothing hangs.
    let (refused, _) = make(&vgg, || ());
    assert!(matches!(refused, Err(Error::Device(_))));
}
