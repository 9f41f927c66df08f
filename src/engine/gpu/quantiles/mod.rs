//! Differences of values from the quantiles of a target, without a pass through the host.
//!
//! Burn's own sort reads the tensor, sorts on the host and writes it back. The kernels here sort by radix.
//!
//! ```text
//! mod ──> operation (of Burn's backend) <── launches ──> kernels ──> tile (sorts in shared memory)
//! ```

mod kernels;
mod launches;
mod operation;
#[cfg(all(test, feature = "wgpu"))]
mod tests;
mod tile;

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor};

use self::launches::MOST_POSITIONS;
use self::operation::Quantiles;

/// The largest list of pairs in bytes. Directions beyond it are sorted after those before them. Every
/// WebGPU device offers buffers of 128 MiB.
const LARGEST_PAIRS: usize = 128 << 20;

/// Whether the kernels run on a device: their workgroups and shared memory are within its limits.
pub(in crate::engine) fn serves(device: &Device) -> bool {
    super::runs_workgroups(device, tile::UNITS, tile::SHARED_BYTES)
}

/// Whether the kernels compute ranks of so many positions and quantiles of so many values.
pub(in crate::engine) fn fits(positions: usize, length: usize) -> bool {
    positions.max(length) <= MOST_POSITIONS
}

/// The difference of each value, `[directions, positions]`, from the quantile of the same rank of the target,
/// `[directions, length]` in f32, sorted along each direction. NaN comes last. Differences are in f32.
pub(in crate::engine) fn subtract_quantiles(values: Tensor<2>, sorted: Tensor<2>) -> Tensor<2> {
    in_lists_of(LARGEST_PAIRS, values, sorted)
}

fn in_lists_of(largest: usize, values: Tensor<2>, sorted: Tensor<2>) -> Tensor<2> {
    let values = values.cast(DType::F32).into_dispatch();
    Tensor::from_dispatch(Dispatch::subtract_quantiles(
        values,
        sorted.into_dispatch(),
        largest,
    ))
}
