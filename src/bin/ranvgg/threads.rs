//! A bound on threads.

use std::env;
use std::thread::available_parallelism;

use rayon::ThreadPoolBuilder;

/// Most threads for each core. More of them take memory and turns from one another.
const PER_CORE: usize = 4;

/// Bounds what RAYON_NUM_THREADS asks for.
pub(crate) fn bound() {
    let asked = env::var("RAYON_NUM_THREADS").ok();
    let asked: usize = asked.and_then(|text| text.parse().ok()).unwrap_or(0);
    let cores = available_parallelism().map_or(1, usize::from);
    if asked > PER_CORE * cores {
        // An error means that the pool is there already; nothing has used it yet.
        let pool = ThreadPoolBuilder::new().num_threads(PER_CORE * cores);
        let _ = pool.build_global();
    }
}
