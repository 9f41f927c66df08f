//! One evaluation of the five-layer style objective of VGG-19 up to conv5_1: values and image
//! gradient, by size, on every device that answers. Each ends after a read from the device.
//!
//! `RANVGG_BENCH_DEVICES=flex,wgpu` chooses devices; software GPUs are left out unless named.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ranvgg::objective::Objective;
use ranvgg::{Gram, Padding, RandomVgg};

fn evaluation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluation");
    group.sample_size(10);
    for (name, device) in support::devices() {
        for size in [128, 256, 512] {
            let vgg = RandomVgg::vgg19()
                .with_padding(Padding::Zero)
                .init(&device)
                .expect("a network");
            let taps: Vec<_> = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
                .map(|name| vgg.layer(name).expect("a layer"))
                .into();
            let exemplar = vgg
                .features(support::picture(size, 1.0, &device), &taps)
                .expect("room");
            let mut objective = Objective::new(&vgg);
            for (layer, map) in exemplar.iter() {
                let target = Gram::of(map.clone()).expect("a map");
                objective = objective.at_layer("style", layer, 1.0, target);
            }
            let image = support::picture(size, 0.0, &device);
            group.throughput(Throughput::Elements((size * size) as u64));
            group.bench_function(BenchmarkId::new(&name, size), |bencher| {
                bencher.iter(|| {
                    let evaluation = objective.evaluate(image.clone()).expect("an evaluation");
                    support::wait(evaluation.values);
                    support::wait(evaluation.gradient.sum());
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, evaluation);
criterion_main!(benches);
