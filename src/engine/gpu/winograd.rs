//! 3x3 convolutions by the Winograd transform F(4x4, 3x3).
//!
//! A map is cut into tiles of 4x4 outputs. A kernel transforms the 6x6 inputs of every tile, one
//! batched matrix product for each of the 36 elements does the work of all filters, and a second
//! kernel transforms back; padding, bias, ReLU and pooling happen where values are read and
//! written (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016).
//!
//! The gradient is the adjoint of these steps in the reverse order. Maps may be in f16; what lies
//! between the transforms is in f32, since they would magnify its rounding.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::relu::relu;
use super::tiling::{exists, gather, sample};
use super::winograd_matrices::{Matrix, transform, transform_line};
use crate::engine::Padding;
use crate::engine::winograd::{ELEMENTS, TILE, WINDOW};

/// Channels that one unit of work transforms.
pub(super) const LANES: usize = 2;

/// The tiles of a map that a pass works on.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Tiles {
    /// Of the map.
    pub(super) height: u32,
    pub(super) width: u32,
    /// All tiles of the map.
    pub(super) down: u32,
    pub(super) across: u32,
    /// The row of tiles that is first in the transformed map, and how many rows are there.
    pub(super) first: u32,
    pub(super) rows: u32,
    /// Channels, in vectors.
    pub(super) vectors: u32,
}

/// One tile's channels.
#[derive(CubeType)]
struct Place {
    down: usize,
    across: usize,
    vector: usize,
}

/// The place of a unit of work among `across` tiles in each row and `vectors` in each tile, the
/// rows counted from `first` around all rows.
#[cube]
fn place(tiles: &Tiles, first: usize) -> Place {
    let vectors = tiles.vectors as usize;
    let across = tiles.across as usize;
    let tile = ABSOLUTE_POS / vectors;
    Place {
        down: (first + tile / across) % tiles.down as usize,
        across: tile % across,
        vector: ABSOLUTE_POS % vectors,
    }
}

/// Where the transformed map, `[36, tiles, channels]`, holds the first element of a tile.
#[cube]
fn transformed_at(tiles: &Tiles, down: usize, across: usize, vector: usize) -> usize {
    let height = tiles.down as usize;
    let row = (down + height - tiles.first as usize) % height;
    (row * tiles.across as usize + across) * tiles.vectors as usize + vector
}

/// From one element of the transformed map to the next.
#[cube]
fn element_stride(tiles: &Tiles) -> usize {
    tiles.rows as usize * tiles.across as usize * tiles.vectors as usize
}

/// Transforms the inputs of tiles.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_input<F: Float, N: Size>(
    input: &Tensor<Vector<F, N>>,
    transformed: &mut Tensor<Vector<f32, N>>,
    tiles: &Tiles,
    units: usize,
    #[comptime] early: [usize; 2],
    #[comptime] padding: Padding,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let place = place(tiles, tiles.first as usize);
    let top = (place.down * TILE) as i32 - comptime!(early[0] as i32 + 1);
    let left = (place.across * TILE) as i32 - comptime!(early[1] as i32 + 1);
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
            let at = (row * tiles.width as usize + column) * tiles.vectors as usize + place.vector;
            let mut value = Vector::<f32, N>::cast_from(input[at]);
            if comptime!(padding == Padding::Zero) {
                let inside = exists(down, height, padding) && exists(across, width, padding);
                value = select(inside, value, zero);
            }
            values.push(value);
        }
    }
    let values = transform::<N>(&values, Matrix::Input);
    let start = transformed_at(tiles, place.down, place.across, place.vector);
    let stride = element_stride(tiles);
    #[unroll]
    for element in 0..ELEMENTS {
        transformed[start + element * stride] = values[element];
    }
}

/// Transforms products back to features: adds the bias, applies the ReLU, and averages 2x2 if `pooled`.
///
/// `passed` gets a word for each tile and vector, a bit for each output and channel that the
/// ReLU passed.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_output<F: Float, N: Size>(
    products: &Tensor<Vector<f32, N>>,
    bias: &Tensor<Vector<F, N>>,
    output: &mut Tensor<Vector<F, N>>,
    passed: &mut Tensor<u32>,
    tiles: &Tiles,
    units: usize,
    #[comptime] early: [usize; 2],
    #[comptime] pooled: bool,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let place = place(tiles, tiles.first as usize);
    let start = transformed_at(tiles, place.down, place.across, place.vector);
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
    let bias = Vector::<f32, N>::cast_from(bias[place.vector]);
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
                // Rows before the map wrap around and are beyond its end.
                let row = place.down * TILE + y - comptime!(early[0]);
                let column = place.across * TILE + x - comptime!(early[1]);
                if row < height && column < width {
                    let at = (row * width + column) * vectors + place.vector;
                    output[at] = Vector::<F, N>::cast_from(feature);
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
                let row = place.down * comptime!(TILE / 2) + y;
                let column = place.across * comptime!(TILE / 2) + x;
                if row < height / 2 && column < width / 2 {
                    let at = (row * (width / 2) + column) * vectors + place.vector;
                    output[at] = Vector::<F, N>::cast_from(sum * quarter);
                }
            }
        }
    }
    let tile = place.down * tiles.across as usize + place.across;
    passed[tile * vectors + place.vector] = word;
}

/// Transforms gradients at features, of which those count that the ReLU passed. If `pooled`,
/// the gradient is that at the averages of 2x2 features.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_output_gradient<F: Float, N: Size>(
    gradient: &Tensor<Vector<F, N>>,
    passed: &Tensor<u32>,
    transformed: &mut Tensor<Vector<f32, N>>,
    tiles: &Tiles,
    units: usize,
    #[comptime] early: [usize; 2],
    #[comptime] pooled: bool,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let place = place(tiles, tiles.first as usize);
    let vectors = tiles.vectors as usize;
    let tile = place.down * tiles.across as usize + place.across;
    let word = passed[tile * vectors + place.vector];
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
            let row = (place.down * TILE + y - comptime!(early[0])) / shrink;
            let column = (place.across * TILE + x - comptime!(early[1])) / shrink;
            let mut value = zero;
            if row < height && column < width {
                let at = (row * width + column) * vectors + place.vector;
                value = Vector::<f32, N>::cast_from(gradient[at]) * share;
            }
            let mut gated = zero;
            #[unroll]
            for lane in 0..N::value() {
                let bit = comptime!(1u32 << ((y * TILE + x) * LANES + lane));
                gated.insert(lane, select(word & bit != 0, value.extract(lane), 0.0));
            }
            values.push(gated);
        }
    }
    let values = transform::<N>(&values, Matrix::OutputGradient);
    let start = transformed_at(tiles, place.down, place.across, place.vector);
    let stride = element_stride(tiles);
    #[unroll]
    for element in 0..ELEMENTS {
        transformed[start + element * stride] = values[element];
    }
}

/// Transforms gradients at transformed inputs back to those at inputs, `rows` rows of tiles of
/// them from `first` on: every input belongs to one tile, and windows of the tiles around it may
/// have seen it too.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn transform_input_gradient<F: Float, N: Size>(
    products: &Tensor<Vector<f32, N>>,
    gradient: &mut Tensor<Vector<F, N>>,
    tiles: &Tiles,
    first: u32,
    units: usize,
    #[comptime] early: [usize; 2],
    #[comptime] padding: Padding,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let place = place(tiles, first as usize);
    let (down, across) = (tiles.down as usize, tiles.across as usize);
    let stride = element_stride(tiles);
    let wraps = comptime!(padding == Padding::Circular);
    let above = (place.down + down - 1) % down;
    let below = (place.down + 1) % down;
    let left = (place.across + across - 1) % across;
    let right = (place.across + 1) % across;
    let has_above = wraps || place.down > 0;
    let has_below = wraps || place.down + 1 < down;
    let has_left = wraps || place.across > 0;
    let has_right = wraps || place.across + 1 < across;

    // Eight columns: the last of the tiles to the left, six, the first of those to the right.
    let mut half = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for x in 0..comptime!(WINDOW + 2) {
        let element = comptime!(match x {
            0 => WINDOW - 1,
            7 => 0,
            _ => x - 1,
        });
        let mut column = place.across;
        let mut exists = true.runtime();
        if comptime!(x == 0) {
            column = left;
            exists = has_left;
        } else if comptime!(x == WINDOW + 1) {
            column = right;
            exists = has_right;
        }
        let own = transformed_at(tiles, place.down, column, place.vector);
        let mut window = Sequence::<Vector<f32, N>>::new();
        #[unroll]
        for y in 0..WINDOW {
            let at = own + comptime!(y * WINDOW + element) * stride;
            window.push(value_if::<N>(products, at, exists));
        }
        let at = transformed_at(tiles, above, column, place.vector)
            + comptime!((WINDOW - 1) * WINDOW + element) * stride;
        let before = value_if::<N>(products, at, exists && has_above);
        let at = transformed_at(tiles, below, column, place.vector) + element * stride;
        let after = value_if::<N>(products, at, exists && has_below);
        let window = transform_line::<N>(&window, 0usize, 1usize, Matrix::InputGradient);
        let column = gather::<N>(
            before,
            &window,
            after,
            place.down,
            tiles.height as usize,
            down,
            comptime!(early[0]),
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
        let line = gather::<N>(
            half[y],
            &window,
            half[comptime!((WINDOW + 1) * TILE + y)],
            place.across,
            tiles.width as usize,
            across,
            comptime!(early[1]),
            padding,
        );
        #[unroll]
        for x in 0..TILE {
            let row = place.down * TILE + y - comptime!(early[0]);
            let column = place.across * TILE + x - comptime!(early[1]);
            if row < tiles.height as usize && column < tiles.width as usize {
                let at =
                    (row * tiles.width as usize + column) * tiles.vectors as usize + place.vector;
                gradient[at] = Vector::<F, N>::cast_from(line[x]);
            }
        }
    }
}

/// The value at a place, or zero.
#[cube]
fn value_if<N: Size>(values: &Tensor<Vector<f32, N>>, at: usize, exists: bool) -> Vector<f32, N> {
    let mut value = Vector::<f32, N>::new(0.0);
    if exists {
        value = values[at];
    }
    value
}
