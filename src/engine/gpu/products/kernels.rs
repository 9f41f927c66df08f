//! Matrix products in f32.
//!
//! A workgroup computes a block of results. It copies strips of both factors to shared memory, and each unit adds up
//! products for up to 8x8 results in registers. The next strip is read from memory while the last one is multiplied.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Values in a vector.
pub(super) const LANES: usize = 4;

/// Units of a workgroup: 16 down and 8 across the block.
pub(super) const UNITS: usize = 128;

/// Columns of a block. A unit has four of each half.
pub(super) const COLUMNS: usize = 64;

/// Terms of a strip.
pub(super) const DEPTH: usize = 16;

/// Vectors of terms in a strip.
const VECTORS: usize = DEPTH / LANES;

/// Vectors of columns in a block.
const ACROSS: usize = COLUMNS / LANES;

/// Rows of a block for units with this number of rows.
pub(super) const fn block_rows(rows: usize) -> usize {
    UNITS / 8 * rows
}

/// Bytes of shared memory.
pub(super) const SHARED_BYTES: usize = 4 * DEPTH * (block_rows(8) + COLUMNS);

/// `left right` for each matrix of a batch: `[batch, height, depth]` times `[batch, depth, width]`. The depth is a
/// multiple of [`DEPTH`], the width of [`COLUMNS`]. `rows` is the number of rows of a unit.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn multiply<N: Size>(
    left: &Tensor<Vector<f32, N>>,
    right: &Tensor<Vector<f32, N>>,
    output: &mut Tensor<Vector<f32, N>>,
    height: u32,
    depth: u32,
    width: u32,
    #[comptime] rows: usize,
) {
    let height = height as usize;
    let depth_vectors = depth as usize / LANES;
    let width_vectors = width as usize / LANES;
    let unit = UNIT_POS as usize;
    let first_row = CUBE_POS_Y as usize * comptime!(block_rows(rows));
    let first_vector = CUBE_POS_X as usize * ACROSS;
    let batch = CUBE_POS_Z as usize;
    let left_start = batch * height * depth_vectors;
    let right_start = batch * depth as usize * width_vectors + first_vector;

    // What a unit copies of a strip: `rows / 2` vectors of the left factor and two of the right one.
    let copied_rows = comptime!(rows / 2);
    let mut left_indices = Sequence::<usize>::new();
    #[unroll]
    for copy in 0..copied_rows {
        let vector = unit + comptime!(copy * UNITS);
        let row = min(first_row + vector / VECTORS, height - 1);
        left_indices.push(left_start + row * depth_vectors + vector % VECTORS);
    }
    let right_index = right_start + (unit / ACROSS) * width_vectors + unit % ACROSS;
    let right_half = comptime!(DEPTH / 2) * width_vectors;

    let mut left_strip =
        Shared::<[Vector<f32, N>]>::new_slice(comptime!(block_rows(rows) * VECTORS));
    let mut right_strip = Shared::<[Vector<f32, N>]>::new_slice(comptime!(DEPTH * ACROSS));
    let zero = Vector::<f32, N>::new(0.0);
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(2 * rows));
    #[unroll]
    for sum in 0..comptime!(2 * rows) {
        sums[sum] = zero;
    }
    let mut next = Array::<Vector<f32, N>>::new(comptime!(copied_rows + 2));
    #[unroll]
    for copy in 0..copied_rows {
        next[copy] = left[left_indices[copy]];
    }
    next[copied_rows] = right[right_index];
    next[comptime!(copied_rows + 1)] = right[right_index + right_half];

    let down = unit / 8;
    let across = unit % 8;
    let strips = depth as usize / DEPTH;
    for strip in 0..strips {
        #[unroll]
        for copy in 0..copied_rows {
            left_strip[unit + comptime!(copy * UNITS)] = next[copy];
        }
        right_strip[unit] = next[copied_rows];
        right_strip[unit + UNITS] = next[comptime!(copied_rows + 1)];
        sync_cube();
        if strip + 1 < strips {
            let terms = (strip + 1) * VECTORS;
            #[unroll]
            for copy in 0..copied_rows {
                next[copy] = left[left_indices[copy] + terms];
            }
            let index = right_index + (strip + 1) * DEPTH * width_vectors;
            next[copied_rows] = right[index];
            next[comptime!(copied_rows + 1)] = right[index + right_half];
        }
        #[unroll]
        for vector in 0..VECTORS {
            let mut columns = Sequence::<Vector<f32, N>>::new();
            #[unroll]
            for lane in 0..LANES {
                let index = comptime!((vector * LANES + lane) * ACROSS) + across;
                columns.push(right_strip[index]);
                columns.push(right_strip[index + comptime!(ACROSS / 2)]);
            }
            #[unroll]
            for row in 0..rows {
                let terms = left_strip[(down * rows + row) * VECTORS + vector];
                #[unroll]
                for lane in 0..LANES {
                    let term = Vector::<f32, N>::new(terms.extract(lane));
                    let (a, b) = comptime!((2 * row, 2 * row + 1));
                    sums[a] = fma(term, columns[comptime!(2 * lane)], sums[a]);
                    sums[b] = fma(term, columns[comptime!(2 * lane + 1)], sums[b]);
                }
            }
        }
        sync_cube();
    }
    #[unroll]
    for row in 0..rows {
        let result = first_row + down * rows + row;
        if result < height {
            let index = (batch * height + result) * width_vectors + first_vector + across;
            output[index] = sums[comptime!(2 * row)];
            output[index + comptime!(ACROSS / 2)] = sums[comptime!(2 * row + 1)];
        }
    }
}

/// Rows of a unit in [`gram_parts`], whose blocks are square.
const GRAM_ROWS: usize = COLUMNS / (UNITS / 8);

/// `F' F` of a part of the positions for each workgroup on the third axis, `[parts, channels, channels]`, for features
/// `F`, `[positions, channels]`. `part` is the number of positions of a part, a multiple of [`DEPTH`]; the channels are
/// a multiple of [`COLUMNS`].
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn gram_parts<N: Size>(
    features: &Tensor<Vector<f32, N>>,
    output: &mut Tensor<Vector<f32, N>>,
    positions: usize,
    channels: usize,
    part: usize,
) {
    let vectors = channels / LANES;
    let unit = UNIT_POS as usize;
    let first_row = CUBE_POS_Y as usize * ACROSS;
    let first_column = CUBE_POS_X as usize * ACROSS;
    let start = CUBE_POS_Z as usize * part;
    let end = min(start + part, positions);

    let zero = Vector::<f32, N>::new(0.0);
    let mut left_strip = Shared::<[Vector<f32, N>]>::new_slice(comptime!(DEPTH * ACROSS));
    let mut right_strip = Shared::<[Vector<f32, N>]>::new_slice(comptime!(DEPTH * ACROSS));
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(2 * GRAM_ROWS));
    #[unroll]
    for sum in 0..comptime!(2 * GRAM_ROWS) {
        sums[sum] = zero;
    }
    let down = unit / 8;
    let across = unit % 8;
    let mut first = start;
    while first < end {
        #[unroll]
        for copy in 0..comptime!(DEPTH * ACROSS / UNITS) {
            let slot = unit + comptime!(copy * UNITS);
            let position = first + slot / ACROSS;
            let mut left = zero;
            let mut right = zero;
            if position < end {
                let vector = position * vectors + slot % ACROSS;
                left = features[vector + first_row];
                right = features[vector + first_column];
            }
            left_strip[slot] = left;
            right_strip[slot] = right;
        }
        sync_cube();
        #[unroll]
        for term in 0..DEPTH {
            let rows = left_strip[comptime!(term * ACROSS) + down];
            let left = right_strip[comptime!(term * ACROSS) + across];
            let right = right_strip[comptime!(term * ACROSS + ACROSS / 2) + across];
            #[unroll]
            for row in 0..GRAM_ROWS {
                let factor = Vector::<f32, N>::new(rows.extract(row));
                let (a, b) = comptime!((2 * row, 2 * row + 1));
                sums[a] = fma(factor, left, sums[a]);
                sums[b] = fma(factor, right, sums[b]);
            }
        }
        sync_cube();
        first += DEPTH;
    }
    #[unroll]
    for row in 0..GRAM_ROWS {
        let result = first_row * LANES + down * GRAM_ROWS + row;
        let index = (CUBE_POS_Z as usize * channels + result) * vectors + first_column + across;
        output[index] = sums[comptime!(2 * row)];
        output[index + comptime!(ACROSS / 2)] = sums[comptime!(2 * row + 1)];
    }
}
