//! Turns panics of backends into errors.

use crate::error::{Error, Result, caught};

/// Calls `compute`. Backends panic when a driver fails, a device is lost or memory runs out. Such a panic
/// becomes [`Error::Device`] with the panic's message.
///
/// Values that `compute` was changing must not be used after a panic.
pub(crate) fn guarded<T>(compute: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(compute).unwrap_or_else(|text| Err(Error::Device(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let device = |result: Result<i32>| match result {
            Err(Error::Device(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(guarded(|| Ok(7)).unwrap(), 7);
        assert_eq!(device(guarded(|| panic!("device lost"))), "device lost");
        let reason = "out of memory";
        assert_eq!(
            device(guarded(|| panic!("{reason}: 3 GiB"))),
            "out of memory: 3 GiB"
        );
        let silent = guarded(|| std::panic::panic_any(3));
        assert_eq!(device(silent), "it gave no reason");
        let refused = guarded::<()>(|| Err(Error::option("a", "b", "c")));
        assert!(matches!(refused, Err(Error::InvalidOption { .. })));
    }
}
