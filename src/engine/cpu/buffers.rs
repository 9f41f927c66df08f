//! A pool of buffers that outlive an evaluation, so that repeated evaluations allocate nothing large.

use std::sync::Mutex;

/// A pool of float buffers. A request is served by the smallest idle buffer that is large enough.
#[derive(Default)]
pub(crate) struct Buffers {
    idle: Mutex<Vec<Vec<f32>>>,
}

/// The number of idle buffers beyond which the smallest is freed, not counting one scratch buffer
/// for each thread. A trunk never uses as many at once.
const MOST_IDLE: usize = 12;
/// Floats in the largest buffer that is kept (64 MiB: the largest feature map of a 512x512 image).
/// Larger buffers are returned to the system, and a request for one frees all idle buffers: a few
/// such maps are most of a run's memory and are never all in use at once.
const MOST_KEPT: usize = 16 * 1024 * 1024;
/// A buffer that exceeds a request by this factor is kept for larger requests.
const TOO_LARGE: usize = 8;

impl Buffers {
    /// A buffer of `length` floats with unspecified content.
    pub(crate) fn acquire(&self, length: usize) -> Vec<f32> {
        let mut buffer = self.acquire_at_least(length);
        buffer.truncate(length);
        buffer
    }

    /// A buffer of at least `length` floats with unspecified content. It keeps the values that it has
    /// beyond, so that a longer request for it needs not write them again.
    pub(crate) fn acquire_at_least(&self, length: usize) -> Vec<f32> {
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
            // The system provides zeroed pages, so nothing is written here.
            return vec![0.0; length];
        }
        // Values up to the old length are not written.
        if buffer.len() < length {
            buffer.resize(length, 0.0);
        }
        buffer
    }

    /// Returns a buffer to the pool.
    pub(crate) fn give_back(&self, buffer: Vec<f32>) {
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
        // The list is valid between any two of its operations, so the lock may be used after a panic.
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
        buffers.give_back(large);
        buffers.give_back(small);
        let taken = buffers.acquire(8);
        assert_eq!(taken.as_ptr(), address);
        // The other buffer is too large for ten values, but not for five hundred.
        assert_eq!(buffers.acquire(10).len(), 10);
        assert_eq!(buffers.lock().len(), 1);
        assert_eq!(buffers.acquire(500).len(), 500);
        assert_eq!(buffers.lock().len(), 0);
    }
}
