//! The greedy stack: what it chooses, and that it goes on where it was.

use crate::common::{flex, layer, picture, values};
use ranvgg::{
    Candidate, Control, GreedyStack, GreedyStackBuilder, InvertOptions, RandomVgg, invert,
};

fn builder() -> GreedyStackBuilder {
    let network = RandomVgg::vgg19().with_seed(5);
    GreedyStackBuilder::new(network, picture(20, 24, 0.0, &flex()))
        .with_candidates(3)
        .with_evaluations(6)
        .up_to(layer("conv2_1"))
        .with_devices([flex()])
}

fn sorted(stack: &GreedyStack) -> Vec<Candidate> {
    let mut candidates = stack.candidates().to_vec();
    candidates.sort_by_key(|candidate| (candidate.layer, candidate.seed));
    candidates
}

#[test]
fn each_layer_has_the_seed_with_the_lowest_score() {
    let stack = builder().build(&mut ()).unwrap();
    assert!(stack.is_complete());
    let mut expected = RandomVgg::vgg19().with_seed(5);
    for name in ["conv1_1", "conv1_2", "conv2_1"] {
        let of_layer: Vec<&Candidate> = stack
            .candidates()
            .iter()
            .filter(|candidate| candidate.layer == layer(name))
            .collect();
        let mut seeds: Vec<u64> = of_layer.iter().map(|candidate| candidate.seed).collect();
        seeds.sort_unstable();
        assert_eq!(seeds, [15, 16, 17], "{name}");
        let best = of_layer
            .iter()
            .min_by(|a, b| a.score.total_cmp(&b.score))
            .unwrap();
        assert!(of_layer.iter().any(|other| other.score > best.score));
        expected = expected.with_layer_seed(layer(name), best.seed);
    }
    assert_eq!(stack.candidates().len(), 9);
    assert_eq!(*stack.network(), expected);
    // A recipe like any other.
    let recipe = RandomVgg::from_recipe(&stack.network().to_recipe()).unwrap();
    assert_eq!(recipe, expected);
    // Two at a time find the same.
    let two = builder()
        .with_devices([flex(), flex()])
        .build(&mut ())
        .unwrap();
    assert_eq!(sorted(&two), sorted(&stack));
    assert_eq!(two.network(), stack.network());
}

#[test]
fn a_score_is_the_relative_distance_of_features_of_the_inversion() {
    let stack = builder().up_to(layer("conv1_1")).build(&mut ()).unwrap();
    let candidate = &stack.candidates()[1];
    let vgg = RandomVgg::vgg19()
        .with_seed(5)
        .with_layer_seed(layer("conv1_1"), candidate.seed)
        .init(&flex())
        .unwrap();
    let mut options = InvertOptions::paper();
    options.run.evaluations = Some(6);
    let reference = picture(20, 24, 0.0, &flex());
    let outcome = invert(&vgg, &reference, layer("conv1_1"), &options, &mut ()).unwrap();
    let features = |image| {
        let mut features = vgg.features(image, &[layer("conv1_1")]).unwrap();
        values(features.take(layer("conv1_1")).unwrap())
    };
    let (wanted, found) = (features(reference), features(outcome.tensor()));
    let sum = |values: Vec<f64>| values.iter().map(|value| value * value).sum::<f64>();
    let apart = wanted.iter().zip(&found);
    let apart = sum(apart.map(|(a, b)| f64::from(a - b)).collect());
    let size = sum(wanted.iter().map(|value| f64::from(*value)).collect());
    assert!(
        (candidate.score / (apart / size) - 1.0).abs() < 1e-6,
        "{candidate:?} {}",
        apart / size
    );
}

#[test]
fn a_stopped_build_goes_on_from_its_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let reported = || builder().with_report(&path);
    let mut told = 0;
    let stopped = reported()
        .build(&mut |_: &Candidate, total: usize| {
            assert_eq!(total, 9);
            told += 1;
            match told {
                ..5 => Control::Continue,
                _ => Control::Stop,
            }
        })
        .unwrap();
    assert!(!stopped.is_complete());
    // One more may have been under way.
    let known = stopped.candidates().len();
    assert!(known == 5 || known == 6, "{known}");
    let mut told = 0;
    let resumed = reported()
        .build(&mut |_: &Candidate, _: usize| {
            told += 1;
            Control::Continue
        })
        .unwrap();
    assert_eq!(told, 9 - known);
    let whole = builder().build(&mut ()).unwrap();
    assert_eq!(resumed.network(), whole.network());
    assert_eq!(sorted(&resumed), sorted(&whole));
    // All of it known: nothing is left to do.
    let again =
        reported().build(&mut |_: &Candidate, _: usize| -> Control { panic!("scored again") });
    assert_eq!(again.unwrap().network(), whole.network());

    let message = |builder: GreedyStackBuilder| builder.build(&mut ()).unwrap_err().to_string();
    let other = message(reported().with_evaluations(7));
    assert!(
        other.contains("report.json") && other.contains("one of the same"),
        "{other}"
    );
    std::fs::write(&path, "{").unwrap();
    assert!(message(reported()).contains("the report of a greedy stack"));
    let nowhere = folder.path().join("missing/report.json");
    assert!(message(builder().with_report(nowhere)).contains("missing"));
}

#[test]
fn settings_that_choose_nothing_are_refused() {
    let message = |builder: GreedyStackBuilder| builder.build(&mut ()).unwrap_err().to_string();
    assert!(message(builder().with_candidates(0)).contains("candidates is 0"));
    assert!(message(builder().with_evaluations(0)).contains("evaluations is 0"));
    let small = message(builder().up_to(layer("conv5_1")));
    assert!(small.contains("the reference is 24x20"), "{small}");
    let vgg16 = GreedyStackBuilder::new(RandomVgg::vgg16(), picture(20, 24, 0.0, &flex()))
        .with_devices([flex()])
        .up_to(layer("conv3_4"));
    assert!(message(vgg16).contains("conv3_4"));
    let grey = GreedyStackBuilder::new(
        RandomVgg::vgg19().with_channels(1),
        picture(20, 24, 0.0, &flex()),
    );
    let refused = message(grey.with_devices([flex()]));
    assert!(refused.contains("3 channels"), "{refused}");
}
