//! Reads from a device to the host.

use std::cell::Cell;

use burn::tensor::{Element, Tensor};

use crate::error::{Error, Result};

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

/// The values of a tensor. A read waits until the device has finished all work, and so it costs far more
/// than its bytes. All reads of this crate are made here and counted.
pub(crate) fn read<E: Element, const D: usize>(tensor: Tensor<D>) -> Result<Vec<E>> {
    READS.set(READS.get() + 1);
    tensor.try_into_vec_as().map_err(Error::device)
}

/// The number of reads that this thread has made, for tests of this number.
#[doc(hidden)]
#[must_use]
pub fn reads() -> u64 {
    READS.get()
}
