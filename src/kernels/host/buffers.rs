//! Buffers that outlive an evaluation, so that the steady state allocates nothing large.

use std::sync::Mutex;

/// A store of float buffers. Taking one reuses the smallest that is large enough.
#[derive(Default)]
pub(crate) struct Buffers {
    idle: Mutex<Vec<Vec<f32>>>,
}

/// More idle buffers than a trunk ever has in flight: beyond it the smallest is dropped.
const MOST_IDLE: usize = 12;

/// Floats from which an idle buffer is freed when a larger one is needed: at this size (64 MiB)
/// asking the system for memory again costs little beside the work done in it.
const LARGE: usize = 16 * 1024 * 1024;

impl Buffers {
    /// A buffer of `length` values of unspecified content.
    pub(crate) fn take(&self, length: usize) -> Vec<f32> {
        let mut idle = self.lock();
        let fitting = idle
            .iter()
            .enumerate()
            .filter(|(_, buffer)| buffer.capacity() >= length)
            .min_by_key(|(_, buffer)| buffer.capacity())
            .map(|(index, _)| index);
        let mut buffer = match fitting {
            Some(index) => idle.swap_remove(index),
            None => {
                // What lies idle is too small. Where that is much, its memory is wanted elsewhere.
                idle.retain(|buffer| buffer.capacity() < LARGE);
                Vec::new()
            }
        };
        drop(idle);
        // `resize` writes only what lies beyond the old length: nothing when a buffer of this
        // size comes back.
        buffer.resize(length, 0.0);
        buffer
    }

    /// Gives a buffer back.
    pub(crate) fn give(&self, buffer: Vec<f32>) {
        if buffer.capacity() == 0 {
            return;
        }
        let mut idle = self.lock();
        idle.push(buffer);
        if idle.len() > MOST_IDLE {
            let smallest = (0..idle.len()).min_by_key(|&i| idle[i].capacity());
            if let Some(index) = smallest {
                idle.swap_remove(index);
            }
        }
    }

    /// Frees every idle buffer.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<f32>>> {
        // The list is valid between any two of its operations, so a panic elsewhere while it was
        // held does not matter.
        self.idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_fitting_buffer_comes_back() {
        let buffers = Buffers::default();
        let (small, large) = (vec![0.0; 10], vec![0.0; 1000]);
        let address = small.as_ptr();
        buffers.give(large);
        buffers.give(small);
        let taken = buffers.take(8);
        assert_eq!(taken.as_ptr(), address);
        assert_eq!(buffers.take(500).len(), 500);
        assert_eq!(buffers.lock().len(), 0);
    }
}
