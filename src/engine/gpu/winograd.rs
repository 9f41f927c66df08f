//! 3x3 convolutions by the Winograd transform F(4x4, 3x3).
//!
//! A feature map is cut into tiles of 4x4 outputs. One kernel transforms the 6x6 inputs of each tile. A
//! batched matrix product with the transformed filters follows, one product for each of the 36 elements.
//! A second kernel transforms the products back to 4x4 outputs (Lavin and Gray, "Fast algorithms for
//! convolutional neural networks", CVPR 2016). Padding is fused into the first kernel; bias, ReLU and
//! pooling are fused into the second one.
//!
//! The input gradient applies the adjoints of these steps in reverse order. Feature maps may be in f16.
//! Values between the transforms are in f32, because the transforms would amplify the rounding of f16.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::relu::relu;
use super::tiling::{exists, overlap_add, sample};
use super::winograd_matrices::{Matrix, transform, transform_line};
use crate::engine::Padding;
use crate::engine::winograd::{ELEMENTS, TILE, WINDOW};

/// Channels that one unit transforms.
pub(super) const LANES: usize = 2;

/// The tiles of a feature map, and the block of tile rows that is transformed.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Tiles {
    /// Height of the feature map.
    pub(super) height: u32,
    /// Width of the feature map.
    pub(super) width: u32,
    /// Tile rows of the feature map.
    pub(super) down: u32,
    /// Tile columns of the feature map.
    pub(super) across: u32,
    /// The first tile row of the block.
    pub(super) first: u32,
    /// The number of tile rows of the block.
    pub(super) rows: u32,
    /// Vectors of channels at a position.
    pub(super) vectors: u32,
}

/// The tile and the vector of channels that one unit computes.
#[derive(CubeType)]
struct Unit {
    down: usize,
    across: usize,
    vector: usize,
}

/// The unit with this absolute position. Units run over vectors, then tile columns, then tile rows from
/// `first` on, periodically.
#[cube]
fn unit(tiles: &Tiles, first: usize) -> Unit {
    let vectors = tiles.vectors as usize;
    let across = tiles.across as usize;
    let tile = ABSOLUTE_POS / vectors;
    Unit {
        down: (first + tile / across) % tiles.down as usize,
        across: tile % across,
        vector: ABSOLUTE_POS % vectors,
    }
}

/// The index of a tile's first element in the transformed map, `[36, tiles, channels]`.
#[cube]
fn transformed_index(tiles: &Tiles, down: usize, across: usize, vector: usize) -> usize {
    let height = tiles.down as usize;
    let row = (down + height - tiles.first as usize) % height;
    (row * tiles.across as usize + across) * tiles.vectors as usize + vector
}

/// The stride between the elements of the transformed map.
#[cube]
fn element_stride(tiles: &Tiles) -> usize {
    tiles.rows as usize * tiles.across as usize * tiles.vectors as usize
}

/// Transforms the input windows of tiles: `B' d B`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_input<F: Float, N: Size>(
    input: &Tensor<Vector<F, N>>,
    transformed: &mut Tensor<Vector<f32, N>>,
    tiles: &Tiles,
    units: usize,
    #[comptime] offset: [usize; 2],
    #[comptime] padding: Padding,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let unit = unit(tiles, tiles.first as usize);
    let top = (unit.down * TILE) as i32 - comptime!(offset[0] as i32 + 1);
    let left = (unit.across * TILE) as i32 - comptime!(offset[1] as i32 + 1);
    let height = tiles.height as i32;
    let width = tiles.width as i32;
    let zero = Vector::<f32, N>::new(0.0);

    let mut values = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for x in 0..WINDOW {
        let across = left + comptime!(x as i32);
        let column = sample(across, width, padding) as usize;
        #[unroll]
        for y in 0..WINDOW {
            let down = top + comptime!(y as i32);
            let row = sample(down, height, padding) as usize;
            let index =
                (row * tiles.width as usize + column) * tiles.vectors as usize + unit.vector;
            let mut value = Vector::<f32, N>::cast_from(input[index]);
            if comptime!(padding == Padding::Zero) {
                let inside = exists(down, height, padding) && exists(across, width, padding);
                value = select(inside, value, zero);
            }
            values.push(value);
        }
    }
    let values = transform::<N>(&values, Matrix::Input);
    let start = transformed_index(tiles, unit.down, unit.across, unit.vector);
    let stride = element_stride(tiles);
    #[unroll]
    for element in 0..ELEMENTS {
        transformed[start + element * stride] = values[element];
    }
}

/// Transforms products to features: `A' m A`, bias and ReLU, then 2x2 average pooling if `pooled`.
///
/// `mask` receives one word for each tile and vector. A bit of the word is 1 where an output of the tile
/// is positive.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_output<F: Float, N: Size>(
    products: &Tensor<Vector<f32, N>>,
    bias: &Tensor<Vector<F, N>>,
    output: &mut Tensor<Vector<F, N>>,
    mask: &mut Tensor<u32>,
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
    let start = transformed_index(tiles, unit.down, unit.across, unit.vector);
    let stride = element_stride(tiles);
    let mut values = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for x in 0..WINDOW {
        #[unroll]
        for y in 0..WINDOW {
            let element = comptime!(y * WINDOW + x);
            values.push(products[start + element * stride]);
        }
    }
    let values = transform::<N>(&values, Matrix::Output);
    let bias = Vector::<f32, N>::cast_from(bias[unit.vector]);
    let height = tiles.height as usize;
    let width = tiles.width as usize;
    let vectors = tiles.vectors as usize;

    let mut word = 0u32;
    let mut features = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for y in 0..TILE {
        #[unroll]
        for x in 0..TILE {
            let pixel = comptime!(y * TILE + x);
            let sum = values[pixel] + bias;
            #[unroll]
            for lane in 0..N::value() {
                let bit = comptime!(1u32 << (pixel * LANES + lane));
                word |= select(sum.extract(lane) > 0.0, bit, 0u32);
            }
            let feature = relu::<N>(sum);
            features.push(feature);
            if !pooled {
                // A row before the map is negative. It wraps around as an unsigned number and exceeds the
                // height.
                let row = unit.down * TILE + y - comptime!(offset[0]);
                let column = unit.across * TILE + x - comptime!(offset[1]);
                if row < height && column < width {
                    let index = (row * width + column) * vectors + unit.vector;
                    output[index] = Vector::<F, N>::cast_from(feature);
                }
            }
        }
    }
    if pooled {
        let quarter = Vector::<f32, N>::new(0.25);
        #[unroll]
        for y in 0..comptime!(TILE / 2) {
            #[unroll]
            for x in 0..comptime!(TILE / 2) {
                let corner = comptime!(2 * y * TILE + 2 * x);
                let sum = (features[corner] + features[comptime!(corner + 1)])
                    + (features[comptime!(corner + TILE)] + features[comptime!(corner + TILE + 1)]);
                let row = unit.down * comptime!(TILE / 2) + y;
                let column = unit.across * comptime!(TILE / 2) + x;
                if row < height / 2 && column < width / 2 {
                    let index = (row * (width / 2) + column) * vectors + unit.vector;
                    output[index] = Vector::<F, N>::cast_from(sum * quarter);
                }
            }
        }
    }
    let tile = unit.down * tiles.across as usize + unit.across;
    mask[tile * vectors + unit.vector] = word;
}

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

    // Eight columns: the last column of the left neighbour's window, the six columns of this window, and
    // the first column of the right neighbour's window.
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
