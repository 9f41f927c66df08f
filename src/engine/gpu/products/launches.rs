//! The launches of the kernels on CubeCL's backend.

use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use burn_cubecl::ops::reshape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernels::{self, COLUMNS, DEPTH, LANES, SHARED_BYTES, UNITS};
use super::operation::Products;
use crate::engine::gpu::has_workgroups;
use crate::engine::gpu::launches::{address_type, empty};
use crate::engine::gpu::reductions::rows_to;

/// Rows of a unit: the fewer, the fewer rows there are.
const ROWS: [usize; 3] = [8, 4, 2];

/// Workgroups that keep a GPU busy while it computes a Gram matrix.
const WORKGROUPS: usize = 512;

/// The fewest positions of a part of a Gram matrix.
const FEWEST_POSITIONS: usize = 256;

/// Whether [`kernels::multiply`] computes a product of this depth and width on a device.
pub(super) fn multiplies(client: &Client, depth: usize, width: usize) -> bool {
    depth.is_multiple_of(DEPTH)
        && width.is_multiple_of(COLUMNS)
        && has_workgroups(client, UNITS, SHARED_BYTES)
}

/// The product of each matrix of a batch, `[batch, height, depth]`, with one of another, `[batch, depth, width]`. Rows
/// of the result are contiguous.
pub(in crate::engine::gpu) fn products(left: CubeTensor, right: CubeTensor) -> CubeTensor {
    let dtype = left.dtype;
    let [batch, height, depth] = left.meta.shape().dims();
    let [_, _, width] = right.meta.shape().dims();
    let output = empty(&left, [batch, height, width], dtype);
    if multiplies(&left.client, depth, width) {
        multiply(left, right, output.clone());
        return output;
    }
    let strategy = match crate::backend::tunes() {
        true => MatmulStrategy::default(),
        false => MatmulStrategy::Cube,
    };
    match matmul(left, right, Some(output), strategy, dtype) {
        Ok(products) => products,
        Err(error) => panic!("a product of {height} rows: {error:?}"),
    }
}

fn multiply(left: CubeTensor, right: CubeTensor, output: CubeTensor) {
    let client = left.client.clone();
    let [batch, height, depth] = left.meta.shape().dims();
    let [_, _, width] = right.meta.shape().dims();
    // A block may be empty by a quarter.
    let is_filled = |rows: &usize| height > kernels::block_rows(*rows) * 3 / 4;
    let rows = ROWS.into_iter().find(is_filled).unwrap_or(ROWS[2]);
    let blocks = height.div_ceil(kernels::block_rows(rows));
    let cubes = CubeCount::Static((width / COLUMNS) as u32, blocks as u32, batch as u32);
    // SAFETY: the depth and the width are multiples of those of a strip and a block. Rows of `left` beyond its last one
    // are not read, and rows of `output` beyond its last one are not written.
    #[allow(unsafe_code)]
    unsafe {
        kernels::multiply::launch_unchecked(
            &client,
            cubes,
            CubeDim::new_1d(UNITS as u32),
            address_type(&[&left, &right, &output]),
            LANES,
            into_contiguous(left).into_tensor_arg(),
            into_contiguous(right).into_tensor_arg(),
            output.into_tensor_arg(),
            height as u32,
            depth as u32,
            width as u32,
            rows,
        );
    }
}

/// A matrix as a batch of one.
fn batch_of_one(matrix: CubeTensor) -> CubeTensor {
    let [rows, columns] = matrix.meta.shape().dims();
    reshape(matrix, Shape::from([1, rows, columns]))
}

impl Products for CubeBackend {
    fn gram(features: FloatTensor<Self>) -> FloatTensor<Self> {
        let features = into_contiguous(features);
        let client = features.client.clone();
        let [positions, channels] = features.meta.shape().dims();
        let blocks = channels / COLUMNS;
        let most = positions.div_ceil(FEWEST_POSITIONS);
        let parts = (WORKGROUPS / (blocks * blocks)).clamp(1, most);
        let part = positions.div_ceil(parts).next_multiple_of(DEPTH);
        let parts = positions.div_ceil(part);
        let mut output = empty(&features, [parts, channels * channels], DType::F32);
        // SAFETY: positions from the last one of a part on are not read. There is a workgroup for each block of 64x64
        // results of each part.
        #[allow(unsafe_code)]
        unsafe {
            kernels::gram_parts::launch_unchecked(
                &client,
                CubeCount::Static(blocks as u32, blocks as u32, parts as u32),
                CubeDim::new_1d(UNITS as u32),
                address_type(&[&features, &output]),
                LANES,
                features.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                positions,
                channels,
                part,
            );
        }
        if parts > 1 {
            output = rows_to(&output, 1);
        }
        reshape(output, Shape::from([channels, channels]))
    }

    fn mix(features: FloatTensor<Self>, matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        let features = into_contiguous(features);
        let [positions, channels] = features.meta.shape().dims();
        let output = products(
            batch_of_one(features),
            batch_of_one(into_contiguous(matrix)),
        );
        reshape(output, Shape::from([positions, channels]))
    }
}
