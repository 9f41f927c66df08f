//! Sums and largest values of long lists.
//!
//! Without autotuning, a reduction of Burn adds all values of a result in a single unit, one after another. For the
//! values of an image this takes longer than a layer of a network. The kernels here share the values out among
//! workgroups. Their order of addition depends on the number of values alone, so results are the same in every run.
//!
//! ```text
//! mod ──> operation (of Burn's backend) <── launches ──> kernels
//! ```

pub(super) mod kernels;
mod launches;
mod operation;
#[cfg(all(test, feature = "wgpu"))]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor};

use self::kernels::{SHARED_BYTES, UNITS};
pub(super) use self::launches::rows_to;
pub(in crate::engine) use self::operation::Reduction;
use self::operation::Reductions;

/// Whether the kernels run on a device: their workgroups and shared memory are within its limits.
pub(in crate::engine) fn serves(device: &Device) -> bool {
    super::runs_workgroups(device, UNITS, SHARED_BYTES)
}

/// A reduction of all values, `[1]`.
pub(in crate::engine) fn reduce(values: Tensor<1>, reduction: Reduction) -> Tensor<1> {
    let values = values.cast(DType::F32).into_dispatch();
    Tensor::from_dispatch(Dispatch::reduce(values, reduction))
}

/// The inner product of two vectors of the same length, `[1]`.
pub(in crate::engine) fn inner_product(a: Tensor<1>, b: Tensor<1>) -> Tensor<1> {
    let [a, b] = [a, b].map(|vector| vector.cast(DType::F32).into_dispatch());
    Tensor::from_dispatch(Dispatch::inner_product(a, b))
}

/// The sum of the rows of a matrix, `[1, columns]`.
pub(in crate::engine) fn sum_of_rows(matrix: Tensor<2>) -> Tensor<2> {
    let matrix = matrix.cast(DType::F32).into_dispatch();
    Tensor::from_dispatch(Dispatch::sum_of_rows(matrix))
}
