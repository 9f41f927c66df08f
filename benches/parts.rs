//! What an evaluation is made of: a Gram loss at each style layer, and a step of the optimiser.

mod support;

use burn::tensor::Tensor;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ranvgg::loss::{Loss, Observation};
use ranvgg::optim::LbfgsOptions;
use ranvgg::{Gram, Lbfgs};

/// Channels and side of each style layer's map for a 256x256 image.
const MAPS: [(usize, usize); 5] = [(64, 256), (128, 128), (256, 64), (512, 32), (512, 16)];

fn gram(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gram loss and gradient at 256x256");
    for (name, device) in support::devices() {
        for (channels, side) in MAPS {
            // Channels last in memory, as networks give them.
            let map = Tensor::<4>::ones([1, side, side, channels], &device) * 0.5;
            let map = map.permute([0, 3, 1, 2]);
            let target = Gram::of(map.clone() * 1.1).expect("a map");
            let id = BenchmarkId::new(&name, format!("{channels} channels, {side}x{side}"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let mut observation = Observation::from(map.clone());
                    let measured = target.measure(&mut observation, 1.0).expect("a loss");
                    let gradient = measured.gradient.at(observation).expect("a gradient");
                    support::wait(gradient.sum());
                });
            });
        }
    }
    group.finish();
}

fn lbfgs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lbfgs step with 10 pairs");
    for (name, device) in support::devices() {
        for side in [256, 512] {
            let length = 3 * side * side;
            let start = support::picture(side, 0.0, &device).reshape([length]);
            let goal = support::picture(side, 1.0, &device).reshape([length]);
            let mut lbfgs = Lbfgs::new(start, LbfgsOptions::default()).expect("settings");
            let mut step = || {
                // (x - goal)^4: never over, so that the history stays full.
                let away = lbfgs.ask() - goal.clone();
                let cube = away.clone() * away.clone() * away.clone();
                let value = (cube.clone() * away).sum();
                lbfgs.tell(value, cube * 4.0).expect("a step");
            };
            (0..12).for_each(|_| step());
            group.bench_function(BenchmarkId::new(&name, side), |bencher| {
                bencher.iter(&mut step)
            });
        }
    }
    group.finish();
}

criterion_group!(benches, gram, lbfgs);
criterion_main!(benches);
