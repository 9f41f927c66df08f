//! How a run by resampled filters keeps within the memory that it may take, which is the host's.

use super::Saving;
use super::memory::too_little;
use super::stochastic::Level;
use super::windows::RING;
use crate::error::Result;
use crate::imaging::Size;
use crate::resampled::{HALVED_FROM, KEPT_BYTES, RESPONSE_BYTES};

/// What the program takes before it begins.
const BASE: f64 = 30e6;

/// What a byte of kept responses takes, with those around tiles.
const OF_RESPONSES: f64 = 1.64;

/// What stays of a byte of kept responses at the sizes after: the system's allocator does not give it back.
const LEFT_OF_RESPONSES: f64 = 1.15;

/// Vectors of a picture that is made in windows, at its peak: when it is enlarged.
const WINDOWED: f64 = 1.6;

/// Vectors of an exemplar: at the last size it shares the memory of the one that was given.
const SHARED: f64 = 1.05;

/// The smallest and the largest side of a window with its ring.
const SMALLEST_WINDOW: f64 = 512.0;
const LARGEST_WINDOW: f64 = 4096.0;

/// What a run by resampled filters is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Texture,
    /// A texture with the features of all patches.
    NearestPatches,
    /// A painting, with its content and its guides.
    Painting,
}

/// What its memory depends on.
#[derive(Clone, Copy)]
pub(crate) struct HostNeed<'a> {
    pub(crate) kind: Kind,
    pub(crate) channels: usize,
    pub(crate) levels: &'a [Level],
    /// Pixels of all exemplars together at the last level.
    pub(crate) exemplars: usize,
    /// Whether sizes may be made in windows: each place of the result is like any other, and the run is not saved.
    pub(crate) windows: bool,
    /// Whether checkpoints are saved: the picture at the start of each size is kept for them, and the one so far copied.
    pub(crate) saved: bool,
}

/// What a run does for its memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HostMemory {
    /// Bytes that responses of filters may be kept in.
    pub(crate) kept_bytes: usize,
    /// Whether Adam keeps its means in 16 bits.
    pub(crate) compact: bool,
    /// The side of the windows in which large sizes are made.
    pub(crate) window_side: Option<usize>,
    /// The bytes that it should take.
    pub(crate) estimate: u64,
}

impl HostMemory {
    /// Of a run without a bound, whose need is not known.
    #[cfg(test)]
    pub(super) const UNBOUNDED: Self = Self {
        kept_bytes: KEPT_BYTES,
        compact: false,
        window_side: None,
        estimate: 0,
    };

    pub(crate) fn saving(&self) -> Saving {
        Saving {
            compact_means: self.compact,
            responses_again: self.kept_bytes < KEPT_BYTES,
            window_side: self.window_side,
            ..Saving::default()
        }
    }
}

impl HostNeed<'_> {
    /// What to do within a bound.
    pub(crate) fn plan(&self, bound: Option<u64>) -> Result<HostMemory> {
        let plan = |kept_bytes: usize, compact: bool| HostMemory {
            kept_bytes,
            compact,
            window_side: None,
            estimate: self.bytes(kept_bytes as f64, compact) as u64,
        };
        let whole = plan(KEPT_BYTES, false);
        let Some(bound) = bound else {
            return Ok(whole);
        };
        if whole.estimate <= bound {
            return Ok(whole);
        }
        let compact = self.bytes(0.0, false) > bound as f64;
        let least = self.bytes(0.0, compact);
        if least > bound as f64 {
            return self.in_windows(bound, least);
        }
        let left = (bound as f64 - least) / OF_RESPONSES;
        Ok(plan((left as usize).min(KEPT_BYTES), compact))
    }

    /// Windows as large as a bound allows that is below `least`, what the whole picture needs.
    fn in_windows(&self, bound: u64, least: f64) -> Result<HostMemory> {
        let size = self
            .levels
            .last()
            .map_or(Size::square(0), |level| level.size);
        let pixels = size.pixels() as f64;
        let exemplars = self.exemplars as f64 * self.bytes_of_exemplars(pixels);
        // The picture, and at the end its copy for the file.
        let picture = self.base() + exemplars + WINDOWED * pixels * self.vector();
        let window = |side: f64| side * side * self.bytes_of_a_pixel(side * side, true);
        let smallest = picture + window(SMALLEST_WINDOW);
        if !self.windows {
            return Err(too_little(bound, least, size));
        }
        if smallest > bound as f64 {
            return Err(too_little(bound, smallest, size));
        }
        let side = ((bound as f64 - picture) / window(1.0)).sqrt();
        let side = side.min(LARGEST_WINDOW);
        Ok(HostMemory {
            kept_bytes: 0,
            compact: true,
            window_side: Some(side as usize - 2 * RING),
            estimate: (picture + window(side)) as u64,
        })
    }

    /// The most bytes that any level takes.
    fn bytes(&self, kept: f64, compact: bool) -> f64 {
        let mut left = 0.0_f64;
        let levels = self.levels.iter().map(|level| {
            let pixels = level.size.pixels() as f64;
            let exemplars = self.exemplars as f64 * level.factor * level.factor;
            let kept = [exemplars + pixels, exemplars]
                .map(|positions| positions * RESPONSE_BYTES as f64)
                .into_iter()
                .find(|bytes| *bytes <= kept)
                .unwrap_or(0.0);
            let responses = left.max(OF_RESPONSES * kept);
            left = left.max(LEFT_OF_RESPONSES * kept);
            pixels * self.bytes_of_a_pixel(pixels, compact) + responses
        });
        let last = self
            .levels
            .last()
            .map_or(0.0, |level| level.size.pixels() as f64);
        let exemplars = self.exemplars as f64 * self.bytes_of_exemplars(last);
        self.base() + levels.fold(0.0, f64::max) + exemplars
    }

    /// Histograms and tables of six classes take more than those of one.
    fn base(&self) -> f64 {
        match self.kind {
            Kind::Painting => 1.6 * BASE,
            _ => BASE,
        }
    }

    fn vector(&self) -> f64 {
        (self.channels * size_of::<f32>()) as f64
    }

    /// Image, gradient, two means, and a part of a vector for what is made beside them.
    fn bytes_of_a_pixel(&self, pixels: f64, compact: bool) -> f64 {
        let means = if compact { 1.0 } else { 2.0 };
        let more = match self.kind {
            Kind::Texture => 0.75 * self.vector(),
            Kind::NearestPatches => 10.5 * self.vector(),
            // The luminance of the content at all sizes, and a guide.
            Kind::Painting => 8.2 + guide(pixels),
        };
        let saved = if self.saved { 2.0 } else { 0.0 };
        (2.0 + means + saved) * self.vector() + more
    }

    fn bytes_of_exemplars(&self, pixels: f64) -> f64 {
        match self.kind {
            Kind::Painting => SHARED * self.vector() + guide(pixels),
            _ => SHARED * self.vector(),
        }
    }
}

/// Bytes of a guide for each pixel of a picture.
fn guide(pixels: f64) -> f64 {
    if pixels > HALVED_FROM as f64 {
        3.0
    } else {
        12.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(kind: Kind, levels: &[Level]) -> HostNeed<'_> {
        HostNeed {
            kind,
            channels: 3,
            levels,
            exemplars: 1 << 20,
            windows: false,
            saved: false,
        }
    }

    #[test]
    fn memory_is_shared_out_by_hand() {
        let level = |side: usize| Level {
            size: Size::square(side),
            factor: side as f64 / 4096.0,
            steps: 10,
        };
        let levels = [level(1024), level(4096)];
        let texture = need(Kind::Texture, &levels);
        // 4096^2 = 2^24 pixels: 2^24 (4 + 0.75) 12 bytes, 2^20 exemplars of 12.6 bytes. Their responses, 256 bytes for
        // each, are just kept, those of the picture are not.
        let state = |vectors: f64| (1u64 << 24) as f64 * vectors * 12.0;
        let exemplars = (1 << 20) as f64 * SHARED * 12.0;
        let whole = texture.plan(None).unwrap();
        assert_eq!(whole.kept_bytes, KEPT_BYTES);
        assert!(!whole.compact);
        let responses = OF_RESPONSES * (1 << 28) as f64;
        let expected = 30e6 + state(4.75) + responses + exemplars;
        assert_eq!(whole.estimate, expected as u64);
        // Half a gigabyte is enough with means in 16 bits: 3.75 vectors.
        let some = texture.plan(Some(900_000_000)).unwrap();
        assert!(some.compact);
        let left = 900e6 - (30e6 + state(3.75) + exemplars);
        assert_eq!(some.kept_bytes, (left / OF_RESPONSES) as usize);
        let error = texture.plan(Some(700_000_000)).unwrap_err().to_string();
        assert!(
            error.starts_with("memory is 700000000; allowed: at least"),
            "{error}"
        );
        // In windows: 1.6 vectors, and 45 bytes for each pixel of a window.
        let windows = HostNeed {
            windows: true,
            ..texture
        };
        let some = windows.plan(Some(700_000_000)).unwrap();
        let side = ((700e6 - 30e6 - exemplars - state(WINDOWED)) / 45.0).sqrt() as usize;
        assert_eq!(some.window_side, Some(side - 48));
        assert!(windows.plan(Some(370_000_000)).is_err());
        // A small size before keeps the responses of 768^2 and of (65536 / 28.4) positions; 1.15 of each byte stays.
        let before = [level(768), level(4096)];
        let small_exemplar = HostNeed {
            exemplars: 65536,
            ..need(Kind::Texture, &before)
        };
        let stays =
            LEFT_OF_RESPONSES * 256.0 * (589_824.0 + 65536.0 * (768.0 / 4096.0_f64).powi(2));
        let expected = 30e6 + state(4.75) + stays + 65536.0 * SHARED * 12.0;
        assert_eq!(small_exemplar.plan(None).unwrap().estimate, expected as u64);
        // One that is smaller keeps the responses of both.
        let small = [level(256)];
        let texture = need(Kind::Texture, &small);
        let responses = OF_RESPONSES * 256.0 * (65536.0 + 4096.0);
        let expected = 30e6 + 65536.0 * 57.0 + responses + exemplars;
        assert_eq!(texture.plan(None).unwrap().estimate, expected as u64);
    }
}
