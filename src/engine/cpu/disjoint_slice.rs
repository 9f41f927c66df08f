//! A slice that several threads write to in disjoint parts.

use std::marker::PhantomData;

/// A mutable slice that several threads share. Each thread writes parts that no other thread accesses.
///
/// The pixels of an output tile are short runs in several rows, so the tiles interleave in memory and
/// `split_at_mut` cannot separate them. Each pixel belongs to exactly one tile, which makes the parts
/// disjoint.
///
/// With debug assertions a value that two threads ask for is a panic.
pub(super) struct DisjointSlice<'a, T> {
    pointer: *mut T,
    length: usize,
    #[cfg(debug_assertions)]
    owners: owners::Owners,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: the slice is only accessed through `part`, whose contract forbids overlapping parts.
// Sending a `DisjointSlice` or a reference to it to another thread therefore creates no data race.
#[allow(unsafe_code)]
unsafe impl<T: Send> Send for DisjointSlice<'_, T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for DisjointSlice<'_, T> {}

impl<'a, T> DisjointSlice<'a, T> {
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Self {
            pointer: slice.as_mut_ptr(),
            length: slice.len(),
            #[cfg(debug_assertions)]
            owners: owners::Owners::new(slice.len()),
            lifetime: PhantomData,
        }
    }

    /// The `length` values from `start` on.
    ///
    /// # Safety
    ///
    /// While the result is alive, no overlapping part may be alive on any thread.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    #[inline(always)]
    pub(super) unsafe fn part(&self, start: usize, length: usize) -> &mut [T] {
        assert!(start + length <= self.length, "part outside of the slice");
        #[cfg(debug_assertions)]
        self.owners.claim(start..start + length);
        // SAFETY: the part lies inside the slice, as asserted. The caller guarantees exclusive access.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), length) }
    }
}

/// Which thread each value belongs to.
#[cfg(debug_assertions)]
mod owners {
    use std::ops::Range;
    use std::sync::atomic::{AtomicU32, Ordering};

    pub(super) struct Owners(Vec<AtomicU32>);

    /// The number of this thread, from 1.
    fn this_thread() -> u32 {
        static THREADS: AtomicU32 = AtomicU32::new(1);
        thread_local! {
            static NUMBER: u32 = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        NUMBER.with(|number| *number)
    }

    impl Owners {
        pub(super) fn new(length: usize) -> Self {
            Self((0..length).map(|_| AtomicU32::new(0)).collect())
        }

        pub(super) fn claim(&self, values: Range<usize>) {
            let this = this_thread();
            for index in values {
                let before = self.0[index].swap(this, Ordering::Relaxed);
                assert!(
                    before == 0 || before == this,
                    "two threads write value {index}"
                );
            }
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "two threads write value 3")]
    #[allow(unsafe_code)]
    fn a_value_of_two_threads_is_seen() {
        let mut values = [0; 8];
        let slice = DisjointSlice::new(&mut values);
        // SAFETY: no part outlives its expression.
        unsafe { slice.part(0, 4)[0] = 1 };
        let other = std::thread::scope(|scope| {
            let slice = &slice;
            // SAFETY: as above.
            let write = move || unsafe { slice.part(3, 2)[0] = 2 };
            scope.spawn(write).join()
        });
        if let Err(panic) = other {
            std::panic::resume_unwind(panic);
        }
    }
}
