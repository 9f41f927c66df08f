//! Input gradients of 3x3 convolutions by the Winograd transform.
//!
//! They apply the adjoints of the steps of [`winograd`](super::winograd) in reverse order: the
//! adjoint of the output transform, a batched matrix product with transposed filters, and the
//! adjoint of the input transform with overlap-add.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::tiling::overlap_add;
use super::winograd::{LANES, Tiles, element_stride, transformed_index, unit};
use super::winograd_matrices::{Matrix, transform, transform_line};
use crate::engine::Padding;
use crate::engine::winograd::{ELEMENTS, TILE, WINDOW};

/// Applies the ReLU mask to the gradient at the features of a tile and transforms it: `A g A'`. If
/// `pooled`, `gradient` is the gradient after 2x2 average pooling.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_output_gradient<F: Float, N: Size>(
    gradient: &Tensor<Vector<F, N>>,
    mask: &Tensor<u32>,
    transformed: &mut Tensor<Vector<f32, N>>,
    tiles: &Tiles,
    units: usize,
    #[comptime] offset: [usize; 2],
    #[comptime] pooled: bool,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let unit = unit(tiles, tiles.first as usize);
    let vectors = tiles.vectors as usize;
    let tile = unit.down * tiles.across as usize + unit.across;
    let word = mask[tile * vectors + unit.vector];
    let shrink = comptime!(if pooled { 2usize } else { 1usize });
    let height = tiles.height as usize / shrink;
    let width = tiles.width as usize / shrink;
    let zero = Vector::<f32, N>::new(0.0);
    let share = Vector::<f32, N>::new(f32::new(comptime!(if pooled { 0.25 } else { 1.0 })));

    let mut values = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for x in 0..TILE {
        #[unroll]
        for y in 0..TILE {
            let row = (unit.down * TILE + y - comptime!(offset[0])) / shrink;
            let column = (unit.across * TILE + x - comptime!(offset[1])) / shrink;
            let mut value = zero;
            if row < height && column < width {
                let index = (row * width + column) * vectors + unit.vector;
                value = Vector::<f32, N>::cast_from(gradient[index]) * share;
            }
            let mut masked = zero;
            #[unroll]
            for lane in 0..N::value() {
                let bit = comptime!(1u32 << ((y * TILE + x) * LANES + lane));
                masked.insert(lane, select(word & bit != 0, value.extract(lane), 0.0));
            }
            values.push(masked);
        }
    }
    let values = transform::<N>(&values, Matrix::OutputGradient);
    let start = transformed_index(tiles, unit.down, unit.across, unit.vector);
    let stride = element_stride(tiles);
    #[unroll]
    for element in 0..ELEMENTS {
        transformed[start + element * stride] = values[element];
    }
}

/// Transforms the gradients at transformed inputs to the input gradient: `B p B'` and overlap-add.
///
/// Each unit computes the 4x4 inputs of one tile, for the tile rows from `first` on. The windows of the
/// neighbouring tiles overlap these inputs and contribute to their gradients.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_input_gradient<F: Float, N: Size>(
    products: &Tensor<Vector<f32, N>>,
    gradient: &mut Tensor<Vector<F, N>>,
    tiles: &Tiles,
    first: u32,
    units: usize,
    #[comptime] offset: [usize; 2],
    #[comptime] padding: Padding,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let unit = unit(tiles, first as usize);
    let (down, across) = (tiles.down as usize, tiles.across as usize);
    let stride = element_stride(tiles);
    let wraps = comptime!(padding == Padding::Circular);
    let above = (unit.down + down - 1) % down;
    let below = (unit.down + 1) % down;
    let left = (unit.across + across - 1) % across;
    let right = (unit.across + 1) % across;
    let has_above = wraps || unit.down > 0;
    let has_below = wraps || unit.down + 1 < down;
    let has_left = wraps || unit.across > 0;
    let has_right = wraps || unit.across + 1 < across;

    // Eight columns: the last column of the left neighbour's window, the six columns of this
    // window, and the first column of the right neighbour's window.
    let mut half = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for x in 0..comptime!(WINDOW + 2) {
        let element = comptime!(match x {
            0 => WINDOW - 1,
            7 => 0,
            _ => x - 1,
        });
        let mut column = unit.across;
        let mut exists = true.runtime();
        if comptime!(x == 0) {
            column = left;
            exists = has_left;
        } else if comptime!(x == WINDOW + 1) {
            column = right;
            exists = has_right;
        }
        let own = transformed_index(tiles, unit.down, column, unit.vector);
        let mut window = Sequence::<Vector<f32, N>>::new();
        #[unroll]
        for y in 0..WINDOW {
            let index = own + comptime!(y * WINDOW + element) * stride;
            window.push(value_if::<N>(products, index, exists));
        }
        let index = transformed_index(tiles, above, column, unit.vector)
            + comptime!((WINDOW - 1) * WINDOW + element) * stride;
        let before = value_if::<N>(products, index, exists && has_above);
        let index = transformed_index(tiles, below, column, unit.vector) + element * stride;
        let after = value_if::<N>(products, index, exists && has_below);
        let window = transform_line::<N>(&window, 0usize, 1usize, Matrix::InputGradient);
        let column = overlap_add::<N>(
            before,
            &window,
            after,
            unit.down,
            tiles.height as usize,
            down,
            comptime!(offset[0]),
            padding,
        );
        #[unroll]
        for y in 0..TILE {
            half.push(column[y]);
        }
    }

    #[unroll]
    for y in 0..TILE {
        let window = transform_line::<N>(&half, comptime!(TILE + y), TILE, Matrix::InputGradient);
        let line = overlap_add::<N>(
            half[y],
            &window,
            half[comptime!((WINDOW + 1) * TILE + y)],
            unit.across,
            tiles.width as usize,
            across,
            comptime!(offset[1]),
            padding,
        );
        #[unroll]
        for x in 0..TILE {
            let row = unit.down * TILE + y - comptime!(offset[0]);
            let column = unit.across * TILE + x - comptime!(offset[1]);
            if row < tiles.height as usize && column < tiles.width as usize {
                let index =
                    (row * tiles.width as usize + column) * tiles.vectors as usize + unit.vector;
                gradient[index] = Vector::<F, N>::cast_from(line[x]);
            }
        }
    }
}

/// The value at an index if it exists, else zero.
#[cube]
fn value_if<N: Size>(
    values: &Tensor<Vector<f32, N>>,
    index: usize,
    exists: bool,
) -> Vector<f32, N> {
    let mut value = Vector::<f32, N>::new(0.0);
    if exists {
        value = values[index];
    }
    value
}
