//! Textures and styles as distributions of patches: sliced Wasserstein distances along random filters
//! that are drawn anew at every step.
//!
//! An image can match the distributions of all responses to a fixed set of filters and still look unlike
//! its exemplar, because its patches are free along all other directions. With new filters at every step
//! no direction is left out for long.

mod arithmetic;
mod buffers;
mod canvas;
mod classes;
mod comparison;
mod content;
mod distance;
mod draw;
mod filters;
mod guide;
mod labels;
mod lattice;
mod nearest;
#[cfg(feature = "cube")]
mod on_device;
mod painting;
mod patch_features;
mod periods;
mod planes;
mod pull;
mod row_gradient;
mod source;
mod structure;
mod table;
mod tiles;
mod transport;

use self::buffers::Buffers;
pub(crate) use self::canvas::Canvas;
pub(crate) use self::content::Content;
pub(crate) use self::distance::RESPONSE_BYTES;
pub(crate) use self::guide::{Guide, HALVED_FROM};
use self::labels::Mask;
pub(crate) use self::lattice::Lattice;
use self::nearest::Nearest;
#[cfg(all(test, feature = "wgpu"))]
pub(crate) use self::on_device::FEWEST_PIXELS;
#[cfg(feature = "cube")]
pub(crate) use self::on_device::check_device;
pub(crate) use self::painting::Painting;
#[cfg(test)]
use self::planes::Planes;
use crate::exemplars::Sources;
use crate::imaging::{Raster, Size};

/// Side of a filter in pixels.
pub(crate) const SIDE: usize = 7;

/// Bytes for responses that are kept, unless another number is given.
pub(crate) const KEPT_BYTES: usize = 256 << 20;

/// Filter banks of each step.
const BANKS: usize = 8;

/// The picture whose values an optimiser changes.
#[derive(Clone, Copy)]
pub(crate) struct Optimised<'a> {
    /// The size as errors name it, and that of all values.
    pub(crate) size: Size,
    pub(crate) whole: Size,
    pub(crate) channels: usize,
    pub(crate) wraps: bool,
    /// 0 at pixels that stay, and 1 elsewhere.
    pub(crate) free: Option<&'a Raster>,
}

/// The target at one size of the result: exemplars, and the region of the result that each is for.
pub(crate) struct Resampled {
    regions: Vec<Region>,
    /// The guide of the result, which splits its positions into classes.
    guide: Option<Guide>,
    nearest: Option<Nearest>,
    wraps: bool,
    seed: u64,
    /// The most bytes of responses that are kept from one pass over the picture to the next. The responses
    /// of a larger picture are computed again in each pass.
    kept_bytes: usize,
    buffers: Buffers,
}

/// A region of the result and its exemplars.
struct Region {
    exemplars: Vec<Exemplar>,
    /// Where the region is. None: everywhere.
    mask: Option<Mask>,
}

struct Exemplar {
    image: Raster,
    /// The pixels whose patches count. None: all.
    mask: Option<Mask>,
    guide: Option<Guide>,
    /// The exemplar's part of its region's mixture; the parts add up to 1.
    share: f32,
}

impl Resampled {
    /// Resizes exemplars by the factor `scale`, for a result of `size` pixels and a `margin` on every
    /// side. With `wraps` the result is to tile without a seam.
    pub(crate) fn new(
        sources: &Sources,
        scale: f64,
        (size, margin): (Size, usize),
        wraps: bool,
        seed: u64,
    ) -> Self {
        let mixtures = sources.resized(|original| original.scaled(scale));
        let regions = mixtures.into_iter().map(|mixture| Region {
            exemplars: mixture
                .members
                .into_iter()
                .map(|part| Exemplar {
                    image: part.picture,
                    mask: part.mask.as_ref().map(Mask::new),
                    guide: None,
                    share: part.share as f32,
                })
                .collect(),
            mask: mixture
                .region
                .map(|mask| Mask::new(&mask.resized_mask(size).with_margin(margin))),
        });
        Self {
            regions: regions.collect(),
            guide: None,
            nearest: None,
            wraps,
            seed,
            kept_bytes: KEPT_BYTES,
            buffers: Buffers::default(),
        }
    }

    /// Compares distributions class by class. `guide` splits the positions of the canvas, and each
    /// exemplar gets a guide of its own. See [`Split`](labels::Split).
    pub(crate) fn guided(mut self, guide: Guide) -> Self {
        for exemplar in self.exemplars_mut() {
            exemplar.guide = Some(Guide::of(&exemplar.image));
        }
        self.guide = Some(guide);
        self
    }

    /// Compares distributions class by class, with classes of similar phase in the lattice of the only
    /// exemplar. See [`Lattice::phases`] for the arguments, which are those of the canvas.
    pub(crate) fn repeating(
        mut self,
        lattice: &Lattice,
        size_and_margin: (Size, usize),
        factor: f64,
        offsets: [f64; 2],
    ) -> Self {
        for exemplar in self.exemplars_mut() {
            let size = exemplar.image.size();
            let phases = lattice.phases((size, 0), factor, [0.0; 2], false);
            exemplar.guide = Some(Guide::from_phases(phases));
        }
        let phases = lattice.phases(size_and_margin, factor, offsets, self.wraps);
        self.guide = Some(Guide::from_phases(phases));
        self
    }

    /// Adds a term of that weight which pulls each patch to the nearest patch of the only exemplar. The
    /// term acts in the first of the `steps` of this size.
    pub(crate) fn with_nearest(mut self, weight: f64, steps: usize) -> Self {
        self.nearest = Some(Nearest::new(weight, steps, self.seed));
        self
    }

    /// Keeps at most that many bytes of responses from one pass over the picture to the next.
    pub(crate) fn with_kept_bytes(mut self, bytes: usize) -> Self {
        self.kept_bytes = bytes;
        self
    }

    /// What is kept from one step to the next; nothing where no nearest patches pull.
    pub(crate) fn memory(&self) -> Vec<u32> {
        self.nearest.as_ref().map_or_else(Vec::new, Nearest::memory)
    }

    /// Goes on from what [`memory`](Self::memory) gave for a canvas of that size; false if it does not fit.
    pub(crate) fn recall(&self, memory: &[u32], canvas: Size) -> bool {
        match self.nearest.as_ref().zip(self.exemplars().next()) {
            Some((nearest, exemplar)) => {
                let canvas = tiles::positions(canvas, SIDE - 1, self.wraps);
                let exemplar = tiles::positions(exemplar.image.size(), SIDE - 1, false);
                nearest.recall(memory, canvas, exemplar)
            }
            None => memory.is_empty(),
        }
    }

    fn exemplars(&self) -> impl Iterator<Item = &Exemplar> {
        self.regions.iter().flat_map(|region| &region.exemplars)
    }

    fn exemplars_mut(&mut self) -> impl Iterator<Item = &mut Exemplar> {
        let regions = self.regions.iter_mut();
        regions.flat_map(|region| &mut region.exemplars)
    }
}

/// A picture of `tests/golden/resampled.py`: `0.5 + 0.4 sin(across x + down y + c) cos(0.2 x)`.
#[cfg(test)]
pub(crate) fn coloured(height: usize, width: usize, across: f64, down: f64) -> Planes {
    let mut planes = Planes::new(3, height, width);
    for channel in 0..3 {
        for y in 0..height {
            for (x, value) in planes.row_mut(channel, y).iter_mut().enumerate() {
                let (y, x, c) = (y as f64, x as f64, channel as f64);
                let wave = (across * x + down * y + c).sin() * (0.2 * x).cos();
                *value = (0.5 + 0.4 * wave) as f32;
            }
        }
    }
    planes
}
