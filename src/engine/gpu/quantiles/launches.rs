//! The launches of the kernels on CubeCL's backend: one for values that fit into a tile, else twelve for each
//! group of directions.

use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernels::{self, SizesLaunch};
use super::operation::Quantiles;
use super::tile::{DIGIT_BITS, DIGITS, TILE, UNITS};
use crate::engine::gpu::launches::{address_type, empty};

/// Workgroups on an axis that every interface allows.
const MOST_GROUPS: usize = 65535;

/// Bytes of an integer and an index.
const PAIR: usize = 8;

/// The most positions of a map, and values of a target, whose ranks and quantiles the kernels compute exactly:
/// below, a fractional index is wrong by at most 13 steps before it is corrected, and 13 times twice the
/// positions is below 2^31.
pub(super) const MOST_POSITIONS: usize = 1 << 26;

/// A group of directions that is sorted at once.
struct Group {
    first: usize,
    count: usize,
    positions: usize,
    length: usize,
}

impl Group {
    fn sizes(&self) -> SizesLaunch {
        SizesLaunch::new(
            self.positions as u32,
            self.length as u32,
            (self.length as f64 / (2 * self.positions) as f64) as f32,
            self.first as u32,
        )
    }

    fn tiles(&self) -> usize {
        self.positions.div_ceil(TILE)
    }

    fn cubes(&self) -> CubeCount {
        CubeCount::Static(self.tiles() as u32, self.count as u32, 1)
    }
}

fn units() -> CubeDim {
    CubeDim::new_1d(UNITS as u32)
}

impl Quantiles for CubeBackend {
    fn subtract_quantiles(
        values: FloatTensor<Self>,
        sorted: FloatTensor<Self>,
        largest: usize,
    ) -> FloatTensor<Self> {
        let values = into_contiguous(values);
        let sorted = into_contiguous(sorted);
        let [directions, positions] = values.meta.shape().dims();
        let [_, length] = sorted.meta.shape().dims();
        let differences = empty(&values, [directions, positions], DType::F32);
        let at_once = if positions <= TILE {
            MOST_GROUPS
        } else {
            (largest / (PAIR * positions)).clamp(1, MOST_GROUPS)
        };
        for first in (0..directions).step_by(at_once) {
            let group = Group {
                first,
                count: at_once.min(directions - first),
                positions,
                length,
            };
            if positions <= TILE {
                in_one_tile(&group, &values, &sorted, &differences);
            } else {
                in_tiles(&group, &values, &sorted, &differences);
            }
        }
        differences
    }
}

fn in_one_tile(group: &Group, values: &CubeTensor, sorted: &CubeTensor, differences: &CubeTensor) {
    let client = values.client.clone();
    let addresses = address_type(&[values, sorted, differences]);
    // SAFETY: a workgroup has a direction of the group, at most `TILE` positions long. It reads values and
    // writes differences of slots below this length only, and a quantile's index is clamped to the target.
    // Slots of the tile are a permutation of the slots that it began with.
    #[allow(unsafe_code)]
    unsafe {
        kernels::tile_differences::launch_unchecked(
            &client,
            group.cubes(),
            units(),
            addresses,
            values.clone().into_tensor_arg(),
            sorted.clone().into_tensor_arg(),
            differences.clone().into_tensor_arg(),
            group.sizes(),
        );
    }
}

fn in_tiles(group: &Group, values: &CubeTensor, sorted: &CubeTensor, differences: &CubeTensor) {
    let client = values.client.clone();
    let pairs = || empty(values, [group.count, group.positions, 2], DType::U32);
    let (tiles, moved) = (pairs(), pairs());
    let counts = empty(values, [group.count, group.tiles(), DIGITS], DType::U32);
    let addresses = address_type(&[values, sorted, differences, &tiles, &counts]);
    let passes = 32 / DIGIT_BITS;
    for pass in 0..passes {
        let shift = (pass * DIGIT_BITS) as u32;
        let source = if pass == 0 { values } else { &moved };
        // SAFETY: a workgroup has a tile of a direction of the group. It reads and writes slots of the
        // tile that lie below the number of positions, and the tile's own row of counts.
        #[allow(unsafe_code)]
        unsafe {
            kernels::sort_tiles::launch_unchecked(
                &client,
                group.cubes(),
                units(),
                addresses,
                source.clone().into_tensor_arg(),
                tiles.clone().into_tensor_arg(),
                counts.clone().into_tensor_arg(),
                group.sizes(),
                shift,
                pass == 0,
            );
        }
        // SAFETY: a workgroup has a direction of the group, and reads and writes its counts, two columns a
        // unit.
        #[allow(unsafe_code)]
        unsafe {
            kernels::add_counts::launch_unchecked(
                &client,
                CubeCount::Static(group.count as u32, 1, 1),
                units(),
                addresses,
                counts.clone().into_tensor_arg(),
                group.tiles() as u32,
            );
        }
        if pass + 1 < passes {
            // SAFETY: as above. The counts are those of the same integers, so the places of a
            // direction's pairs are a permutation of its positions, whatever the values.
            #[allow(unsafe_code)]
            unsafe {
                kernels::scatter::launch_unchecked(
                    &client,
                    group.cubes(),
                    units(),
                    addresses,
                    tiles.clone().into_tensor_arg(),
                    counts.clone().into_tensor_arg(),
                    moved.clone().into_tensor_arg(),
                    group.sizes(),
                    shift,
                );
            }
        } else {
            // SAFETY: as above. An index of a pair is that of one of the direction's positions, and a
            // quantile's index is clamped to the target.
            #[allow(unsafe_code)]
            unsafe {
                kernels::scatter_differences::launch_unchecked(
                    &client,
                    group.cubes(),
                    units(),
                    addresses,
                    tiles.clone().into_tensor_arg(),
                    counts.clone().into_tensor_arg(),
                    sorted.clone().into_tensor_arg(),
                    differences.clone().into_tensor_arg(),
                    group.sizes(),
                    shift,
                );
            }
        }
    }
}
