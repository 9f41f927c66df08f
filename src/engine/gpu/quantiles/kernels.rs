//! A radix sort of the values along each direction, and their differences from quantiles.
//!
//! Numbers are sorted as integers of the same order, eight bits a pass from the lowest on, each with the index
//! of its position. A pass sorts tiles and counts their digits ([`sort_tiles`]), adds the counts of all that
//! comes before ([`add_counts`]) and moves the tiles' words to their places ([`scatter`]). The last pass knows the rank of
//! each value, and writes its difference from the quantile of this rank ([`scatter_differences`]). Values that
//! fit into one tile are sorted by one kernel ([`tile_differences`]).
//!
//! A workgroup is a tile (first dimension) of a direction (second dimension). (Satish, Harris and Garland,
//! "Designing Efficient Sorting Algorithms for Manycore GPUs", IPDPS 2009.)

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::tile::{
    DIGIT_BITS, DIGIT_SHIFT, DIGITS, Runs, SLOT, TILE, UNITS, add_before, new_counts, runs,
    slot_of, sort_tile,
};

const ITEMS: usize = TILE / UNITS;
const LAST_DIGIT: u32 = DIGITS as u32 - 1;
const SIGN: u32 = 1 << 31;
/// The bits of infinity. Those of NaN without their sign are larger.
const INFINITY: u32 = 0x7f80_0000;

/// The sizes that ranks and quantiles depend on.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Sizes {
    /// The values along a direction.
    pub(super) positions: u32,
    /// The target's values along a direction.
    pub(super) length: u32,
    /// `length / (2 positions)`.
    pub(super) ratio: f32,
    /// The first direction of the launch.
    pub(super) first: u32,
}

/// An integer with the same order as the number of these bits. NaN comes last.
#[cube]
fn ordered_bits(bits: u32) -> u32 {
    let ordered = select(bits >= SIGN, bits ^ u32::MAX, bits | SIGN);
    select((bits & (SIGN - 1)) > INFINITY, u32::MAX, ordered)
}

/// The number of an integer that [`ordered_bits`] made.
#[cube]
fn number(ordered: u32) -> f32 {
    f32::reinterpret(select(ordered >= SIGN, ordered ^ SIGN, ordered ^ u32::MAX))
}

/// The word of a tile for one digit of an integer.
#[cube]
fn word(ordered: u32, shift: u32, slot: usize) -> u32 {
    (((ordered >> shift) & LAST_DIGIT) << DIGIT_SHIFT) | slot as u32
}

/// The words of a tile that this workgroup has.
#[cube]
fn count_of(positions: usize) -> usize {
    min(TILE, positions - CUBE_POS_X as usize * TILE)
}

/// Sorts each tile by the digit at `shift`, and counts the digits: `counts` is `[directions, tiles, digits]`.
///
/// The source is the bits of the values if `of_values`, else pairs of integers and indices, `[directions,
/// positions, 2]`, as the result.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn sort_tiles(
    source: &Tensor<u32>,
    tiles: &mut Tensor<u32>,
    counts: &mut Tensor<u32>,
    sizes: &Sizes,
    shift: u32,
    #[comptime] of_values: bool,
) {
    let positions = sizes.positions as usize;
    let direction = CUBE_POS_Y as usize;
    let first = CUBE_POS_X as usize * TILE;
    let count = count_of(positions);
    let target = direction * positions + first;
    let mut start = target;
    if of_values {
        start += sizes.first as usize * positions;
    }

    let mut tile = Shared::<[u32]>::new_slice(TILE);
    for item in 0..ITEMS {
        let slot = slot_of(item);
        // Slots beyond the end have the last digit and come last.
        let mut ordered = u32::MAX.runtime();
        if slot < count {
            if of_values {
                ordered = ordered_bits(source[start + slot]);
            } else {
                ordered = source[2 * (start + slot)];
            }
        }
        tile[slot] = word(ordered, shift, slot);
    }
    sync_cube();
    let mut unit_counts = new_counts();
    sort_tile(&mut tile, &mut unit_counts);
    let Runs { starts, ends } = runs(&tile, count);

    for item in 0..ITEMS {
        let slot = slot_of(item);
        if slot < count {
            let place = (tile[slot] & SLOT) as usize;
            let pair = 2 * (target + slot);
            if of_values {
                tiles[pair] = ordered_bits(source[start + place]);
                tiles[pair + 1] = (first + place) as u32;
            } else {
                tiles[pair] = source[2 * (start + place)];
                tiles[pair + 1] = source[2 * (start + place) + 1];
            }
        }
    }
    let row = (direction * CUBE_COUNT_X as usize + CUBE_POS_X as usize) * DIGITS;
    let mut digit = UNIT_POS as usize;
    while digit < DIGITS {
        counts[row + digit] = ends[digit] - starts[digit];
        digit += UNITS;
    }
}

/// Replaces each count of [`sort_tiles`] by the number of words that come before: those of smaller digits, and of
/// the same digit in the tiles before. A workgroup has a direction, a unit two digits.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn add_counts(counts: &mut Tensor<u32>, tiles: u32) {
    let unit = UNIT_POS as usize;
    let first = CUBE_POS_X as usize * tiles as usize * DIGITS + 2 * unit;
    let mut even = 0u32;
    let mut odd = 0u32;
    for tile in 0..tiles as usize {
        even += counts[first + tile * DIGITS];
        odd += counts[first + tile * DIGITS + 1];
    }
    let mut sums = Shared::<[u32]>::new_slice(UNITS);
    sums[unit] = even + odd;
    sync_cube();
    add_before(&mut sums);
    let mut before_odd = sums[unit] - odd;
    let mut before_even = before_odd - even;
    for tile in 0..tiles as usize {
        let index = first + tile * DIGITS;
        let own = counts[index];
        counts[index] = before_even;
        before_even += own;
        let own = counts[index + 1];
        counts[index + 1] = before_odd;
        before_odd += own;
    }
}

/// The place of a word of a sorted tile among all values of its direction.
#[cube]
fn place(tile: &Shared<[u32]>, tile_runs: &Runs, offsets: &Tensor<u32>, slot: usize) -> u32 {
    let row = (CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize) * DIGITS;
    let digit = (tile[slot] >> DIGIT_SHIFT) as usize;
    offsets[row + digit] + slot as u32 - tile_runs.starts[digit]
}

/// The digits of a sorted tile of pairs.
#[cube]
fn load(pairs: &Tensor<u32>, start: usize, count: usize, shift: u32) -> Shared<[u32]> {
    let mut tile = Shared::<[u32]>::new_slice(TILE);
    for item in 0..ITEMS {
        let slot = slot_of(item);
        if slot < count {
            tile[slot] = word(pairs[2 * (start + slot)], shift, slot);
        }
    }
    sync_cube();
    tile
}

/// Moves the pairs of sorted tiles to their places.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn scatter(
    tiles: &Tensor<u32>,
    offsets: &Tensor<u32>,
    pairs: &mut Tensor<u32>,
    sizes: &Sizes,
    shift: u32,
) {
    let positions = sizes.positions as usize;
    let count = count_of(positions);
    let direction = CUBE_POS_Y as usize * positions;
    let start = direction + CUBE_POS_X as usize * TILE;
    let tile = load(tiles, start, count, shift);
    let tile_runs = runs(&tile, count);
    for item in 0..ITEMS {
        let slot = slot_of(item);
        if slot < count {
            let target = direction + place(&tile, &tile_runs, offsets, slot) as usize;
            pairs[2 * target] = tiles[2 * (start + slot)];
            pairs[2 * target + 1] = tiles[2 * (start + slot) + 1];
        }
    }
}

/// As [`scatter`] for the last digit: a word's place is its rank. Writes the difference of each value from the
/// quantile of its rank.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn scatter_differences(
    tiles: &Tensor<u32>,
    offsets: &Tensor<u32>,
    sorted: &Tensor<f32>,
    differences: &mut Tensor<f32>,
    sizes: &Sizes,
    shift: u32,
) {
    let positions = sizes.positions as usize;
    let count = count_of(positions);
    let direction = CUBE_POS_Y as usize;
    let start = direction * positions + CUBE_POS_X as usize * TILE;
    let target = (sizes.first as usize + direction) * positions;
    let tile = load(tiles, start, count, shift);
    let tile_runs = runs(&tile, count);
    for item in 0..ITEMS {
        let slot = slot_of(item);
        if slot < count {
            let rank = place(&tile, &tile_runs, offsets, slot);
            let value = number(tiles[2 * (start + slot)]);
            let index = tiles[2 * (start + slot) + 1] as usize;
            differences[target + index] = value - quantile(sorted, sizes, direction, rank);
        }
    }
}

/// The differences for values that fit into one tile: sorts by all digits at once. `values` are their bits.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn tile_differences(
    values: &Tensor<u32>,
    sorted: &Tensor<f32>,
    differences: &mut Tensor<f32>,
    sizes: &Sizes,
) {
    let count = sizes.positions as usize;
    let direction = CUBE_POS_Y as usize;
    let start = (sizes.first as usize + direction) * count;
    let mut tile = Shared::<[u32]>::new_slice(TILE);
    let mut unit_counts = new_counts();
    for item in 0..ITEMS {
        let slot = slot_of(item);
        tile[slot] = slot as u32;
    }
    let mut shift = 0u32;
    while shift < 32 {
        for item in 0..ITEMS {
            let slot = slot_of(item);
            let place = (tile[slot] & SLOT) as usize;
            let mut ordered = u32::MAX.runtime();
            if place < count {
                ordered = ordered_bits(values[start + place]);
            }
            tile[slot] = word(ordered, shift, place);
        }
        sync_cube();
        sort_tile(&mut tile, &mut unit_counts);
        shift += comptime!(DIGIT_BITS as u32);
    }
    for item in 0..ITEMS {
        let slot = slot_of(item);
        if slot < count {
            let index = start + (tile[slot] & SLOT) as usize;
            let value = f32::reinterpret(values[index]);
            differences[index] = value - quantile(sorted, sizes, direction, slot as u32);
        }
    }
}

/// The target's quantile of a rank: its value at the fractional index
/// `(rank + 1/2) length / positions - 1/2`, between its first and last one.
///
/// The index is computed exactly: in f32 it would be wrong by whole steps for large maps. With
/// `(2 rank + 1) length = whole * 2 positions + rest` it is `whole + rest / (2 positions) - 1/2`. A product in f32 gives
/// `whole` up to a few steps, and the rest, which is small then, survives in integers that wrap around.
#[cube]
fn quantile(sorted: &Tensor<f32>, sizes: &Sizes, direction: usize, rank: u32) -> f32 {
    let positions = sizes.positions;
    let odd = 2 * rank + 1;
    let mut whole = u32::cast_from(f32::cast_from(odd) * sizes.ratio);
    let mut rest = odd * sizes.length - whole * (2 * positions);
    while rest >= SIGN {
        whole -= 1;
        rest += 2 * positions;
    }
    while rest >= 2 * positions {
        whole += 1;
        rest -= 2 * positions;
    }
    let mut weight = 0.0f32;
    let mut below = 0u32;
    if rest >= positions {
        below = whole;
        weight = f32::cast_from(rest - positions) / f32::cast_from(2 * positions);
    } else if whole > 0 {
        below = whole - 1;
        weight = f32::cast_from(rest + positions) / f32::cast_from(2 * positions);
    }
    let last = sizes.length - 1;
    if below >= last {
        below = last;
        weight = 0.0;
    }
    let start = (sizes.first as usize + direction) * sizes.length as usize;
    let mut value = sorted[start + below as usize];
    if weight > 0.0 {
        value = value * (1.0 - weight) + sorted[start + below as usize + 1] * weight;
    }
    value
}
