//! Kernels that reduce a part of the values in each workgroup.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::operation::Reduction;

/// Units of a workgroup. Every interface has at least 128, OpenGL no more for certain.
pub(in crate::engine::gpu) const UNITS: usize = 128;

/// Columns of a matrix that one workgroup adds up: neighbouring units read neighbouring values.
pub(super) const COLUMNS: usize = 32;

/// Bytes of shared memory.
pub(super) const SHARED_BYTES: usize = 4 * UNITS;

/// How two values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine::gpu) enum Fold {
    Sum,
    Largest,
}

/// The fold of a reduction's values.
pub(super) fn fold_of(reduction: Reduction) -> Fold {
    match reduction {
        Reduction::Sum | Reduction::SumOfSquares => Fold::Sum,
        Reduction::LargestAbsolute => Fold::Largest,
    }
}

#[cube]
fn combine(a: f32, b: f32, #[comptime] fold: Fold) -> f32 {
    if comptime!(fold == Fold::Largest) {
        max(a, b)
    } else {
        a + b
    }
}

/// The combination of one value of each unit whose number differs by multiples of `distance`, at the units below
/// `distance`: their sum, or the largest. Workgroups have [`UNITS`] units.
#[cube]
pub(in crate::engine::gpu) fn combined(
    value: f32,
    #[comptime] distance: usize,
    #[comptime] fold: Fold,
) -> f32 {
    let unit = UNIT_POS as usize;
    let mut values = Shared::<[f32]>::new_slice(UNITS);
    values[unit] = value;
    sync_cube();
    let mut half = UNITS.runtime() / 2;
    while half >= distance {
        if unit < half {
            values[unit] = combine(values[unit], values[unit + half], fold);
        }
        sync_cube();
        half /= 2;
    }
    values[unit]
}

/// Adds to each unit's value those of the units before it.
#[cube]
pub(in crate::engine::gpu) fn add_before(values: &mut Shared<[u32]>) {
    let unit = UNIT_POS as usize;
    let mut reach = 1usize;
    while reach < UNITS {
        let mut before = 0u32;
        if unit >= reach {
            before = values[unit - reach];
        }
        sync_cube();
        values[unit] += before;
        sync_cube();
        reach *= 2;
    }
}

/// Reduces every value whose index is that of a unit plus a multiple of the number of all units. Each workgroup writes
/// one number.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn reduce_parts(
    values: &Tensor<f32>,
    parts: &mut Tensor<f32>,
    length: usize,
    #[comptime] reduction: Reduction,
) {
    let step = CUBE_COUNT_X as usize * UNITS;
    let mut index = ABSOLUTE_POS;
    let mut own = 0.0f32;
    while index < length {
        let mut value = values[index];
        if comptime!(reduction == Reduction::SumOfSquares) {
            value *= value;
        } else if comptime!(reduction == Reduction::LargestAbsolute) {
            value = value.abs();
        }
        own = combine(own, value, comptime!(fold_of(reduction)));
        index += step;
    }
    let part = combined(own, 1usize, comptime!(fold_of(reduction)));
    if UNIT_POS == 0 {
        parts[CUBE_POS_X as usize] = part;
    }
}

/// As [`reduce_parts`] for the sum of products.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn multiply_parts(
    a: &Tensor<f32>,
    b: &Tensor<f32>,
    parts: &mut Tensor<f32>,
    length: usize,
) {
    let step = CUBE_COUNT_X as usize * UNITS;
    let mut index = ABSOLUTE_POS;
    let mut own = 0.0f32;
    while index < length {
        own = fma(a[index], b[index], own);
        index += step;
    }
    let part = combined(own, 1usize, Fold::Sum);
    if UNIT_POS == 0 {
        parts[CUBE_POS_X as usize] = part;
    }
}

/// Adds up every row whose number is that of a workgroup plus a multiple of their number, in [`COLUMNS`] columns. Each
/// workgroup writes these columns of one row of `parts`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn add_rows(matrix: &Tensor<f32>, parts: &mut Tensor<f32>, rows: usize, columns: usize) {
    let column = CUBE_POS_Y as usize * COLUMNS + UNIT_POS as usize % COLUMNS;
    let at_once = comptime!(UNITS / COLUMNS);
    let step = CUBE_COUNT_X as usize * at_once;
    let mut own = 0.0f32;
    if column < columns {
        let mut row = CUBE_POS_X as usize * at_once + UNIT_POS as usize / COLUMNS;
        while row < rows {
            own += matrix[row * columns + column];
            row += step;
        }
    }
    let part = combined(own, COLUMNS, Fold::Sum);
    if UNIT_POS < COLUMNS as u32 && column < columns {
        parts[CUBE_POS_X as usize * columns + column] = part;
    }
}
