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

/// The sum of the responses to each filter and the sum of their squares, hidden ones left out, of the part of the positions that a workgroup
/// has: `[filters, parts, 2]`.
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
    let mut own = 0.0f32;
    let mut squares = 0.0f32;
    while position < positions {
        let value = responses[filter * positions + position];
        let value = select(value < OUTSIDE, value, 0.0f32);
        own += value;
        squares = fma(value, value, squares);
        position += step;
    }
    let sum = combined(own, 1usize, Fold::Sum);
    let sum_of_squares = combined(squares, 1usize, Fold::Sum);
    if unit == 0 {
        let part = 2 * (filter * CUBE_COUNT_X as usize + CUBE_POS_X as usize);
        output[part] = sum;
        output[part + 1] = sum_of_squares;
    }
}

/// What the tables of contours need beside sums.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(in crate::engine::gpu::patches) struct ContourFactors {
    /// Positions of the content and of the style inside of their masks.
    pub(in crate::engine::gpu::patches) content_count: f32,
    pub(in crate::engine::gpu::patches) style_count: f32,
    /// Parts of the sums.
    pub(in crate::engine::gpu::patches) content_parts: u32,
    pub(in crate::engine::gpu::patches) style_parts: u32,
    /// What gradients and distances are multiplied by.
    pub(in crate::engine::gpu::patches) factor: f32,
    pub(in crate::engine::gpu::patches) share: f32,
}

#[derive(CubeType)]
struct Moments {
    mean: f32,
    deviation: f32,
}

/// Mean and standard deviation from the sums of parts.
#[cube]
fn moments(sums: &Tensor<f32>, filter: usize, parts: usize, count: f32) -> Moments {
    let mut sum = 0.0f32;
    let mut squares = 0.0f32;
    for part in 0..parts {
        sum += sums[2 * (filter * parts + part)];
        squares += sums[2 * (filter * parts + part) + 1];
    }
    let mean = sum / count;
    let deviation = max(squares / count - mean * mean, 1e-12f32).sqrt();
    Moments { mean, deviation }
}

/// The tables of contours `[filters, CONTOUR]` from the sums of the content's and the style's responses: their moments, and
/// what a gradient and a distance are multiplied by. Each unit writes one.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn contour_tables(
    content: &Tensor<f32>,
    style: &Tensor<f32>,
    output: &mut Tensor<f32>,
    factors: &ContourFactors,
    filters: usize,
) {
    let filter = UNIT_POS as usize;
    if filter < filters {
        let content_parts = factors.content_parts as usize;
        let of_content = moments(content, filter, content_parts, factors.content_count);
        let style_parts = factors.style_parts as usize;
        let of_style = moments(style, filter, style_parts, factors.style_count);
        let table = filter * CONTOUR;
        output[table + CONTENT_MEAN] = of_content.mean;
        output[table + CONTENT_DEVIATION] = of_content.deviation;
        output[table + STYLE_MEAN] = of_style.mean;
        output[table + STYLE_DEVIATION] = of_style.deviation;
        output[table + CONTOUR_FACTOR] = factors.factor;
        output[table + CONTOUR_SHARE] = factors.share;
    }
}
