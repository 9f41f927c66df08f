//! Tests of what a whole process does: what it allocates, which kernels it sends to a GPU. They run one
//! at a time, and nothing else runs beside them.

#[path = "../common/mod.rs"]
mod common;

mod allocations;
mod launches;
mod soak;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by each test of this program.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
