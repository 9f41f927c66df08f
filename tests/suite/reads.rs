//! How often a run waits for its device: a read drains everything that was sent there.

use crate::common::{all_devices, picture};
use ranvgg::device::reads;
use ranvgg::{
    Padding, RandomVgg, RunOptions, Scales, Statistics, TextureOptions, synthesize_texture,
};

const EVALUATIONS: usize = 30;

/// Reads of a run on a device, and its evaluations.
fn counted(
    device: &burn::tensor::Device,
    statistics: Statistics,
    colour_weight: f64,
) -> (u64, u64) {
    let vgg = RandomVgg::vgg16()
        .with_padding(Padding::Zero)
        .init(device)
        .unwrap();
    let options = TextureOptions::default()
        .with_layers(["conv1_1".parse().unwrap()])
        .with_statistics(statistics)
        .with_colour_weight(colour_weight)
        .with_every_octave(false)
        .with_run(
            RunOptions::default()
                .with_evaluations(EVALUATIONS)
                .with_scales(Scales::Single),
        );
    let exemplar = picture(16, 16, 0.0, device);
    let before = reads();
    let outcome = synthesize_texture(&vgg, exemplar, &options, &mut ()).unwrap();
    (reads() - before, outcome.evaluations() as u64)
}

#[test]
fn an_evaluation_waits_for_its_device_once() {
    for (name, device) in all_devices() {
        let (reads, evaluations) = counted(&device, Statistics::Gram, 0.0);
        assert_eq!(evaluations, EVALUATIONS as u64, "{name}");
        // Besides: the exemplar, the weights of the terms, the picture after 25 evaluations and at
        // the end.
        assert_eq!(reads, evaluations + 4, "{name}");
    }
}

#[test]
fn the_distribution_of_colours_waits_once_more() {
    for (name, device) in all_devices() {
        let (without, _) = counted(&device, Statistics::Gram, 0.0);
        let (with, evaluations) = counted(&device, Statistics::Gram, 1.0);
        // At every evaluation, twice when its weight is measured, and for its target.
        assert_eq!(with - without, evaluations + 3, "{name}");
    }
}
