//! Memory for planes that is used again in the next tile and the next step. Fresh memory of that size would
//! be mapped by the system page by page each time.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use super::planes::Planes;

#[derive(Default)]
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<f32>>>,
}

impl Buffers {
    /// Planes of that shape, with values from earlier uses.
    pub(super) fn planes(&self, channels: usize, height: usize, width: usize) -> Pooled<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = free.pop().unwrap_or_default();
        drop(free);
        Pooled {
            planes: Planes::in_buffer(channels, height, width, buffer),
            buffers: self,
        }
    }
}

/// Planes that give back their memory.
pub(super) struct Pooled<'a> {
    planes: Planes,
    buffers: &'a Buffers,
}

impl Deref for Pooled<'_> {
    type Target = Planes;

    fn deref(&self) -> &Planes {
        &self.planes
    }
}

impl DerefMut for Pooled<'_> {
    fn deref_mut(&mut self) -> &mut Planes {
        &mut self.planes
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.planes.data);
        let free = self.buffers.free.lock();
        free.unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}
