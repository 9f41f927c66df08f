//! Tiles of a picture: what one thread works on at a time, small enough for its cache.

use std::ops::Range;

use super::canvas::Canvas;
use crate::imaging::Size;

/// Rows of a tile of a large picture.
const ROWS: usize = 64;
/// The fewest rows of a tile. Each tile computes the responses of some rows above it again.
const FEWEST_ROWS: usize = 24;
/// Bands of tiles that a small picture is split into, so that threads share it.
const BANDS: usize = 6;
/// Columns of a tile.
const COLUMNS: usize = 256;

/// The tiles of a picture for filters of one size. They do not depend on the number of threads.
///
/// A patch is named by its upper left pixel, its position, and belongs to the tile of that pixel.
#[derive(Clone)]
pub(super) struct Tiles {
    height: usize,
    width: usize,
    /// Rows and columns of a filter beyond its first.
    reach: usize,
    wraps: bool,
    /// Rows and columns of a tile.
    rows: usize,
    columns: usize,
}

/// Rows and columns of pixels or positions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) rows: Range<isize>,
    pub(super) columns: Range<isize>,
}

impl Window {
    fn extended(&self, reach: usize) -> Self {
        let reach = reach as isize;
        Self {
            rows: self.rows.start..self.rows.end + reach,
            columns: self.columns.start..self.columns.end + reach,
        }
    }
}

/// The number of rows and of columns of positions in a picture, for filters with this reach.
pub(super) fn positions(size: Size, reach: usize, wraps: bool) -> [usize; 2] {
    let reach = if wraps { 0 } else { reach };
    [size.height - reach, size.width - reach]
}

impl Tiles {
    pub(super) fn new(canvas: &Canvas<'_>, reach: usize) -> Self {
        let (height, width) = (canvas.height, canvas.width);
        let across = width.div_ceil(COLUMNS);
        Self {
            height,
            width,
            reach,
            wraps: canvas.wraps,
            rows: height.div_ceil(BANDS).clamp(FEWEST_ROWS, ROWS),
            columns: width.div_ceil(across.max(1)),
        }
    }

    /// The number of rows and of columns of positions.
    pub(super) fn positions(&self) -> [usize; 2] {
        positions(Size::new(self.width, self.height), self.reach, self.wraps)
    }

    /// Rows of pixels in a band of tiles.
    pub(super) fn band_rows(&self) -> usize {
        self.rows
    }

    fn across(&self) -> usize {
        self.width.div_ceil(self.columns)
    }

    pub(super) fn count(&self) -> usize {
        self.height.div_ceil(self.rows) * self.across()
    }

    /// Whether a tile is one of the quarter of tiles that stands for all.
    pub(super) fn is_in_sample(&self, tile: usize) -> bool {
        (tile / self.across() + tile % self.across()).is_multiple_of(4)
    }

    /// The numbers of the tiles of a band, from the left.
    pub(super) fn of_band(&self, band: usize) -> Range<usize> {
        band * self.across()..(band + 1) * self.across()
    }

    /// The pixels of a tile.
    pub(super) fn pixels(&self, tile: usize) -> Window {
        let range = |index: usize, step: usize, length: usize| {
            (index * step) as isize..((index + 1) * step).min(length) as isize
        };
        Window {
            rows: range(tile / self.across(), self.rows, self.height),
            columns: range(tile % self.across(), self.columns, self.width),
        }
    }

    /// The positions that belong to a tile.
    pub(super) fn own_positions(&self, tile: usize) -> Window {
        self.inside(self.pixels(tile))
    }

    /// The positions of the patches that contain a pixel of the tile.
    pub(super) fn positions_around(&self, tile: usize) -> Window {
        let Window { rows, columns } = self.pixels(tile);
        let reach = self.reach as isize;
        self.inside(Window {
            rows: rows.start - reach..rows.end,
            columns: columns.start - reach..columns.end,
        })
    }

    /// Row and column of the first position around a tile, in a window that begins `reach` rows and
    /// columns before the tile. At the border of a picture the first ones have no position.
    pub(super) fn corner_around(&self, tile: usize) -> [usize; 2] {
        let (pixels, around) = (self.pixels(tile), self.positions_around(tile));
        let corner = |around: isize, own: isize| (around + self.reach as isize - own) as usize;
        [
            corner(around.rows.start, pixels.rows.start),
            corner(around.columns.start, pixels.columns.start),
        ]
    }

    /// The pixels of the patches at these positions.
    pub(super) fn pixels_of(&self, positions: &Window) -> Window {
        positions.extended(self.reach)
    }

    /// The part of a window whose positions exist.
    fn inside(&self, window: Window) -> Window {
        if self.wraps {
            return window;
        }
        let [height, width] = self.positions();
        let inside = |range: Range<isize>, length: usize| {
            let length = length as isize;
            range.start.clamp(0, length)..range.end.clamp(0, length)
        };
        Window {
            rows: inside(window.rows, height),
            columns: inside(window.columns, width),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Size;

    /// Each position belongs to one tile, and all patches of a tile's pixels are around it.
    #[test]
    fn tiles_share_out_all_positions() {
        for (height, width, reach, wraps) in [
            (7, 9, 2, false),
            (25, 31, 6, false),
            (25, 31, 6, true),
            (600, 530, 6, false),
            (150, 260, 6, true),
        ] {
            let values = vec![0.0; height * width];
            let canvas = Canvas::new(Size::new(width, height), 1, &values, wraps);
            let tiles = Tiles::new(&canvas, reach);
            let [rows, columns] = tiles.positions();
            let mut owners = vec![0; rows * columns];
            for tile in 0..tiles.count() {
                let own = tiles.own_positions(tile);
                for y in own.rows {
                    for x in own.columns.clone() {
                        owners[y as usize * columns + x as usize] += 1;
                    }
                }
                let (pixels, around) = (tiles.pixels(tile), tiles.positions_around(tile));
                let patches = tiles.pixels_of(&around);
                assert!(patches.rows.start <= pixels.rows.start);
                assert!(patches.rows.end >= pixels.rows.end);
                let reach = reach as isize;
                let first = pixels.columns.start - reach;
                let first = if wraps { first } else { first.max(0) };
                assert_eq!(around.columns.start, first);
            }
            assert!(owners.iter().all(|owners| *owners == 1));
            let bands = height.div_ceil(tiles.band_rows());
            assert_eq!(tiles.of_band(bands - 1).end, tiles.count());
        }
    }
}
