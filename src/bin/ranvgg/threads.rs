//! How many threads compute.

use std::env;
use std::sync::mpsc;
use std::thread::{Builder, available_parallelism};

use rayon::ThreadPoolBuilder;

/// Most threads for each core. More of them take memory and turns from one another.
const PER_CORE: usize = 4;

/// Threads beside those that compute: of signals, of progress, of a page, of a GPU.
const OTHERS: usize = 4;

/// Starts as many as RAYON_NUM_THREADS asks for, or one a core: within a bound, and no more than the system allows.
pub(crate) fn start() {
    let asked = env::var("RAYON_NUM_THREADS").ok();
    let asked = asked.and_then(|text| text.parse().ok()).unwrap_or(0);
    let cores = available_parallelism().map_or(1, usize::from);
    let wanted = match asked {
        0 => cores,
        asked => PER_CORE.saturating_mul(cores).min(asked),
    };
    // A process builds its pool once, so whether the threads can be had is tried before.
    let count = startable(wanted + OTHERS);
    if count > 0 {
        let threads = count.saturating_sub(OTHERS).max(1);
        let _ = ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    // Otherwise the library says that there are none.
}

/// How many of `wanted` threads the system starts side by side.
fn startable(wanted: usize) -> usize {
    let mut running = Vec::new();
    for _ in 0..wanted {
        let (end, ended) = mpsc::channel::<()>();
        match Builder::new().spawn(move || ended.recv()) {
            Ok(thread) => running.push((end, thread)),
            Err(_) => break,
        }
    }
    let count = running.len();
    for (end, thread) in running {
        drop(end);
        let _ = thread.join();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted() {
        assert_eq!([0, 1, 9].map(startable), [0, 1, 9]);
    }
}
