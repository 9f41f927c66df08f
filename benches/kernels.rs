//! The CPU kernels, layer by layer of VGG-19 at 256x256, beside a library's matrix product.
//!
//! Throughput counts the multiplications and additions of the layer's definition, so that kernels
//! with and without a transform compare. The products beside are single calls of the `gemm` crate,
//! one on each thread, at the shapes that the Winograd kernel multiplies.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;

use ranvgg::{LayerBench, device};

/// Channels in, channels out, side of the map.
const LAYERS: [(&str, usize, usize, usize); 9] = [
    ("conv1_1", 3, 64, 256),
    ("conv1_2", 64, 64, 256),
    ("conv2_1", 64, 128, 128),
    ("conv2_2", 128, 128, 128),
    ("conv3_1", 128, 256, 64),
    ("conv3_2", 256, 256, 64),
    ("conv4_1", 256, 512, 32),
    ("conv4_2", 512, 512, 32),
    ("conv5_1", 512, 512, 16),
];

fn layers(criterion: &mut Criterion) {
    let device = device::by_name("flex").expect("a CPU");
    for (way, plain) in [("", false), (", direct", true)] {
        let mut group = criterion.benchmark_group(format!("layers at 256x256{way}"));
        group.sample_size(20);
        group.measurement_time(Duration::from_secs(2));
        for (name, channels_in, channels_out, side) in LAYERS {
            let layer = LayerBench::new(channels_in, channels_out, side, plain, &device);
            group.throughput(Throughput::Elements(layer.operations()));
            group.bench_function(BenchmarkId::new(name, "forward"), |bencher| {
                bencher.iter(|| layer.forward());
            });
            group.bench_function(BenchmarkId::new(name, "backward"), |bencher| {
                bencher.iter(|| layer.backward());
            });
        }
        group.finish();
    }
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm, one product on each thread");
    group.sample_size(20);
    group.measurement_time(Duration::from_secs(2));
    let threads = rayon::current_num_threads();
    for (rows, channels) in [(56, 64), (42, 128), (112, 256), (256, 512), (1024, 1024)] {
        let lhs = vec![0.5f32; rows * channels];
        let rhs = vec![0.25f32; channels * channels];
        let mut out = vec![0.0f32; threads * rows * channels];
        group.throughput(Throughput::Elements(
            (2 * threads * rows * channels * channels) as u64,
        ));
        group.bench_function(
            BenchmarkId::from_parameter(format!("{rows}x{channels}x{channels}")),
            |bencher| {
                bencher.iter(|| {
                    out.par_chunks_mut(rows * channels).for_each(|out| {
                        // SAFETY: the three matrices are as large as the call says, and do not overlap.
                        #[allow(unsafe_code)]
                        unsafe {
                            gemm::gemm(
                                rows,
                                channels,
                                channels,
                                out.as_mut_ptr(),
                                1,
                                channels as isize,
                                false,
                                lhs.as_ptr(),
                                1,
                                channels as isize,
                                rhs.as_ptr(),
                                1,
                                channels as isize,
                                0.0,
                                1.0,
                                false,
                                false,
                                false,
                                gemm::Parallelism::None,
                            );
                        }
                    });
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, layers, products);
criterion_main!(benches);
