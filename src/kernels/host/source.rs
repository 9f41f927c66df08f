//! What a kernel reads: a map padded by index, never by copying, or spread over the pixels of the
//! pooling windows above it.

use pulp::Simd;

use super::epilogue::{WORD, passed};
use crate::kernels::padding::ZERO;

/// `[height, width, channels]` values seen through padded axes.
///
/// Position `(i, j)` of the padded map shows pixel `(rows[i], columns[j])`, or zeros where either
/// is [`ZERO`].
pub(super) struct View<'a> {
    pub(super) data: &'a [f32],
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) rows: &'a [i32],
    pub(super) columns: &'a [i32],
}

/// A map of pooled gradients seen at the resolution below its 2x2 average pooling: a quarter of
/// the window's gradient at each pixel that the rectifier passed, zero elsewhere.
///
/// The gradient of the pooling step, read instead of written: at the shallow layers of a network
/// that map would be the largest thing in memory.
pub(super) struct Spread<'a> {
    /// Axes and width at the resolution below.
    pub(super) view: View<'a>,
    /// Height and width of `view.data`.
    pub(super) pooled: (usize, usize),
    pub(super) signs: Option<&'a [u16]>,
}

/// Something the Winograd kernel can read tiles of.
pub(super) trait Source: Sync {
    /// Where a position's channels are.
    type Place: Copy;

    fn view(&self) -> &View<'_>;

    /// The place of pixel `(row, column)`; `None` if it shows zeros.
    fn place(&self, row: usize, column: usize) -> Option<Self::Place>;

    /// A vector of channels from `channel` on.
    fn load<S: Simd>(&self, simd: S, place: Self::Place, channel: usize) -> S::f32s;
}

impl View<'_> {
    /// Rows and columns at a position of the padded map; tiles reach beyond its end.
    #[inline(always)]
    pub(super) fn pixel(sources: &[i32], position: usize) -> Option<usize> {
        match sources.get(position) {
            Some(&source) if source != ZERO => Some(source as usize),
            _ => None,
        }
    }
}

impl Source for View<'_> {
    type Place = usize;

    fn view(&self) -> &View<'_> {
        self
    }

    #[inline(always)]
    fn place(&self, row: usize, column: usize) -> Option<usize> {
        Some((row * self.width + column) * self.channels)
    }

    #[inline(always)]
    fn load<S: Simd>(&self, _: S, place: usize, channel: usize) -> S::f32s {
        vector::<S>(&self.data[place + channel..])
    }
}

impl Source for Spread<'_> {
    type Place = (usize, usize);

    fn view(&self) -> &View<'_> {
        &self.view
    }

    #[inline(always)]
    fn place(&self, row: usize, column: usize) -> Option<(usize, usize)> {
        let (height, width) = self.pooled;
        // The last line of an odd map is in no window.
        if row / 2 >= height || column / 2 >= width {
            return None;
        }
        let channels = self.view.channels;
        let words = channels / WORD;
        Some((
            (row / 2 * width + column / 2) * channels,
            (row * self.view.width + column) * words,
        ))
    }

    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, (place, words): (usize, usize), channel: usize) -> S::f32s {
        let value = vector::<S>(&self.view.data[place + channel..]);
        let share = simd.splat_f32s(0.25);
        match self.signs {
            None => simd.mul_f32s(value, share),
            Some(signs) => {
                let word = signs[words + channel / WORD] >> (channel % WORD);
                let kept = passed(simd, word);
                simd.select_f32s(kept, simd.mul_f32s(value, share), simd.splat_f32s(0.0))
            }
        }
    }
}

#[inline(always)]
pub(super) fn vector<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}
