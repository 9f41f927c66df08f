//! The filters of a layer, transformed for each of both filterings at its first use.

use std::sync::OnceLock;

use super::filtering::{Filtering, Four, Six};
use super::{Grid, Winograd};
use crate::engine::cpu::buffers::Buffers;
use crate::engine::cpu::epilogue::WORD;
use crate::engine::cpu::sink::Sink;
use crate::engine::cpu::source::Source;

/// The most channels in times channels out for which F(6x6, 3x3) is used. Its weights take 64 values
/// for each filter, so that deep layers would read more weights than they save products.
const MOST_FILTERS: usize = 256 * 256;

/// 3x3 filters, transformed where they are needed.
#[derive(Default)]
pub(in crate::engine::cpu) struct Filters {
    four: OnceLock<Winograd<Four>>,
    six: OnceLock<Winograd<Six>>,
}

impl Filters {
    /// Whether the kernels support these channels: they fill whole mask words.
    pub(in crate::engine::cpu) fn supports(channels_in: usize, channels_out: usize) -> bool {
        channels_in.is_multiple_of(WORD) && channels_out.is_multiple_of(WORD)
    }

    /// Correlates `source` with the filters and stores the result in `sink`. `filter(input, output)`
    /// returns the filter of these channels, row by row, and is asked at the first use.
    pub(in crate::engine::cpu) fn correlate(
        &self,
        filter: impl Fn(usize, usize) -> [f32; 9] + Sync,
        source: &impl Source,
        sink: &impl Sink,
        buffers: &Buffers,
    ) {
        let channels_in = source.view().channels;
        let (height, width, channels_out) = sink.size();
        if six_is_less(channels_in * channels_out, height, width) {
            self.six
                .get_or_init(|| Winograd::new(channels_in, channels_out, filter))
                .correlate(source, sink, buffers);
        } else {
            self.four
                .get_or_init(|| Winograd::new(channels_in, channels_out, filter))
                .correlate(source, sink, buffers);
        }
    }
}

/// Whether the tiles of F(6x6, 3x3) have fewer values than those of F(4x4, 3x3), those beyond the edges
/// included. Products and traffic are proportional to these values.
fn six_is_less(filters: usize, height: usize, width: usize) -> bool {
    let values = |tiles: usize, elements: usize| tiles * elements;
    let four = values(Grid::new::<Four>(height, width).tiles, Four::ELEMENTS);
    let six = values(Grid::new::<Six>(height, width).tiles, Six::ELEMENTS);
    filters <= MOST_FILTERS && six < four
}
