//! Responses of a picture to filters, their histograms, and the gradient of their distances from a target.
//!
//! In [`filter_responses`] and [`response_gradient`] a workgroup computes a block of positions or pixels, and each unit
//! four neighbours of a row.

mod contours;
mod gradient;
mod histograms;
mod labels;
mod responses;

use burn_cubecl::cubecl;
use cubecl::prelude::*;

pub(super) use self::contours::{ContourFactorsLaunch, contour_tables, hide, sums};
pub(super) use self::gradient::{Compared, response_gradient};
use self::histograms::TABLE_BYTES;
pub(super) use self::histograms::{ENTRIES, count_responses, ranges, tables};
pub(super) use self::labels::{AFTER_DIRECTION, GuideSizesLaunch, classify};
pub(crate) use self::labels::{Labelling, NOISE_WORDS};
pub(super) use self::responses::filter_responses;
pub(super) use crate::engine::gpu::reductions::kernels::UNITS;
use crate::engine::tables::BINS;

/// Rows and columns of a block.
pub(super) const BLOCK: [usize; 2] = [16, 32];

/// Neighbours in a row that one unit computes.
const ACROSS: usize = BLOCK[0] * BLOCK[1] / UNITS;

/// Units side by side.
const ABREAST: usize = BLOCK[1] / ACROSS;

/// Values in a vector.
pub(super) const LANES: usize = 4;

/// Filters whose responses one unit computes.
pub(super) const FILTERS: usize = 16;

/// Filters whose gradients are in shared memory at once.
pub(super) const AT_ONCE: usize = 4;

/// The longest side of a filter.
pub(super) const LONGEST_SIDE: usize = 7;

/// Bytes of shared memory for gradients at responses around a block, and a sum for each unit.
const SLOPE_BYTES: usize =
    4 * (AT_ONCE * (BLOCK[0] + LONGEST_SIDE - 1) * (BLOCK[1] + LONGEST_SIDE - 1) + UNITS);

/// Most bytes of shared memory.
pub(super) const SHARED_BYTES: usize = if SLOPE_BYTES > TABLE_BYTES {
    SLOPE_BYTES
} else {
    TABLE_BYTES
};

/// Places in a table of transport: the smallest value, bins per unit of value, the difference below which gradients are
/// linear, the factors of gradients and of distances, and the transported values at the edges between bins.
const LOW: usize = 0;
const SCALE: usize = 1;
const SOFT: usize = 2;
const FACTOR: usize = 3;
const SHARE: usize = 4;
const FIRST_EDGE: usize = 5;

/// Numbers of a table of transport.
pub(super) const TABLE: usize = FIRST_EDGE + BINS + 1;

/// Places in a table of contours.
const CONTENT_MEAN: usize = 0;
const CONTENT_DEVIATION: usize = 1;
const STYLE_MEAN: usize = 2;
const STYLE_DEVIATION: usize = 3;
const CONTOUR_FACTOR: usize = 4;
const CONTOUR_SHARE: usize = 5;

/// Numbers of a table of contours.
pub(super) const CONTOUR: usize = 6;

/// What stands in place of a response outside of a mask, and a number above all responses and below it.
const HIDDEN: f32 = 2e38;
const OUTSIDE: f32 = 1e38;

/// The sizes of a picture: its pixels, and the positions of filters in it.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) rows: u32,
    pub(super) columns: u32,
}
