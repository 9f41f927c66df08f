//! What a kernel reads: a map padded by index, never by copying, or spread over the pixels of the
//! pooling windows above it.

use pulp::Simd;

use super::epilogue::{WORD, passed};
use crate::engine::padding::ZERO;

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
/// the window's gradient at each pixel that the ReLU passed, zero elsewhere.
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
    /// Where a pixel's channels are.
    type Place: Copy;

    fn view(&self) -> &View<'_>;

    /// Asserts that every pixel that its axes show is one of the map.
    fn check(&self);

    /// The place of a pixel; of zeros, if it has no row or column.
    ///
    /// # Safety
    ///
    /// The source was checked, and the pixel is one that its axes show.
    #[allow(unsafe_code)]
    unsafe fn place(&self, row: Option<usize>, column: Option<usize>) -> Self::Place;

    /// A vector of channels from `channel` on.
    ///
    /// # Safety
    ///
    /// The place is one of this source, and every lane is one of its channels.
    #[allow(unsafe_code)]
    unsafe fn load<S: Simd>(&self, simd: S, place: Self::Place, channel: usize) -> S::f32s;
}

/// Channels of a pixel, and a mask for their numbers: without bits where all are zero.
type Channels = (*const f32, usize);

/// What positions beyond a map show.
static ZEROS: [f32; WORD] = [0.0; WORD];
const BEYOND: Channels = (ZEROS.as_ptr(), 0);

impl View<'_> {
    /// The row or column at a position of the padded map; tiles reach beyond its end.
    #[inline(always)]
    pub(super) fn pixel(sources: &[i32], position: usize) -> Option<usize> {
        match sources.get(position) {
            Some(&source) if source != ZERO => Some(source as usize),
            _ => None,
        }
    }

    /// Asserts that the axes show pixels of a map of this size only.
    fn check_axes(&self, height: usize, width: usize) {
        let within = |axis: &[i32], length: usize| {
            axis.iter()
                .all(|&source| source == ZERO || (0..length as i32).contains(&source))
        };
        assert!(within(self.rows, height) && within(self.columns, width));
    }
}

impl Source for View<'_> {
    type Place = Channels;

    fn view(&self) -> &View<'_> {
        self
    }

    fn check(&self) {
        let row = self.width * self.channels;
        assert!(row > 0 && self.data.len().is_multiple_of(row));
        self.check_axes(self.data.len() / row, self.width);
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn place(&self, row: Option<usize>, column: Option<usize>) -> Channels {
        let (Some(row), Some(column)) = (row, column) else {
            return BEYOND;
        };
        // SAFETY: the pixel is inside, as the caller promises.
        let start = unsafe {
            self.data
                .as_ptr()
                .add((row * self.width + column) * self.channels)
        };
        (start, usize::MAX)
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, _: S, (start, mask): Channels, channel: usize) -> S::f32s {
        // SAFETY: the lanes are channels of the pixel, or the first of 16 zeros.
        unsafe { start.add(channel & mask).cast::<S::f32s>().read_unaligned() }
    }
}

impl Source for Spread<'_> {
    /// The channels of the window, and the words of the pixel.
    type Place = (Channels, *const u16);

    fn view(&self) -> &View<'_> {
        &self.view
    }

    fn check(&self) {
        let (height, width) = self.pooled;
        let channels = self.view.channels;
        assert_eq!(self.view.data.len(), height * width * channels);
        let rows = 2 * height + 1;
        self.view.check_axes(rows, self.view.width);
        if let Some(signs) = self.signs {
            let row = self.view.width * (channels / WORD);
            assert!(signs.len().is_multiple_of(row));
            self.view.check_axes(signs.len() / row, self.view.width);
        }
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn place(&self, row: Option<usize>, column: Option<usize>) -> Self::Place {
        let beyond = (BEYOND, EVERY.as_ptr());
        let (Some(row), Some(column)) = (row, column) else {
            return beyond;
        };
        let (height, width) = self.pooled;
        // The last line of an odd map is in no window.
        if row / 2 >= height || column / 2 >= width {
            return beyond;
        }
        let channels = self.view.channels;
        // SAFETY: the window and the pixel are inside, as the caller promises.
        unsafe {
            let window = (row / 2 * width + column / 2) * channels;
            let pixel = (row * self.view.width + column) * (channels / WORD);
            let words = match self.signs {
                Some(signs) => signs.as_ptr().add(pixel),
                None => EVERY.as_ptr(),
            };
            ((self.view.data.as_ptr().add(window), usize::MAX), words)
        }
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn load<S: Simd>(
        &self,
        simd: S,
        (place, words): Self::Place,
        channel: usize,
    ) -> S::f32s {
        let mask = if self.signs.is_some() { place.1 } else { 0 };
        // SAFETY: as above; the word is one of the pixel's, or the only one of `EVERY`.
        let (value, word) = unsafe {
            let value = self.view.load(simd, place, channel);
            (value, *words.add((channel / WORD) & mask))
        };
        let share = simd.mul_f32s(value, simd.splat_f32s(0.25));
        let kept = passed(simd, word >> (channel % WORD));
        simd.select_f32s(kept, share, simd.splat_f32s(0.0))
    }
}

/// The signs of a pixel whose every channel passed.
static EVERY: [u16; 1] = [u16::MAX];

#[inline(always)]
pub(super) fn vector<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}
