//! The launches of the kernels on CubeCL's backend: one for each part of the values, one for the parts.

use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernels::{self, COLUMNS, UNITS};
use super::operation::{Reduction, Reductions};
use crate::engine::gpu::launches::{address_type, empty};

/// Most workgroups of a launch: as many parts as the second launch adds up quickly.
const MOST_PARTS: usize = 256;

/// Values that are worth a unit of their own.
const VALUES: usize = 4;

fn cube() -> CubeDim {
    CubeDim::new_1d(UNITS as u32)
}

/// The number of workgroups for so many values.
fn parts(length: usize) -> usize {
    length.div_ceil(VALUES * UNITS).clamp(1, MOST_PARTS)
}

/// One launch with this number of workgroups, `[count]`.
fn reduce_to(values: &CubeTensor, reduction: Reduction, count: usize) -> CubeTensor {
    let client = values.client.clone();
    let output = empty(values, [count], DType::F32);
    let length = values.meta.num_elements();
    // SAFETY: units read `values` below its length. There is a workgroup for each value of `output`.
    #[allow(unsafe_code)]
    unsafe {
        kernels::reduce_parts::launch_unchecked(
            &client,
            CubeCount::Static(count as u32, 1, 1),
            cube(),
            address_type(&[values, &output]),
            values.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            length,
            reduction,
        );
    }
    output
}

/// The same for one number, from the numbers of workgroups.
fn finish(parts: CubeTensor, reduction: Reduction) -> CubeTensor {
    match parts.meta.num_elements() {
        1 => parts,
        _ => reduce_to(&parts, reduction, 1),
    }
}

/// One launch with this number of workgroups for each column, `[count, columns]`.
pub(in crate::engine::gpu) fn rows_to(matrix: &CubeTensor, count: usize) -> CubeTensor {
    let client = matrix.client.clone();
    let [rows, columns] = matrix.meta.shape().dims();
    let output = empty(matrix, [count, columns], DType::F32);
    // SAFETY: units read `matrix` within its rows and columns. There is a workgroup for each row of `output` and each
    // group of its columns.
    #[allow(unsafe_code)]
    unsafe {
        kernels::add_rows::launch_unchecked(
            &client,
            CubeCount::Static(count as u32, columns.div_ceil(COLUMNS) as u32, 1),
            cube(),
            address_type(&[matrix, &output]),
            matrix.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            rows,
            columns,
        );
    }
    output
}

impl Reductions for CubeBackend {
    fn reduce(values: FloatTensor<Self>, reduction: Reduction) -> FloatTensor<Self> {
        let values = into_contiguous(values);
        let count = parts(values.meta.num_elements());
        let parts = reduce_to(&values, reduction, count);
        let of_parts = match reduction {
            Reduction::SumOfSquares => Reduction::Sum,
            other => other,
        };
        finish(parts, of_parts)
    }

    fn inner_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let (a, b) = (into_contiguous(a), into_contiguous(b));
        let client = a.client.clone();
        let length = a.meta.num_elements();
        let count = parts(length);
        let output = empty(&a, [count], DType::F32);
        // SAFETY: units read both vectors below their length. There is a workgroup for each value of `output`.
        #[allow(unsafe_code)]
        unsafe {
            kernels::multiply_parts::launch_unchecked(
                &client,
                CubeCount::Static(count as u32, 1, 1),
                cube(),
                address_type(&[&a, &b, &output]),
                a.into_tensor_arg(),
                b.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                length,
            );
        }
        finish(output, Reduction::Sum)
    }

    fn sum_of_rows(matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        let matrix = into_contiguous(matrix);
        let [rows, _] = matrix.meta.shape().dims();
        let count = rows.div_ceil(VALUES * UNITS / COLUMNS).clamp(1, MOST_PARTS);
        let parts = rows_to(&matrix, count);
        match count {
            1 => parts,
            _ => rows_to(&parts, 1),
        }
    }
}
