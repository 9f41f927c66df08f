//! Stable sorts of a tile of positions in the memory that a workgroup shares.
//!
//! A tile is a list of words, each the digit of a position (upper half) and its slot in the tile (lower half).
//! Four rounds sort it by the eight bits of the digit, two bits a round: each unit counts its words, a prefix sum
//! over units says where they go, and each unit moves them in order. This takes neither atomics nor subgroups,
//! which some adapters lack.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

pub(super) use crate::engine::gpu::reductions::kernels::{UNITS, add_before};

/// Words that a unit counts and moves.
const ITEMS: usize = 16;

/// Positions of a tile.
pub(super) const TILE: usize = UNITS * ITEMS;

/// Values of a digit.
pub(super) const DIGITS: usize = 256;

/// Bits of a digit.
pub(super) const DIGIT_BITS: usize = 8;

/// Bits that a round sorts by. The counts of their four values are kept in the halves of two words.
const ROUND_BITS: usize = 2;

/// Where a word holds its digit.
pub(super) const DIGIT_SHIFT: u32 = 16;

/// The mask of a word's slot.
pub(super) const SLOT: u32 = 0xffff;

/// Bytes of shared memory that a kernel takes at most: the tile, the counts of units, and where digits start
/// and end. WebGPU and OpenGL have at least 16 KiB.
pub(super) const SHARED_BYTES: usize = 4 * (TILE + 2 * UNITS + 2 * DIGITS);

/// The counts of a workgroup's units. A word holds two.
#[derive(CubeType)]
pub(super) struct Counts {
    /// Of the values 0 and 1.
    low: Shared<[u32]>,
    /// Of the values 2 and 3.
    high: Shared<[u32]>,
}

#[cube]
pub(super) fn new_counts() -> Counts {
    Counts {
        low: Shared::new_slice(UNITS),
        high: Shared::new_slice(UNITS),
    }
}

/// The slot of this unit's `item`: neighbouring units have neighbouring slots.
#[cube]
pub(super) fn slot_of(item: usize) -> usize {
    item * UNITS + UNIT_POS as usize
}

/// Sorts the words of a tile by their digit. Words of one digit keep their order.
#[cube]
pub(super) fn sort_tile(tile: &mut Shared<[u32]>, counts: &mut Counts) {
    let mut bits = 0u32;
    while bits < comptime!(DIGIT_BITS as u32) {
        split(tile, counts, DIGIT_SHIFT + bits);
        bits += comptime!(ROUND_BITS as u32);
    }
}

/// One round: sorts by the two bits from `shift` on.
#[cube]
fn split(tile: &mut Shared<[u32]>, counts: &mut Counts, shift: u32) {
    let unit = UNIT_POS as usize;
    let first = unit * ITEMS;
    let mut words = Array::<u32>::new(ITEMS);
    let mut low = 0u32;
    let mut high = 0u32;
    #[unroll]
    for item in 0..ITEMS {
        let word = tile[first + item];
        words[item] = word;
        let value = (word >> shift) & 3;
        let one = 1u32 << ((value & 1) * 16);
        low += select(value < 2, one, 0u32);
        high += select(value < 2, 0u32, one);
    }
    counts.low[unit] = low;
    counts.high[unit] = high;
    sync_cube();
    add_before(&mut counts.low);
    add_before(&mut counts.high);

    // Where the next word of each value goes: those of smaller values and of the units before come first.
    let low_sum = counts.low[comptime!(UNITS - 1)];
    let high_sum = counts.high[comptime!(UNITS - 1)];
    let of_one = low_sum & SLOT;
    let of_two = of_one + (low_sum >> 16);
    let of_three = of_two + (high_sum & SLOT);
    let mut next_low = counts.low[unit] - low + (of_one << 16);
    let mut next_high = counts.high[unit] - high + (of_two | (of_three << 16));
    #[unroll]
    for item in 0..ITEMS {
        let word = words[item];
        let value = (word >> shift) & 3;
        let half = (value & 1) * 16;
        let next = select(value < 2, next_low, next_high);
        tile[((next >> half) & SLOT) as usize] = word;
        let one = 1u32 << half;
        next_low += select(value < 2, one, 0u32);
        next_high += select(value < 2, 0u32, one);
    }
    sync_cube();
}

/// Where the digits of a sorted tile with `count` words start and end. Both are zero for a digit that is not there.
#[derive(CubeType)]
pub(super) struct Runs {
    pub(super) starts: Shared<[u32]>,
    pub(super) ends: Shared<[u32]>,
}

#[cube]
pub(super) fn runs(tile: &Shared<[u32]>, count: usize) -> Runs {
    let mut starts = Shared::<[u32]>::new_slice(DIGITS);
    let mut ends = Shared::<[u32]>::new_slice(DIGITS);
    let mut digit = UNIT_POS as usize;
    while digit < DIGITS {
        starts[digit] = 0u32;
        ends[digit] = 0u32;
        digit += UNITS;
    }
    sync_cube();
    for item in 0..ITEMS {
        let slot = slot_of(item);
        if slot < count {
            let digit = tile[slot] >> DIGIT_SHIFT;
            let mut before = comptime!(DIGITS as u32).runtime();
            if slot > 0 {
                before = tile[slot - 1] >> DIGIT_SHIFT;
            }
            let mut after = comptime!(DIGITS as u32).runtime();
            if slot + 1 < count {
                after = tile[slot + 1] >> DIGIT_SHIFT;
            }
            if before != digit {
                starts[digit as usize] = slot as u32;
            }
            if after != digit {
                ends[digit as usize] = slot as u32 + 1;
            }
        }
    }
    sync_cube();
    Runs { starts, ends }
}
