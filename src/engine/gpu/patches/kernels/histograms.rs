//! Histograms of responses by class, and the tables of transport between two of them.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::{FACTOR, FIRST_EDGE, LOW, SCALE, SHARE, SOFT, TABLE, UNITS};
use crate::engine::gpu::reductions::kernels::{Fold, add_before, combined};
use crate::engine::tables::{BANK, BINS, FILL};

/// Words of a histogram: the counts, and the bits of the smallest and the largest value.
pub(in crate::engine::gpu::patches) const ENTRIES: usize = BINS + 2;

/// Bins that a unit adds up.
const OWN_BINS: usize = BINS / UNITS;

/// Bytes of shared memory for a table: the exemplar's ranks, a number for each unit, and the numbers of the four sums of all
/// units, which do not share theirs. The ranges of seven classes take less.
pub(in crate::engine::gpu::patches) const TABLE_BYTES: usize =
    4 * (BINS + 1 + UNITS + 4 * (UNITS + 1));

/// The smallest and the largest response to each filter in each class, of the part of the positions that a workgroup has:
/// `[filters, classes, parts, 2]`. Of a class without positions the smallest is larger than the largest.
///
/// `labels` are the classes of positions, `[banks, positions]`, from bank `first_bank` on. They are not read where there
/// is one class.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn ranges(
    responses: &Tensor<f32>,
    labels: &Tensor<f32>,
    output: &mut Tensor<f32>,
    positions: usize,
    first_bank: usize,
    #[comptime] classes: usize,
) {
    let unit = UNIT_POS as usize;
    let filter = CUBE_POS_Y as usize;
    let step = CUBE_COUNT_X as usize * UNITS;
    let labelled = (first_bank + filter / BANK) * positions;
    let mut low = Array::<f32>::new(classes);
    let mut high = Array::<f32>::new(classes);
    #[unroll]
    for class in 0..classes {
        low[class] = f32::MAX;
        high[class] = f32::MIN;
    }
    let mut position = CUBE_POS_X as usize * UNITS + unit;
    while position < positions {
        let value = responses[filter * positions + position];
        if comptime!(classes == 1) {
            low[0] = min(low[0], value);
            high[0] = max(high[0], value);
        } else {
            let label = u32::cast_from(labels[labelled + position]);
            #[unroll]
            for class in 0..classes {
                let is_in = label == comptime!(class as u32);
                low[class] = select(is_in, min(low[class], value), low[class]);
                high[class] = select(is_in, max(high[class], value), high[class]);
            }
        }
        position += step;
    }
    #[unroll]
    for class in 0..classes {
        let least = -combined(-low[class], 1usize, Fold::Largest);
        let most = combined(high[class], 1usize, Fold::Largest);
        if unit == 0 {
            let row = (filter * classes + class) * CUBE_COUNT_X as usize;
            let part = 2 * (row + CUBE_POS_X as usize);
            output[part] = least;
            output[part + 1] = most;
        }
    }
}

/// Adds the histograms of responses to `counts`, `[filters, classes, ENTRIES]`. A workgroup counts the positions of one class
/// (third dimension). Bins cover the ranges of all `parts`, of which there may be more than workgroups.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn count_responses(
    responses: &Tensor<f32>,
    labels: &Tensor<f32>,
    ranges: &Tensor<f32>,
    counts: &mut Tensor<Atomic<u32>>,
    positions: usize,
    parts: usize,
    first_bank: usize,
    #[comptime] classes: usize,
) {
    let unit = UNIT_POS as usize;
    let filter = CUBE_POS_Y as usize;
    let class = CUBE_POS_Z as usize;
    let first_part = 2 * (filter * classes + class) * parts;
    let mut low = ranges[first_part];
    let mut high = ranges[first_part + 1];
    for part in 1..parts {
        low = min(low, ranges[first_part + 2 * part]);
        high = max(high, ranges[first_part + 2 * part + 1]);
    }
    let scale = FILL / max(high - low, 1e-9f32);
    let labelled = (first_bank + filter / BANK) * positions;
    let own_label = class as u32;

    let bins = Shared::<[Atomic<u32>]>::new_slice(BINS);
    let mut bin = unit;
    while bin < BINS {
        bins[bin].store(0u32);
        bin += UNITS;
    }
    sync_cube();
    let step = CUBE_COUNT_X as usize * UNITS;
    let mut position = CUBE_POS_X as usize * UNITS + unit;
    while position < positions {
        let mut label = own_label;
        if comptime!(classes > 1) {
            label = u32::cast_from(labels[labelled + position]);
        }
        if label == own_label {
            let value = responses[filter * positions + position];
            let place = i32::cast_from((value - low) * scale);
            bins[clamp(place, 0, comptime!(BINS as i32 - 1)) as usize].fetch_add(1u32);
        }
        position += step;
    }
    sync_cube();
    let row = (filter * classes + class) * ENTRIES;
    let mut bin = unit;
    while bin < BINS {
        let count = bins[bin].load();
        if count > 0 {
            counts[row + bin].fetch_add(count);
        }
        bin += UNITS;
    }
    if unit == 0 && CUBE_POS_X == 0 {
        counts[row + BINS].store(u32::reinterpret(low));
        counts[row + BINS + 1].store(u32::reinterpret(high));
    }
}

/// The sum of one number of each unit, for all of them.
#[cube]
fn sum_for_all(value: f32) -> f32 {
    let sum = combined(value, 1usize, Fold::Sum);
    let mut shared = Shared::<[f32]>::new_slice(1usize);
    if UNIT_POS == 0 {
        shared[0] = sum;
    }
    sync_cube();
    let sum = shared[0];
    sync_cube();
    sum
}

/// The smallest value of a histogram, and the width of its bins.
#[derive(CubeType)]
struct Bins {
    low: f32,
    width: f32,
}

#[cube]
fn bins_of(counts: &Tensor<u32>, row: usize) -> Bins {
    let low = f32::reinterpret(counts[row + BINS]);
    let high = f32::reinterpret(counts[row + BINS + 1]);
    Bins {
        low,
        width: max(high - low, 1e-9f32) / FILL,
    }
}

/// The value in the middle of a bin.
#[cube]
fn middle(bins: &Bins, bin: usize) -> f32 {
    bins.low + (f32::cast_from(bin as u32) + 0.5) * bins.width
}

/// Whether a histogram has counted anything.
#[cube]
fn exists(counts: &Tensor<u32>, row: usize) -> bool {
    let low = f32::reinterpret(counts[row + BINS]);
    low <= f32::reinterpret(counts[row + BINS + 1])
}

/// The counts of all bins before a unit's own, and of all bins.
#[derive(CubeType)]
struct Cumulative {
    before: u32,
    total: u32,
}

#[cube]
fn cumulative(counts: &Tensor<u32>, row: usize, sums: &mut Shared<[u32]>) -> Cumulative {
    let unit = UNIT_POS as usize;
    let mut own = 0u32;
    for bin in 0..OWN_BINS {
        own += counts[row + unit * OWN_BINS + bin];
    }
    sums[unit] = own;
    sync_cube();
    add_before(sums);
    let before = sums[unit] - own;
    let total = sums[comptime!(UNITS - 1)];
    sync_cube();
    Cumulative { before, total }
}

/// The tables of transport `[filters, classes, TABLE]` from the histograms of a picture, `[filters, classes, ENTRIES]`, and of
/// its exemplars, `[exemplars, filters, classes, ENTRIES]`:
///
/// ```text
/// T(v) = F_exemplars^-1(F_picture(v))          F_exemplars = sum over e of share_e F_e
/// ```
///
/// at each edge between bins of the picture's responses. `F` are cumulative distributions; those of all exemplars have the
/// same bins. A workgroup computes the table of a class (first dimension) of a filter (second dimension). Distances are
/// counted in standard deviations of an exemplar's responses in all classes, averaged over the exemplars. Their mean is taken
/// over the positions of all classes that both sides have. Classes from number `inside` on are outside of a mask and have no
/// distances.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn tables(
    counts: &Tensor<u32>,
    others: &Tensor<u32>,
    shares: &Tensor<f32>,
    output: &mut Tensor<f32>,
    exemplars: usize,
    soft: f32,
    #[comptime] classes: usize,
    #[comptime] inside: usize,
) {
    let unit = UNIT_POS as usize;
    let class = CUBE_POS_X as usize;
    let filter = CUBE_POS_Y as usize;
    let own_rows = filter * classes;
    let step = CUBE_COUNT_Y as usize * classes;

    // Positions of the picture in classes that an exemplar has, too.
    let mut compared = 0.0f32;
    for other in 0..inside {
        let row = (own_rows + other) * ENTRIES;
        if exists(others, row) {
            let mut bin = unit;
            while bin < BINS {
                compared += f32::cast_from(counts[row + bin]);
                bin += UNITS;
            }
        }
    }
    let compared = max(sum_for_all(compared), 1.0f32);

    // The mean standard deviation of the exemplars that have positions.
    let mut deviations = 0.0f32;
    let mut present = 0.0f32;
    for exemplar in 0..exemplars {
        let mut count = 0.0f32;
        let mut sum = 0.0f32;
        for other in 0..inside {
            let row = (exemplar * step + own_rows + other) * ENTRIES;
            let bins = bins_of(others, row);
            let mut bin = unit;
            while bin < BINS {
                let n = f32::cast_from(others[row + bin]);
                count += n;
                sum += select(n > 0.0, n * middle(&bins, bin), 0.0f32);
                bin += UNITS;
            }
        }
        let count = sum_for_all(count);
        let mean = sum_for_all(sum) / max(count, 1.0f32);
        let mut squares = 0.0f32;
        for other in 0..inside {
            let row = (exemplar * step + own_rows + other) * ENTRIES;
            let bins = bins_of(others, row);
            let mut bin = unit;
            while bin < BINS {
                let n = f32::cast_from(others[row + bin]);
                let away = middle(&bins, bin) - mean;
                squares += select(n > 0.0, n * away * away, 0.0f32);
                bin += UNITS;
            }
        }
        let variance = sum_for_all(squares) / max(count, 1.0f32);
        let share = select(count > 0.0, shares[exemplar], 0.0f32);
        deviations += share * max(variance, 1e-12f32).sqrt();
        present += share;
    }
    let s = deviations / max(present, 1e-9f32);

    let own = (own_rows + class) * ENTRIES;
    let mut sums = Shared::<[u32]>::new_slice(UNITS);
    let mut ranks = Shared::<[f32]>::new_slice(comptime!(BINS + 1));
    let mut slot = unit;
    while slot <= BINS {
        ranks[slot] = 0.0;
        slot += UNITS;
    }
    sync_cube();
    for exemplar in 0..exemplars {
        let row = exemplar * step * ENTRIES + own;
        let of_exemplar = cumulative(others, row, &mut sums);
        let mass = shares[exemplar] / f32::cast_from(max(of_exemplar.total, 1u32));
        let mut below = of_exemplar.before;
        for bin in 0..OWN_BINS {
            let index = unit * OWN_BINS + bin;
            below += others[row + index];
            ranks[index + 1] += f32::cast_from(below) * mass;
        }
    }
    sync_cube();

    let table = (own_rows + class) * TABLE;
    let bins = bins_of(others, own);
    let of_picture = cumulative(counts, own, &mut sums);
    let mass = 1.0 / f32::cast_from(max(of_picture.total, 1u32));
    let mut below = of_picture.before;
    for edge in 0..comptime!(OWN_BINS + 1) {
        // The first unit computes the first edge as well.
        let index = unit * OWN_BINS + edge;
        if edge > 0 {
            below += counts[own + index - 1];
        }
        if edge > 0 || unit == 0 {
            let rank = f32::cast_from(below) * mass;
            // The last bin that begins at this rank or before it.
            let mut bin = 0usize;
            let mut step = BINS.runtime() / 2;
            while step > 0 {
                if ranks[bin + step] <= rank {
                    bin += step;
                }
                step /= 2;
            }
            let width_of_rank = max(ranks[bin + 1] - ranks[bin], 1e-12f32);
            let inside = clamp((rank - ranks[bin]) / width_of_rank, 0.0f32, 1.0f32);
            output[table + FIRST_EDGE + index] =
                bins.low + (f32::cast_from(bin as u32) + inside) * bins.width;
        }
    }
    if unit == 0 {
        let bins = bins_of(counts, own);
        let has_both = class < inside && exists(counts, own) && exists(others, own);
        let factor = select(has_both, 1.0 / s, 0.0f32);
        output[table + LOW] = bins.low;
        output[table + SCALE] = 1.0 / bins.width;
        output[table + SOFT] = soft * s;
        output[table + FACTOR] = factor;
        output[table + SHARE] = factor / compared;
    }
}
