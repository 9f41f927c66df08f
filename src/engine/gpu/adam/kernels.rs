//! Kernels of a step of Adam.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

pub(super) use crate::engine::gpu::reductions::kernels::UNITS;
use crate::engine::gpu::reductions::kernels::{Fold, combined};

/// Numbers of a part in a summary: how many values are not finite, and the sums of the distances after either gradient.
pub(super) const SUMMARY: usize = 3;

/// The bits of an exponent. Numbers that are not finite have all of them.
const EXPONENT: u32 = 0x7f80_0000;

/// What a step needs beside gradients and means.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Rates {
    pub(super) beta1: f32,
    pub(super) beta2: f32,
    /// With the corrections of both biases.
    pub(super) rate: f32,
    pub(super) epsilon: f32,
    pub(super) low: f32,
    pub(super) high: f32,
}

/// How many of the values of a list are not finite, and the sum of those from `variables` on, of the part that a workgroup
/// has.
#[derive(CubeType)]
struct Part {
    not_finite: f32,
    sum: f32,
}

#[cube]
fn part_of(list: &Tensor<f32>, length: usize, variables: usize) -> Part {
    let step = CUBE_COUNT_X as usize * UNITS;
    let mut index = ABSOLUTE_POS;
    let mut not_finite = 0.0f32;
    let mut sum = 0.0f32;
    while index < length {
        let value = list[index];
        // By its bits: shading languages may take it for granted that numbers are finite.
        let is_finite = (u32::reinterpret(value) & EXPONENT) != EXPONENT;
        not_finite += select(is_finite, 0.0f32, 1.0f32);
        sum += select(index < variables, 0.0f32, value);
        index += step;
    }
    Part {
        not_finite: combined(not_finite, 1usize, Fold::Sum),
        sum: combined(sum, 1usize, Fold::Sum),
    }
}

/// Summarises gradients of `variables` values with distances after them: `[parts, SUMMARY]`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn summarise(
    first: &Tensor<f32>,
    second: &Tensor<f32>,
    output: &mut Tensor<f32>,
    lengths: &Lengths,
    variables: usize,
    #[comptime] both: bool,
) {
    let of_first = part_of(first, lengths.first as usize, variables);
    let mut not_finite = of_first.not_finite;
    let mut sum = 0.0f32;
    if comptime!(both) {
        let of_second = part_of(second, lengths.second as usize, variables);
        not_finite += of_second.not_finite;
        sum = of_second.sum;
    }
    if UNIT_POS == 0 {
        let part = CUBE_POS_X as usize * SUMMARY;
        output[part] = not_finite;
        output[part + 1] = of_first.sum;
        output[part + 2] = sum;
    }
}

/// The lengths of two lists.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Lengths {
    pub(super) first: u32,
    pub(super) second: u32,
}

/// A step of Adam from a state of point, mean gradient and mean square, one after the other. The gradient is the sum of one
/// or `both` lists, and zero at pixels of `channels` variables where `free` is zero, if `held`. Where a summary has found
/// values that are not finite, the state stays as it is.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(super) fn step(
    state: &Tensor<f32>,
    first: &Tensor<f32>,
    second: &Tensor<f32>,
    free: &Tensor<f32>,
    summary: &Tensor<f32>,
    output: &mut Tensor<f32>,
    rates: &Rates,
    variables: usize,
    parts: usize,
    channels: usize,
    #[comptime] both: bool,
    #[comptime] held: bool,
) {
    let mut part = UNIT_POS as usize;
    let mut not_finite = 0.0f32;
    while part < parts {
        not_finite += summary[part * SUMMARY];
        part += UNITS;
    }
    let not_finite = combined(not_finite, 1usize, Fold::Sum);
    let mut of_all = Shared::<[f32]>::new_slice(1usize);
    if UNIT_POS == 0 {
        of_all[0] = not_finite;
    }
    sync_cube();
    let stays = of_all[0] > 0.0;

    let stride = CUBE_COUNT_X as usize * UNITS;
    let mut index = ABSOLUTE_POS;
    while index < variables {
        let x = state[index];
        let m = state[variables + index];
        let v = state[2 * variables + index];
        let mut g = first[index];
        if comptime!(both) {
            g += second[index];
        }
        if comptime!(held) {
            g *= free[index / channels];
        }
        let mean = rates.beta1 * m + (1.0 - rates.beta1) * g;
        let square = rates.beta2 * v + (1.0 - rates.beta2) * g * g;
        let next = x - rates.rate * mean / (square.sqrt() + rates.epsilon);
        let next = clamp(next, rates.low, rates.high);
        output[index] = select(stays, x, next);
        output[variables + index] = select(stays, m, mean);
        output[2 * variables + index] = select(stays, v, square);
        index += stride;
    }
}
