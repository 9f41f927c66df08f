//! How often a run waits for its device: a read drains everything that was sent there.

use crate::common::{all_devices, gpu_device, picture};
use ranvgg::device::reads;
use ranvgg::{
    Outcome, Padding, RandomVgg, RunOptions, Scales, Statistics, StyleOptions, TextureOptions,
    synthesize_texture, transfer_style,
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
fn the_distribution_of_colours_is_read_by_cpus_alone() {
    for (name, device) in all_devices() {
        let (without, _) = counted(&device, Statistics::Gram, 0.0);
        let (with, evaluations) = counted(&device, Statistics::Gram, 1.0);
        // For its target and for its weight. CPUs, for which a read costs nothing, read at every evaluation,
        // and when the weight is measured.
        let more = match name.as_str() {
            "wgpu" => 2,
            _ => evaluations + 3,
        };
        assert_eq!(with - without, more, "{name}");
    }
}

/// With the default options of statistics of a network, a GPU is waited for once an evaluation: what is not
/// read cannot be sorted on the host and written back.
#[test]
fn the_default_layers_colours_and_octaves_wait_once() {
    let Some((_, device)) = gpu_device() else {
        return;
    };
    let vgg = RandomVgg::vgg19().init(&device).unwrap();
    let exemplar = picture(96, 96, 0.0, &device);
    let texture = |evaluations: usize| {
        let options = TextureOptions::default()
            .with_statistics(Statistics::Whitened)
            .with_evaluations(evaluations);
        synthesize_texture(&vgg, exemplar.clone(), &options, &mut ()).unwrap()
    };
    let style = |evaluations: usize| {
        let options = StyleOptions::default()
            .with_statistics(Statistics::Distributions)
            .with_evaluations(evaluations);
        let content = picture(96, 96, 1.0, &device);
        transfer_style(&vgg, content, exemplar.clone(), &options, &mut ()).unwrap()
    };
    let runs: [(&str, &dyn Fn(usize) -> Outcome); 2] = [("texture", &texture), ("style", &style)];
    for (name, run) in runs {
        let counted = |evaluations: usize| {
            let before = reads();
            let outcome = run(evaluations);
            let octaves = outcome
                .term_names()
                .iter()
                .any(|term| term == "colours octave 1");
            assert!(octaves, "{name}: {:?}", outcome.term_names());
            (reads() - before, outcome.evaluations() as u64)
        };
        let ((few_reads, few), (many_reads, many)) = (counted(3), counted(6));
        assert!(many > few, "{name}");
        assert_eq!(many_reads - few_reads, many - few, "{name}");
    }
}
