//! Buffers that outlive an evaluation, so that the steady state allocates nothing large.

use std::sync::Mutex;

/// A store of float buffers. Taking one reuses the smallest that is large enough.
#[derive(Default)]
pub(crate) struct Buffers {
    idle: Mutex<Vec<Vec<f32>>>,
}

/// More idle buffers than a trunk ever has in flight, scratch of threads not counted: beyond it the
/// smallest is dropped.
const MOST_IDLE: usize = 12;
/// Floats above which a buffer goes back to the system, and none is kept beside it (64 MiB: the
/// largest map of a 512x512 image). Above it a few maps are most of a run's memory, and never all
/// needed at once.
const MOST_KEPT: usize = 16 * 1024 * 1024;
/// A buffer this many times larger than what is asked for is left for what needs it.
const TOO_LARGE: usize = 8;

impl Buffers {
    /// A buffer of `length` values of unspecified content.
    pub(crate) fn take(&self, length: usize) -> Vec<f32> {
        let mut idle = self.lock();
        if length > MOST_KEPT {
            idle.clear();
        }
        let fitting = idle
            .iter()
            .enumerate()
            .filter(|(_, buffer)| (length..=length * TOO_LARGE).contains(&buffer.capacity()))
            .min_by_key(|(_, buffer)| buffer.capacity())
            .map(|(index, _)| index);
        let mut buffer = fitting.map_or_else(Vec::new, |index| idle.swap_remove(index));
        drop(idle);
        if buffer.capacity() == 0 {
            // Fresh memory comes as zeros: nothing is written to it here.
            return vec![0.0; length];
        }
        // `resize` writes only what lies beyond the old length: nothing when a buffer of this
        // size comes back.
        buffer.resize(length, 0.0);
        buffer
    }

    /// Gives a buffer back.
    pub(crate) fn give(&self, buffer: Vec<f32>) {
        if buffer.capacity() == 0 || buffer.capacity() > MOST_KEPT {
            return;
        }
        let mut idle = self.lock();
        idle.push(buffer);
        if idle.len() > MOST_IDLE + rayon::current_num_threads() {
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
        // The other is too large for ten values, and serves five hundred.
        assert_eq!(buffers.take(10).len(), 10);
        assert_eq!(buffers.lock().len(), 1);
        assert_eq!(buffers.take(500).len(), 500);
        assert_eq!(buffers.lock().len(), 0);
    }
}
