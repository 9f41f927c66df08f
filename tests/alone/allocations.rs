//! Evaluations after the first ask the system for nothing large: maps and scratch are reused. A checkpoint is written
//! without a copy of the state.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::time::Duration;

use burn::tensor::Tensor;
use ranvgg::loss::{Content, Covariance, Mean};
use ranvgg::objective::Objective;
use ranvgg::run::Checkpoint;
use ranvgg::{
    Gram, InvertOptions, RandomVgg, RunOptions, Scales, Size, TextureOptions, device, invert,
    synthesize_texture,
};

static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// The most bytes that were allocated at once.
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// Bytes that are allocated now.
static LIVE: AtomicIsize = AtomicIsize::new(0);

pub(crate) fn live_bytes() -> isize {
    LIVE.load(Ordering::Relaxed)
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it came.
#[allow(unsafe_code)] // an allocator that counts is one
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(size: usize, freed: usize) {
    LARGEST.fetch_max(size, Ordering::Relaxed);
    let change = size as isize - freed as isize;
    let live = LIVE.fetch_add(change, Ordering::Relaxed) + change;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

/// The most bytes that `work` has allocated at once.
fn peak(work: impl FnOnce()) -> isize {
    let before = live_bytes();
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn the_steady_state_allocates_nothing_large() {
    let _alone = crate::alone();
    let Ok(flex) = device::by_name("flex") else {
        return;
    };
    let side = 192;
    let vgg = RandomVgg::vgg19().init(&flex).unwrap();
    let layer = |name: &str| vgg.layer(name).unwrap();
    let exemplar = Tensor::<4>::full([1, 3, side, side], 0.4, &flex);
    let map = |name: &str| {
        let mut features = vgg.features(exemplar.clone(), &[layer(name)]).unwrap();
        features.take(layer(name)).unwrap()
    };
    let mut objective = Objective::new(&vgg);
    for name in ["conv1_1", "conv2_1", "conv3_1"] {
        objective = objective
            .at_layer("mean", layer(name), 1.0, Mean::of(map(name)).unwrap())
            .at_layer(
                "covariance",
                layer(name),
                1.0,
                Covariance::of(map(name)).unwrap(),
            );
    }
    objective = objective
        .at_layer(
            "content",
            layer("conv2_2"),
            1.0,
            Content::of(map("conv2_2")).unwrap(),
        )
        .at_layer(
            "gram",
            layer("conv4_1"),
            1.0,
            Gram::of(map("conv4_1")).unwrap(),
        );
    let image = exemplar * 1.5;
    for _ in 0..3 {
        objective.evaluate(image.clone()).unwrap();
    }
    LARGEST.store(0, Ordering::Relaxed);
    objective.evaluate(image.clone()).unwrap();
    let largest = LARGEST.load(Ordering::Relaxed);
    println!("largest allocation: {largest} bytes");
    // Matrices of the 512 channels of conv4_1 take 1 MiB; the map at conv1_1 9 MiB, the smallest of
    // those that are measured 2 MiB.
    assert!(largest <= 4 * 512 * 512, "an allocation of {largest} bytes");
}

/// The picture at the start and the one so far, 12 bytes a pixel each, beside what the run takes. Its state has 60 bytes a
/// pixel here, and more than 200 with the history of L-BFGS.
#[test]
fn a_checkpoint_is_written_without_a_copy_of_the_state() {
    let _alone = crate::alone();
    let Ok(flex) = device::by_name("flex") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let vgg = RandomVgg::vgg19().init(&flex).unwrap();
    let side = 320;
    let exemplar = crate::common::bundled("gravel.png", 128);
    let picture = crate::common::bundled("gravel.png", 192);
    let layer = vgg.layer("conv1_2").unwrap();
    let texture = |run: RunOptions| {
        let options = TextureOptions::default()
            .with_size(Size::square(side))
            .with_run(run.with_evaluations(6));
        synthesize_texture(&vgg, &exemplar, &options, &mut ()).unwrap();
    };
    let inversion = |run: RunOptions| {
        let options = InvertOptions::default().with_run(run.with_evaluations(14));
        invert(&vgg, &picture, layer, &options, &mut ()).unwrap();
    };
    let tasks: [&dyn Fn(RunOptions); 2] = [&texture, &inversion];
    let named = [("a texture", side * side), ("an inversion", 192 * 192)];
    for (task, (name, pixels)) in tasks.into_iter().zip(named) {
        let checkpoint = Checkpoint::new(folder.path().join(name)).with_every(Duration::ZERO);
        let run = RunOptions::default().with_scales(Scales::Single);
        // What stays of the first run, such as drawn weights, is not counted.
        task(run.clone());
        let plain = peak(|| task(run.clone()));
        let saved = peak(|| task(run.with_checkpoint(checkpoint)));
        let more = (saved - plain) as f64 / pixels as f64;
        println!("{name}: {more:.1} bytes a pixel");
        assert!(more < 30.0, "{name}: {more} bytes a pixel");
    }
}
