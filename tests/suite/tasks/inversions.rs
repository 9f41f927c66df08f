//! Inversions: how much of a picture comes back.

use super::run;
use crate::common::{bundled, layer, network};
use ranvgg::metrics::psnr;
use ranvgg::optim::Termination;
use ranvgg::run::StopReason;
use ranvgg::{Control, InvertOptions, Progress, Scales, invert};

/// Decibels that a PyTorch sketch of the method reached at 160 pixels, less a margin.
#[test]
fn inversions_come_back_as_far_as_the_layer_knows() {
    let cat = bundled("cat.png", 160);
    let vgg = network();
    for (name, decibels) in [("conv1_1", 45.0), ("conv3_1", 30.0), ("pool3", 24.0)] {
        let outcome = invert(&vgg, &cat, layer(name), &InvertOptions::default(), &mut ()).unwrap();
        assert!(outcome.evaluations() <= 200);
        let found = psnr(&outcome.image().to_rgb32f(), &cat.to_rgb32f()).unwrap();
        println!("{name}: {found:.1} dB");
        assert!(found >= decibels, "{name}: {found:.1} dB < {decibels}");
    }
}

#[test]
fn a_start_near_the_goal_stays_there() {
    let cat = bundled("cat.png", 64);
    let options = InvertOptions::paper()
        .with_start_picture(&cat)
        .with_run(run(5).with_scales(Scales::Single));
    let outcome = invert(&network(), &cat, layer("conv2_1"), &options, &mut ()).unwrap();
    assert!(psnr(&outcome.picture(), &cat.to_rgb32f()).unwrap() > 60.0);
    assert_eq!(
        outcome.stop_reason(),
        StopReason::Optimiser(Termination::Gradient)
    );
}

#[test]
fn an_inversion_can_be_watched() {
    let mut count = 0;
    let mut observer = |_: &Progress<'_>| {
        count += 1;
        Control::Continue
    };
    let options = InvertOptions::default().with_run(run(3));
    let cat = bundled("cat.png", 48);
    invert(&network(), &cat, layer("conv1_1"), &options, &mut observer).unwrap();
    assert_eq!(count, 3);
}
