//! Where along an axis a tile reads and writes.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::engine::Padding;
use crate::engine::winograd::{TILE, WINDOW};

/// An axis of a map cut into tiles of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Axis {
    pub(super) length: usize,
    /// Positions of the first tile before the axis begins.
    pub(super) before: usize,
    pub(super) tiles: usize,
}

impl Axis {
    /// The padded positions at both ends show samples of the first and last tile, so that a
    /// gradient folds back within its tile: reflecting the end of an axis of `4 k + 1` would reach
    /// into the tile before the last, and its tiles begin one position early.
    pub(super) fn new(length: usize, padding: Padding) -> Self {
        let before = usize::from(padding == Padding::Reflect && length % TILE == 1);
        Self {
            length,
            before,
            tiles: (length + before).div_ceil(TILE),
        }
    }

    /// Whether gradients at padded positions fold back within their tiles, or for periodic padding
    /// within the tiles beside.
    pub(super) fn folds(length: usize, padding: Padding) -> bool {
        padding != Padding::Circular || length.is_multiple_of(TILE)
    }
}

/// The sample that an axis shows at a position: its own, or one beyond its ends.
///
/// Positions beyond the padding, which only tiles that reach over the end have, show any sample.
#[cube]
pub(super) fn sample(position: i32, length: i32, #[comptime] padding: Padding) -> i32 {
    let last = length - 1;
    let mut shown = position;
    if comptime!(padding == Padding::Circular) {
        shown = (position + length) % length;
    } else if comptime!(padding == Padding::Reflect) {
        let after = select(position < 0, -position, position);
        shown = select(after > last, 2 * last - after, after);
    }
    clamp(shown, 0, last)
}

/// Whether the axis has a sample at a position.
#[cube]
pub(super) fn exists(position: i32, length: i32, #[comptime] padding: Padding) -> bool {
    if comptime!(padding == Padding::Zero) {
        position >= 0 && position < length
    } else {
        true.runtime()
    }
}

/// Overlap-add: gradients at the four positions of a tile from those at the six of its window, and from
/// the last and the first of the neighbouring windows, which overlap it.
///
/// `values` holds lines of eight: the last of the tile before, the six, the first of the tile
/// after. At the ends of the axis, what arrives at a padded position goes to the sample shown there.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn gather<N: Size>(
    before: Vector<f32, N>,
    window: &Sequence<Vector<f32, N>>,
    after: Vector<f32, N>,
    tile: usize,
    length: usize,
    tiles: usize,
    #[comptime] early: usize,
    #[comptime] padding: Padding,
) -> Sequence<Vector<f32, N>> {
    let folding = comptime!(matches!(padding, Padding::Reflect | Padding::Replicate));
    let zero = Vector::<f32, N>::new(0.0);
    // How far the last sample is from the first of its tile.
    let last = length - 1 + early - (tiles - 1) * TILE;
    let ends = tile + 1 == tiles;
    let mut beyond = zero;
    if folding {
        #[unroll]
        for place in 2..WINDOW {
            beyond = select(ends && last + 2 == place, window[place], beyond);
        }
    }
    let mut line = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for place in 0..TILE {
        let mut value = window[comptime!(place + 1)];
        if comptime!(place == 0) {
            value += before;
        }
        if comptime!(place == TILE - 1) {
            value += after;
        }
        if folding {
            let mirrored = comptime!(usize::from(padding == Padding::Reflect));
            if comptime!(place == early + mirrored) {
                value += select(tile == 0, window[early], zero);
            }
            value += select(ends && place + mirrored == last, beyond, zero);
        }
        line.push(value);
    }
    line
}
