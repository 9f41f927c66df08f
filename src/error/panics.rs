//! Panics of other crates, turned into errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Counts the calls of [`caught`] that a thread is in.
struct Depth;

impl Depth {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// What `compute` gives, or the message of its panic. Values that it was changing must not be used after a panic.
pub(crate) fn caught<T>(compute: impl FnOnce() -> T) -> Result<T, String> {
    let depth = Depth::enter();
    let result = catch_unwind(AssertUnwindSafe(compute));
    drop(depth);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "it gave no reason".into())
    })
}

/// Whether a panic of this thread would become an error.
fn catches_panics() -> bool {
    DEPTH.get() > 0
}

/// Keeps the panic hook of a program silent where a panic becomes an error.
#[doc(hidden)]
pub fn quiet_caught_panics() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !catches_panics() {
            loud(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_caught_where_it_says() {
        assert!(!catches_panics());
        let found = caught(|| {
            assert!(catches_panics());
            let inner: Result<(), String> = caught(|| panic!("the inner one"));
            assert!(catches_panics());
            inner.unwrap_err()
        });
        assert_eq!(found, Ok("the inner one".to_owned()));
        assert!(!catches_panics());
        let formatted: Result<(), String> = caught(|| panic!("number {}", DEPTH.get()));
        assert_eq!(formatted, Err("number 1".to_owned()));
        assert!(!catches_panics());
    }
}
