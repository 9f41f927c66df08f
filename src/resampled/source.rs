//! The responses of a picture to the filter banks of a step, tile by tile, and their histograms.

use std::cell::OnceCell;
use std::ops::Deref;
use std::sync::OnceLock;

use pulp::Arch;
use rayon::prelude::*;

use super::buffers::{Buffers, Pooled};
use super::canvas::Canvas;
use super::classes::{ClassBins, ClassRanges, RowBuffers};
use super::draw::BANK;
use super::filters::FilterBank;
use super::labels::{Labels, OUTSIDE};
use super::planes::Planes;
use super::table::{Sums, Table};
use super::tiles::{Tiles, Window};
use super::transport::{BINS, Bins, Range};

/// Tiles from which on ranges of responses are taken from a sample of the tiles, where responses are not
/// kept. The few values outside of the sample's range count in the outermost bins.
const SAMPLED_FROM: usize = 32;

/// The most groups of tiles that share a table, and the fewest tiles of one.
const GROUPS: usize = 16;
const FEWEST_TILES: usize = 12;

/// Groups that are worked on at once: more than a machine has threads.
const AT_ONCE: usize = 32;

/// A picture, the banks of a step, and the classes of its positions.
pub(super) struct Source<'a> {
    pub(super) canvas: Canvas<'a>,
    pub(super) tiles: Tiles,
    banks: &'a [FilterBank],
    /// For each bank and each layer of labels.
    labels: Vec<Vec<Labels<'a>>>,
    classes: usize,
    /// Responses by tile and bank. None: they are computed again in each pass.
    kept: Option<Vec<OnceLock<Responses<'a>>>>,
    /// The pixels of each tile's patches, if responses are kept.
    windows: Vec<OnceLock<Planes>>,
    buffers: &'a Buffers,
    /// Whether a gradient follows, which takes the responses around each tile.
    differentiated: bool,
}

/// The responses of one bank at a window of positions.
pub(super) struct Responses<'a> {
    pub(super) positions: Window,
    pub(super) values: Pooled<'a>,
    /// For each layer of labels, row by row.
    pub(super) labels: Vec<Option<Vec<u8>>>,
}

/// Responses that a source keeps, or that were computed for one use.
pub(super) enum Lent<'s, 'a> {
    Kept(&'s Responses<'a>),
    Own(Responses<'a>),
}

impl<'a> Deref for Lent<'_, 'a> {
    type Target = Responses<'a>;

    fn deref(&self) -> &Responses<'a> {
        match self {
            Self::Kept(responses) => responses,
            Self::Own(responses) => responses,
        }
    }
}

impl Responses<'_> {
    /// Row `y` and column `x` of a position in this window.
    pub(super) fn offset_of(&self, y: isize, x: isize) -> (usize, usize) {
        let y = y - self.positions.rows.start;
        let x = x - self.positions.columns.start;
        (y as usize, x as usize)
    }

    /// The values of one filter in a row of `window`, and their labels in one layer.
    pub(super) fn row(
        &self,
        (filter, layer): (usize, usize),
        (window, y): (&Window, isize),
    ) -> (&[f32], Option<&[u8]>) {
        let (row, first) = self.offset_of(y, window.columns.start);
        let count = window.columns.len();
        let labels = self.labels[layer].as_deref();
        let labels = labels.map(|labels| &labels[row * self.values.width + first..][..count]);
        (&self.values.row(filter, row)[first..first + count], labels)
    }
}

impl<'a> Source<'a> {
    /// `labels` are given for each bank, and in each for as many layers; they have at most `classes`
    /// classes. With `keep` responses are computed once and kept.
    pub(super) fn new(
        (canvas, tiles): (Canvas<'a>, Tiles),
        banks: &'a [FilterBank],
        (labels, classes): (Vec<Vec<Labels<'a>>>, usize),
        (keep, buffers): (bool, &'a Buffers),
    ) -> Self {
        let count = tiles.count() * banks.len();
        let windows = if keep { tiles.count() } else { 0 };
        Self {
            canvas,
            tiles,
            banks,
            labels,
            classes,
            kept: keep.then(|| (0..count).map(|_| OnceLock::new()).collect()),
            windows: (0..windows).map(|_| OnceLock::new()).collect(),
            buffers,
            differentiated: false,
        }
    }

    /// Computes the responses around each tile as well, for a gradient at its pixels.
    pub(super) fn differentiated(mut self) -> Self {
        self.differentiated = true;
        self
    }

    /// Whether positions have labels of their own in a layer of a bank's labels.
    pub(super) fn is_labelled(&self, bank: usize, layer: usize) -> bool {
        !self.labels[bank][layer].are_equal()
    }

    /// The responses of a bank at a tile. `pixels` holds the tile's pixels, which are the same
    /// for all banks, once one of them wants them.
    pub(super) fn responses(
        &self,
        tile: usize,
        bank: usize,
        pixels: &OnceCell<Planes>,
    ) -> Lent<'_, 'a> {
        let compute = || {
            let positions = match self.differentiated {
                true => self.tiles.positions_around(tile),
                false => self.tiles.own_positions(tile),
            };
            let window = || {
                let Window { rows, columns } = self.tiles.pixels_of(&positions);
                self.canvas.window(rows, columns)
            };
            let pixels = match self.windows.get(tile) {
                Some(kept) => kept.get_or_init(window),
                None => pixels.get_or_init(window),
            };
            let labels = self.labels[bank].iter();
            let (rows, columns) = (positions.rows.len(), positions.columns.len());
            let mut values = self.buffers.planes(BANK, rows, columns);
            self.banks[bank].write_responses(pixels, &mut values);
            Responses {
                values,
                labels: labels.map(|labels| labels.of(&positions)).collect(),
                positions,
            }
        };
        match &self.kept {
            Some(kept) => {
                let cell = &kept[tile * self.banks.len() + bank];
                Lent::Kept(cell.get_or_init(compute))
            }
            None => Lent::Own(compute()),
        }
    }

    /// Calls `visit` with each layer and filter, and with the rows of a tile's values and labels.
    fn visit(&self, (tile, bank): (usize, usize), mut visit: impl FnMut([usize; 2], Rows<'_, '_>)) {
        let own = self.tiles.own_positions(tile);
        let responses = self.responses(tile, bank, &OnceCell::new());
        for layer in 0..self.labels[bank].len() {
            for filter in 0..BANK {
                let rows = Rows {
                    responses: &responses,
                    own: &own,
                    filter,
                    layer,
                };
                visit([layer, filter], rows);
            }
        }
    }

    /// Makes a table of entries of `width` values for each layer, class and filter of each bank.
    /// `accumulate` adds tiles to the table of one bank, `merge` adds another table's values.
    fn table<T: Copy + Send + Sync>(
        &self,
        (width, value): (usize, T),
        tiles: &[usize],
        accumulate: impl Fn((&[usize], usize), &mut Table<T>) + Sync,
        merge: impl Fn(&mut T, T) + Sync,
    ) -> Table<T> {
        // Neither the tiles of a group nor the order of groups depend on the number of threads.
        let group = tiles.len().div_ceil(GROUPS).max(FEWEST_TILES);
        let groups: Vec<(usize, &[usize])> = (0..self.banks.len())
            .flat_map(|bank| tiles.chunks(group).map(move |tiles| (bank, tiles)))
            .collect();
        let layers = self.labels.first().map_or(0, Vec::len);
        let empty = |banks: usize| Table {
            layers,
            classes: self.classes,
            width,
            data: vec![value; banks * layers * self.classes * BANK * width],
        };
        let of_group = |(bank, tiles): &(usize, &[usize])| {
            let mut table = empty(1);
            accumulate((*tiles, *bank), &mut table);
            (*bank, table)
        };
        let mut whole = empty(0);
        let mut last = None;
        // Some at a time: tables with classes are large.
        for some in groups.chunks(AT_ONCE) {
            let tables: Vec<(usize, Table<T>)> = some.par_iter().map(of_group).collect();
            for (bank, table) in tables {
                if last == Some(bank) {
                    let start = whole.data.len() - table.data.len();
                    for (sum, value) in whole.data[start..].iter_mut().zip(table.data) {
                        merge(sum, value);
                    }
                } else {
                    whole.data.extend(table.data);
                }
                last = Some(bank);
            }
        }
        whole
    }

    /// The range of responses of each filter in each class.
    pub(super) fn ranges(&self) -> Table<Range> {
        let count = self.tiles.count();
        let labels = || self.labels.iter().flatten();
        // A class or a region may lie outside of the sample.
        let alike = labels().all(Labels::are_equal);
        let sampled = alike && self.kept.is_none() && count >= SAMPLED_FROM;
        let tiles = (0..count).filter(|tile| !sampled || self.tiles.is_in_sample(*tile));
        let tiles: Vec<usize> = tiles.collect();
        let include = |(tiles, bank): (&[usize], usize), ranges: &mut Table<Range>| {
            let mut buffers = RowBuffers::default();
            let mut visit = |[layer, filter]: [usize; 2], rows: Rows<'_, '_>| {
                if rows.are_labelled() {
                    let mut found = ClassRanges::new(self.classes, &mut buffers);
                    rows.labelled()
                        .for_each(|(values, labels)| found.include(values, labels));
                    for (label, found) in found.ranges().iter().enumerate() {
                        let range = &mut ranges.at_mut(0, layer, label, filter)[0];
                        *range = range.union(*found);
                    }
                } else {
                    let range = &mut ranges.at_mut(0, layer, 0, filter)[0];
                    *range = range.union(Range::of(rows.values()));
                }
            };
            tiles
                .iter()
                .for_each(|tile| self.visit((*tile, bank), &mut visit));
        };
        let unite = |own: &mut Range, other: Range| *own = own.union(other);
        self.table((1, Range::EMPTY), &tiles, include, unite)
    }

    /// The histogram of responses of each filter in each class.
    pub(super) fn histograms(&self, bins: &Table<Bins>) -> Table<u32> {
        let tiles: Vec<usize> = (0..self.tiles.count()).collect();
        let count = |(tiles, bank): (&[usize], usize), counts: &mut Table<u32>| {
            let mut lanes: Vec<Option<Lanes>> = vec![None; counts.layers * BANK];
            let mut buffers = RowBuffers::default();
            let mut visit = |[layer, filter]: [usize; 2], rows: Rows<'_, '_>| {
                if rows.are_labelled() {
                    // Consecutive values seldom fall into the same bin of the same class.
                    let bins = |class: usize| bins.at(bank, layer, class, filter)[0];
                    let bins = ClassBins::new((0..self.classes).map(bins).map(Some));
                    let first = counts.start(0, layer, 0, filter);
                    let step = counts.class_step();
                    let counts = &mut counts.data[first..];
                    for (values, labels) in rows.labelled() {
                        let found = bins.bins(values, labels, &mut buffers);
                        for (bin, label) in found.iter().zip(labels) {
                            if *label != OUTSIDE {
                                counts[usize::from(*label) * step + *bin as usize] += 1;
                            }
                        }
                    }
                } else {
                    let bins = bins.at(bank, layer, 0, filter)[0];
                    let lanes = lanes[layer * BANK + filter].get_or_insert_with(empty_lanes);
                    Arch::new().dispatch(
                        #[inline(always)]
                        || rows.values().for_each(|row| count_values(bins, row, lanes)),
                    );
                }
            };
            tiles
                .iter()
                .for_each(|tile| self.visit((*tile, bank), &mut visit));
            for (index, lanes) in lanes.iter().enumerate() {
                let counts = counts.at_mut(0, index / BANK, 0, index % BANK);
                for lane in lanes.iter().flat_map(|lanes| lanes.iter()) {
                    counts
                        .iter_mut()
                        .zip(lane)
                        .for_each(|(sum, count)| *sum += count);
                }
            }
        };
        let add = |own: &mut u32, other: u32| *own += other;
        self.table((BINS, 0), &tiles, count, add)
    }

    /// Moments of the responses of each filter, over all classes: entries of class 0.
    pub(super) fn moments(&self) -> Table<Sums> {
        let tiles: Vec<usize> = (0..self.tiles.count()).collect();
        let add = |(tiles, bank): (&[usize], usize), table: &mut Table<Sums>| {
            let mut chosen = Vec::new();
            let mut visit = |[layer, filter]: [usize; 2], rows: Rows<'_, '_>| {
                let sums = &mut table.at_mut(0, layer, 0, filter)[0];
                if rows.are_labelled() {
                    for (values, labels) in rows.labelled() {
                        chosen.clear();
                        let labelled = values.iter().zip(labels);
                        let inside = labelled.filter(|(_, label)| **label != OUTSIDE);
                        chosen.extend(inside.map(|(value, _)| *value));
                        sums.add(&chosen);
                    }
                } else {
                    rows.values().for_each(|values| sums.add(values));
                }
            };
            tiles
                .iter()
                .for_each(|tile| self.visit((*tile, bank), &mut visit));
        };
        let plus = |own: &mut Sums, other: Sums| own.plus(other);
        self.table((1, Sums::default()), &tiles, add, plus)
    }
}

/// The responses of one filter at the positions that belong to a tile, with their labels in one layer.
#[derive(Clone, Copy)]
struct Rows<'r, 'a> {
    responses: &'r Responses<'a>,
    own: &'r Window,
    filter: usize,
    layer: usize,
}

impl<'r> Rows<'r, '_> {
    fn are_labelled(&self) -> bool {
        self.responses.labels[self.layer].is_some()
    }

    fn values(self) -> impl Iterator<Item = &'r [f32]> {
        let rows = self.own.rows.clone();
        rows.map(move |y| {
            self.responses
                .row((self.filter, self.layer), (self.own, y))
                .0
        })
    }

    fn labelled(self) -> impl Iterator<Item = (&'r [f32], &'r [u8])> {
        let rows = self.own.rows.clone();
        rows.filter_map(move |y| {
            let (values, labels) = self.responses.row((self.filter, self.layer), (self.own, y));
            labels.map(|labels| (values, labels))
        })
    }
}

/// Tables of a histogram: the increments of consecutive values then do not depend on each other.
const LANES: usize = 4;
type Lanes = Box<[[u32; BINS]; LANES]>;

fn empty_lanes() -> Lanes {
    Box::new([[0; BINS]; LANES])
}

#[inline(always)]
fn count_values(bins: Bins, values: &[f32], counts: &mut [[u32; BINS]; LANES]) {
    let mut chunks = values.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (counts, value) in counts.iter_mut().zip(chunk) {
            counts[bins.bin(*value)] += 1;
        }
    }
    for value in chunks.remainder() {
        counts[0][bins.bin(*value)] += 1;
    }
}
