//! Moments of responses, by which the contours of a picture are compared with those of a content picture.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::{
    CONTENT_DEVIATION, CONTENT_MEAN, CONTOUR, CONTOUR_FACTOR, CONTOUR_SHARE, HIDDEN, OUTSIDE,
    STYLE_DEVIATION, STYLE_MEAN, Sizes, UNITS,
};
use crate::engine::gpu::reductions::kernels::{Fold, combined};

/// Replaces responses `[filters, rows, columns]` whose middle is 0 in a mask `[height, width]` by a number that is larger than
/// any response.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn hide(
    responses: &Tensor<f32>,
    mask: &Tensor<f32>,
    output: &mut Tensor<f32>,
    sizes: &Sizes,
    middle: usize,
    filters: usize,
) {
    let (rows, columns) = (sizes.rows as usize, sizes.columns as usize);
    let positions = rows * columns;
    let step = CUBE_COUNT_X as usize * UNITS;
    let mut position = ABSOLUTE_POS;
    while position < positions {
        let y = (position / columns + middle) % sizes.height as usize;
        let x = (position % columns + middle) % sizes.width as usize;
        let is_outside = mask[y * sizes.width as usize + x] < 0.5;
        for filter in 0..filters {
            let index = filter * positions + position;
            output[index] = select(is_outside, HIDDEN, responses[index]);
        }
        position += step;
    }
}

/// The sum of the responses to each filter and the sum of their squares, hidden ones left out, of the part of the positions
/// that a workgroup has, and the response that both are counted from: `[filters, parts, 3]`. A response of the filter's own is
/// taken off because the square of a mean may be far larger than a variance.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn sums(
    responses: &Tensor<f32>,
    output: &mut Tensor<f32>,
    positions: usize,
) {
    let unit = UNIT_POS as usize;
    let filter = CUBE_POS_Y as usize;
    let step = CUBE_COUNT_X as usize * UNITS;
    let mut position = CUBE_POS_X as usize * UNITS + unit;
    let first = responses[filter * positions];
    let base = select(first < OUTSIDE, first, 0.0f32);
    let mut own = 0.0f32;
    let mut squares = 0.0f32;
    while position < positions {
        let value = responses[filter * positions + position];
        let value = select(value < OUTSIDE, value - base, 0.0f32);
        own += value;
        squares = fma(value, value, squares);
        position += step;
    }
    let sum = combined(own, 1usize, Fold::Sum);
    let sum_of_squares = combined(squares, 1usize, Fold::Sum);
    if unit == 0 {
        let part = 3 * (filter * CUBE_COUNT_X as usize + CUBE_POS_X as usize);
        output[part] = sum;
        output[part + 1] = sum_of_squares;
        output[part + 2] = base;
    }
}

/// What a part of the tables of contours is made of beside sums.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(in crate::engine::gpu::patches) struct ContourFactors {
    /// Positions inside of the mask.
    pub(in crate::engine::gpu::patches) count: f32,
    /// Parts of the sums.
    pub(in crate::engine::gpu::patches) parts: u32,
    /// What the moments are multiplied by.
    pub(in crate::engine::gpu::patches) weight: f32,
    /// What gradients and distances are multiplied by.
    pub(in crate::engine::gpu::patches) factor: f32,
    pub(in crate::engine::gpu::patches) share: f32,
}

/// A part of the tables of contours `[filters, CONTOUR]`, which is the sum of such parts: the moments of the content with the
/// factors of gradient and distance, or the weighted moments of a style. Each unit writes one.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn contour_tables(
    sums: &Tensor<f32>,
    output: &mut Tensor<f32>,
    factors: &ContourFactors,
    filters: usize,
    #[comptime] of_content: bool,
) {
    let filter = UNIT_POS as usize;
    if filter < filters {
        let parts = factors.parts as usize;
        let mut sum = 0.0f32;
        let mut squares = 0.0f32;
        for part in 0..parts {
            sum += sums[3 * (filter * parts + part)];
            squares += sums[3 * (filter * parts + part) + 1];
        }
        let count = max(factors.count, 1.0f32);
        let from_base = sum / count;
        let mean = sums[3 * filter * parts + 2] + from_base;
        let deviation = max(squares / count - from_base * from_base, 1e-12f32).sqrt();
        let table = filter * CONTOUR;
        #[unroll]
        for place in 0..CONTOUR {
            output[table + place] = 0.0;
        }
        if comptime!(of_content) {
            output[table + CONTENT_MEAN] = mean;
            output[table + CONTENT_DEVIATION] = deviation;
            output[table + CONTOUR_FACTOR] = factors.factor;
            output[table + CONTOUR_SHARE] = factors.share;
        } else {
            output[table + STYLE_MEAN] = factors.weight * mean;
            output[table + STYLE_DEVIATION] = factors.weight * deviation;
        }
    }
}
