//! Inputs of the convolution kernels: padded views of a map, and gradients of a fused pooling. Both are
//! computed by index while tiles are read, without a copy.

use pulp::Simd;

use super::epilogue::{WORD, lanes_of};
use super::map::Map;
use super::packed_gemm::prefetch;
use crate::engine::padding::ZERO;

/// A padded view of a map `[height, width, channels]`.
///
/// Position `(i, j)` of the view is pixel `(rows[i], columns[j])` of the map, or zero where either
/// index is [`ZERO`].
pub(super) struct PaddedView<'a> {
    pub(super) data: &'a [f32],
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) rows: &'a [i32],
    pub(super) columns: &'a [i32],
}

/// The gradient before ReLU and 2x2 average pooling, from the gradient after them: a quarter of the
/// window's gradient where the ReLU was active, zero elsewhere.
///
/// It is computed while it is read. As a map it would be the largest buffer of a backward pass at the
/// shallow layers.
pub(super) struct UnpooledGradient<'a> {
    /// The gradient after pooling, with the axes and the width before pooling.
    pub(super) view: PaddedView<'a>,
    /// Height and width after pooling, the size of `view.data`.
    pub(super) pooled: (usize, usize),
    pub(super) mask: Option<&'a [u16]>,
}

/// An input that the Winograd kernel can read tiles from.
pub(super) trait Source: Sync {
    /// The address of a pixel.
    type Pixel: Copy;

    fn view(&self) -> &PaddedView<'_>;

    /// Asserts that all indices of the axes lie inside the map.
    fn check(&self);

    /// The address of a pixel, or of zeros if `row` or `column` is `None`.
    ///
    /// # Safety
    ///
    /// [`check`](Self::check) has passed, and the indices are among those of the axes.
    #[allow(unsafe_code)]
    unsafe fn pixel(&self, row: Option<usize>, column: Option<usize>) -> Self::Pixel;

    /// A SIMD vector of a pixel's channels from `channel` on.
    ///
    /// # Safety
    ///
    /// The pixel is one of this source, and the channels of all lanes exist.
    #[allow(unsafe_code)]
    unsafe fn load<S: Simd>(&self, simd: S, pixel: Self::Pixel, channel: usize) -> S::f32s;

    /// Prefetches a channel of the pixel that lies `distance` pixels to the right, where there is one.
    fn prefetch(&self, pixel: Self::Pixel, distance: usize, channel: usize);
}

/// The address of a pixel's channels, and a bit mask for the channel index. The mask is 0 for a
/// pixel of zeros, whose address is that of [`ZEROS`], so that no branch is needed.
type Channels = (*const f32, usize);

/// The channels of a padded zero.
static ZEROS: [f32; WORD] = [0.0; WORD];
const ZERO_PIXEL: Channels = (ZEROS.as_ptr(), 0);

impl<'a> PaddedView<'a> {
    pub(super) fn new(map: &'a Map, rows: &'a [i32], columns: &'a [i32]) -> Self {
        Self {
            data: &map.data,
            width: map.width,
            channels: map.channels,
            rows,
            columns,
        }
    }

    /// The row or column of the map at a padded position, or `None` for a zero. Tiles extend beyond
    /// the last position, where there are zeros.
    #[inline(always)]
    pub(super) fn source(sources: &[i32], position: usize) -> Option<usize> {
        match sources.get(position) {
            Some(&source) if source != ZERO => Some(source as usize),
            _ => None,
        }
    }

    /// Asserts that all indices lie inside a map of this size.
    fn check_axes(&self, height: usize, width: usize) {
        let within = |axis: &[i32], length: usize| {
            axis.iter()
                .all(|&source| source == ZERO || (0..length as i32).contains(&source))
        };
        assert!(within(self.rows, height) && within(self.columns, width));
    }
}

impl Source for PaddedView<'_> {
    type Pixel = Channels;

    fn view(&self) -> &PaddedView<'_> {
        self
    }

    fn check(&self) {
        let row = self.width * self.channels;
        assert!(row > 0 && self.data.len().is_multiple_of(row));
        self.check_axes(self.data.len() / row, self.width);
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn pixel(&self, row: Option<usize>, column: Option<usize>) -> Channels {
        let (Some(row), Some(column)) = (row, column) else {
            return ZERO_PIXEL;
        };
        debug_assert!(column < self.width);
        debug_assert!((row * self.width + column + 1) * self.channels <= self.data.len());
        // SAFETY: the caller guarantees that the pixel lies inside the map.
        let start = unsafe {
            self.data
                .as_ptr()
                .add((row * self.width + column) * self.channels)
        };
        (start, usize::MAX)
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, _: S, (start, index_mask): Channels, channel: usize) -> S::f32s {
        debug_assert!(channel + S::F32_LANES <= self.channels);
        // SAFETY: the lanes are channels of the pixel, or the first ones of 16 zeros.
        unsafe {
            start
                .add(channel & index_mask)
                .cast::<S::f32s>()
                .read_unaligned()
        }
    }

    #[inline(always)]
    fn prefetch(&self, (start, _): Channels, distance: usize, channel: usize) {
        prefetch(start.wrapping_add(distance * self.channels + channel));
    }
}

impl Source for UnpooledGradient<'_> {
    /// The channels of the pooling window, and the mask words of the pixel.
    type Pixel = (Channels, *const u16);

    fn view(&self) -> &PaddedView<'_> {
        &self.view
    }

    fn check(&self) {
        let (height, width) = self.pooled;
        let channels = self.view.channels;
        assert_eq!(self.view.data.len(), height * width * channels);
        let rows = 2 * height + 1;
        self.view.check_axes(rows, self.view.width);
        if let Some(mask) = self.mask {
            let row = self.view.width * (channels / WORD);
            assert!(mask.len().is_multiple_of(row));
            self.view.check_axes(mask.len() / row, self.view.width);
        }
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn pixel(&self, row: Option<usize>, column: Option<usize>) -> Self::Pixel {
        let zero = (ZERO_PIXEL, ALL_ACTIVE.as_ptr());
        let (Some(row), Some(column)) = (row, column) else {
            return zero;
        };
        let (height, width) = self.pooled;
        // The last row or column of an odd side belongs to no window.
        if row / 2 >= height || column / 2 >= width {
            return zero;
        }
        let channels = self.view.channels;
        debug_assert!(column < self.view.width);
        debug_assert!(self.mask.is_none_or(|mask| {
            (row * self.view.width + column + 1) * (channels / WORD) <= mask.len()
        }));
        // SAFETY: the caller guarantees that the pixel, and thus its window, lies inside.
        unsafe {
            let window = (row / 2 * width + column / 2) * channels;
            let pixel = (row * self.view.width + column) * (channels / WORD);
            let words = match self.mask {
                Some(mask) => mask.as_ptr().add(pixel),
                None => ALL_ACTIVE.as_ptr(),
            };
            ((self.view.data.as_ptr().add(window), usize::MAX), words)
        }
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn load<S: Simd>(
        &self,
        simd: S,
        (window, words): Self::Pixel,
        channel: usize,
    ) -> S::f32s {
        let index_mask = if self.mask.is_some() { window.1 } else { 0 };
        // SAFETY: the caller guarantees the pixel. The word is one of the pixel's, or the only one of
        // `ALL_ACTIVE`.
        let (value, word) = unsafe {
            let value = self.view.load(simd, window, channel);
            (value, *words.add((channel / WORD) & index_mask))
        };
        let share = simd.mul_f32s(value, simd.splat_f32s(0.25));
        let active = lanes_of(simd, word >> (channel % WORD));
        simd.select_f32s(active, share, simd.splat_f32s(0.0))
    }

    #[inline(always)]
    fn prefetch(&self, (window, _): Self::Pixel, distance: usize, channel: usize) {
        self.view.prefetch(window, distance / 2, channel);
    }
}

/// The mask of a pixel with all channels active.
static ALL_ACTIVE: [u16; 1] = [u16::MAX];

/// The first values of a slice as a SIMD vector.
#[inline(always)]
pub(super) fn vector<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}
