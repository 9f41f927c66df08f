//! Whole runs, short: textures of 128x128 in 20 evaluations, by resampled filters over six sizes and by
//! statistics of a network over two.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use ranvgg::{RandomVgg, RunOptions, Statistics, TextureOptions, synthesize_texture};

fn texture(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("texture 128x128, 20 evaluations");
    group.sample_size(10);
    for (name, device) in support::devices() {
        let vgg = RandomVgg::vgg19().init(&device).expect("a network");
        let exemplar = support::picture(128, 0.0, &device);
        for statistics in [Statistics::Resampled, Statistics::Whitened] {
            let options = TextureOptions::default()
                .with_statistics(statistics)
                .with_run(RunOptions::default().with_evaluations(20));
            group.bench_function(format!("{name} {statistics}"), |bencher| {
                bencher.iter(|| {
                    synthesize_texture(&vgg, &exemplar, &options, &mut ()).expect("a texture")
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, texture);
criterion_main!(benches);
