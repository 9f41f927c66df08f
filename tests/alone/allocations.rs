//! Evaluations after the first ask the system for nothing large: maps and scratch are reused.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use burn::tensor::Tensor;
use ranvgg::loss::{Content, Covariance, Mean};
use ranvgg::objective::Objective;
use ranvgg::{Gram, RandomVgg, device};

static LARGEST: AtomicUsize = AtomicUsize::new(0);

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
    LIVE.fetch_add(size as isize - freed as isize, Ordering::Relaxed);
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
