//! A slice that several threads write to in disjoint parts.

use std::marker::PhantomData;

/// A mutable slice that several threads share. Each thread writes parts that no other thread accesses.
///
/// The pixels of an output tile are short runs in several rows, so the tiles interleave in memory and
/// `split_at_mut` cannot separate them. Each pixel belongs to exactly one tile, which makes the parts
/// disjoint.
pub(super) struct DisjointSlice<'a, T> {
    pointer: *mut T,
    length: usize,
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
        // SAFETY: the part lies inside the slice, as asserted. The caller guarantees exclusive access.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), length) }
    }
}
