//! Tiles of an axis: which positions a tile reads and writes, and the adjoint of padding at its ends.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::engine::Padding;
use crate::engine::winograd::{TILE, WINDOW};

/// An axis of a feature map, cut into output tiles of four positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Axis {
    pub(super) length: usize,
    /// Positions of the first tile that lie before the axis, 0 or 1.
    pub(super) offset: usize,
    pub(super) tiles: usize,
}

impl Axis {
    /// Chooses the offset so that the gradients at padded positions fold back within their own tile.
    ///
    /// With an offset of 0, reflection at the end of an axis of `4 k + 1` samples would reach into the
    /// last tile but one. Such axes have an offset of 1.
    pub(super) fn new(length: usize, padding: Padding) -> Self {
        let offset = usize::from(padding == Padding::Reflect && length % TILE == 1);
        Self {
            length,
            offset,
            tiles: (length + offset).div_ceil(TILE),
        }
    }

    /// Whether gradients at padded positions fold back within their tile, or, for periodic padding,
    /// into the neighbouring tile.
    pub(super) fn folds(length: usize, padding: Padding) -> bool {
        padding != Padding::Circular || length.is_multiple_of(TILE)
    }
}

/// The index of the input sample at a padded position of an axis.
///
/// The last tile may extend beyond the padding. Positions there return an arbitrary valid index.
#[cube]
pub(super) fn sample(position: i32, length: i32, #[comptime] padding: Padding) -> i32 {
    let last = length - 1;
    let mut source = position;
    if comptime!(padding == Padding::Circular) {
        source = (position + length) % length;
    } else if comptime!(padding == Padding::Reflect) {
        let after = select(position < 0, -position, position);
        source = select(after > last, 2 * last - after, after);
    }
    clamp(source, 0, last)
}

/// Whether a padded position has an input sample, instead of the zero of zero padding.
#[cube]
pub(super) fn exists(position: i32, length: i32, #[comptime] padding: Padding) -> bool {
    if comptime!(padding == Padding::Zero) {
        position >= 0 && position < length
    } else {
        true.runtime()
    }
}

/// Overlap-add along an axis: the gradients at the four positions of a tile.
///
/// `window` holds the gradients at the six positions of the tile's input window. `before` is the
/// last value of the previous window and `after` the first value of the next one, which overlap
/// this tile. At both ends of the axis, the gradient at a padded position is added to the sample
/// that padding copied there.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn overlap_add<N: Size>(
    before: Vector<f32, N>,
    window: &Sequence<Vector<f32, N>>,
    after: Vector<f32, N>,
    tile: usize,
    length: usize,
    tiles: usize,
    #[comptime] offset: usize,
    #[comptime] padding: Padding,
) -> Sequence<Vector<f32, N>> {
    let folding = comptime!(matches!(padding, Padding::Reflect | Padding::Replicate));
    let zero = Vector::<f32, N>::new(0.0);
    // The position of the axis's last sample within the last tile.
    let last = length - 1 + offset - (tiles - 1) * TILE;
    let ends = tile + 1 == tiles;
    let mut beyond = zero;
    if folding {
        #[unroll]
        for position in 2..WINDOW {
            beyond = select(ends && last + 2 == position, window[position], beyond);
        }
    }
    let mut sums = Sequence::<Vector<f32, N>>::new();
    #[unroll]
    for position in 0..TILE {
        let mut value = window[comptime!(position + 1)];
        if comptime!(position == 0) {
            value += before;
        }
        if comptime!(position == TILE - 1) {
            value += after;
        }
        if folding {
            let mirrored = comptime!(usize::from(padding == Padding::Reflect));
            if comptime!(position == offset + mirrored) {
                value += select(tile == 0, window[offset], zero);
            }
            value += select(ends && position + mirrored == last, beyond, zero);
        }
        sums.push(value);
    }
    sums
}
