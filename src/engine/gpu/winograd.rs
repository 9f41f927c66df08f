//! 3x3 convolutions by the Winograd transform F(4x4, 3x3).
//!
//! A feature map is cut into tiles of 4x4 outputs. One kernel transforms the 6x6 inputs of each
//! tile. A batched matrix product with the transformed filters follows, one product for each of the
//! 36 elements. A second kernel transforms the products back to 4x4 outputs (Lavin and Gray, "Fast
//! algorithms for convolutional neural networks", CVPR 2016). Padding is fused into the first
//! kernel; bias, ReLU and pooling are fused into the second one.
//!
//! Feature maps may be in f16. Values between the transforms are in f32, because the transforms
//! would amplify the rounding of f16.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::relu::relu;
use super::tiling::{exists, sample};
use super::winograd_matrices::{Matrix, transform};
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
pub(super) struct Unit {
    pub(super) down: usize,
    pub(super) across: usize,
    pub(super) vector: usize,
}

/// The unit with this absolute position. Units run over vectors, then tile columns, then tile rows from
/// `first` on, periodically.
#[cube]
pub(super) fn unit(tiles: &Tiles, first: usize) -> Unit {
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
pub(super) fn transformed_index(tiles: &Tiles, down: usize, across: usize, vector: usize) -> usize {
    let height = tiles.down as usize;
    let row = (down + height - tiles.first as usize) % height;
    (row * tiles.across as usize + across) * tiles.vectors as usize + vector
}

/// The stride between the elements of the transformed map.
#[cube]
pub(super) fn element_stride(tiles: &Tiles) -> usize {
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
/// `mask` receives one word for each tile and vector. A bit of the word is 1 where an output of the
/// tile is positive.
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
                // A row before the map is negative. It wraps around as an unsigned number and
                // exceeds the height.
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
