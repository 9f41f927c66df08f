//! What crosses from a device to the host.

use std::cell::Cell;

use burn::tensor::{Element, Tensor};

use crate::error::{Error, Result};

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

/// The values of a tensor. A device has to finish everything before it can answer, so that each read
/// costs far more than its bytes: all of this crate go through here and are counted.
pub(crate) fn read<E: Element, const D: usize>(tensor: Tensor<D>) -> Result<Vec<E>> {
    READS.set(READS.get() + 1);
    tensor.try_into_vec_as().map_err(Error::device)
}

/// How often this thread has read from a device: for tests that hold the number down.
#[doc(hidden)]
#[must_use]
pub fn reads() -> u64 {
    READS.get()
}
