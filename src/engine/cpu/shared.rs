//! A slice that several threads write in disjoint parts.

use std::marker::PhantomData;

/// A mutable slice lent to many threads at once, each of which writes parts no other touches.
///
/// Output tiles of a convolution interleave in memory (four short runs of several rows), so they
/// cannot be handed out by `split_at_mut`; which tile owns which pixels is known instead.
pub(super) struct Shared<'a, T> {
    pointer: *mut T,
    length: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: `Shared` only hands out parts of the slice through `part`, whose contract forbids that
// two of them overlap, so sending it or a reference to it to another thread creates no race.
#[allow(unsafe_code)]
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
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
    /// While the result lives, no other part that overlaps it may be alive on any thread.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    #[inline(always)]
    pub(super) unsafe fn part(&self, start: usize, length: usize) -> &mut [T] {
        assert!(start + length <= self.length, "part outside of the slice");
        // SAFETY: inside the slice by the assertion; alone by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), length) }
    }
}
