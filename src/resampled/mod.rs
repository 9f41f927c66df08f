//! Distributions of patches along random filters that are drawn anew at every step.
//!
//! With fixed filters an image can match all distributions of responses and still look unlike its
//! exemplar: along other directions its patches are free. Fresh filters at each step leave no direction
//! out for long.

mod content;
mod distance;
mod draw;
mod guide;
mod lattice;
mod nearest;
mod painting;
mod positions;

pub(crate) use self::content::Content;
pub(crate) use self::guide::Guide;
pub(crate) use self::lattice::Lattice;
use self::nearest::Nearest;
pub(crate) use self::painting::Painting;
use self::positions::Mask;
use crate::exemplars::Sources;
use crate::imaging::{Raster, Size};
use crate::kernels::Planes;

/// Rows and columns of a filter.
pub(crate) const SIDE: usize = 7;

/// Banks of filters at each step.
const BANKS: usize = 8;

/// The target at one size: exemplars, and where in the result each counts.
pub(crate) struct Resampled {
    groups: Vec<Group>,
    /// Splits positions of the result into classes.
    guide: Option<Guide>,
    nearest: Option<Nearest>,
    wraps: bool,
    seed: u64,
}

/// The exemplars of one region, which is everywhere where there is only one.
struct Group {
    parts: Vec<Part>,
    region: Option<Mask>,
}

struct Part {
    image: Planes,
    /// What counts of it.
    mask: Option<Mask>,
    guide: Option<Guide>,
    share: f32,
}

impl Resampled {
    /// Exemplars brought to `scale` of their size, for a result of `size` that has a margin on every
    /// side. `wraps`: the result is to repeat without a seam.
    pub(crate) fn new(
        sources: &Sources,
        scale: f64,
        (size, margin): (Size, usize),
        wraps: bool,
        seed: u64,
    ) -> Self {
        let groups = sources.resized(|given| given.scaled(scale));
        let groups = groups.into_iter().map(|group| Group {
            parts: group
                .members
                .into_iter()
                .map(|part| Part {
                    image: planes(&part.picture),
                    mask: part.mask.as_ref().map(Mask::of),
                    guide: None,
                    share: part.share as f32,
                })
                .collect(),
            region: group
                .region
                .map(|mask| Mask::of(&mask.resized(size).with_margin(margin))),
        });
        Self {
            groups: groups.collect(),
            guide: None,
            nearest: None,
            wraps,
            seed,
        }
    }

    /// With positions split into classes by a guide of the canvas and those of the exemplars: see
    /// [`Split`].
    pub(crate) fn guided(mut self, guide: Guide) -> Self {
        for part in self.groups.iter_mut().flat_map(|group| &mut group.parts) {
            part.guide = Some(Guide::of(&part.image));
        }
        self.guide = Some(guide);
        self
    }

    /// With positions split by their phases along the periods of the one exemplar that there is.
    /// `factor`: the size of its pixels in those of the lattice; `offsets`: the canvas's phases at its
    /// corner.
    pub(crate) fn repeating(
        mut self,
        lattice: &Lattice,
        place: (Size, usize),
        factor: f64,
        offsets: [f64; 2],
    ) -> Self {
        for part in self.groups.iter_mut().flat_map(|group| &mut group.parts) {
            let size = Size::new(part.image.width, part.image.height);
            let phases = lattice.phases((size, 0), factor, [0.0; 2], false);
            part.guide = Some(Guide::of_phases(phases));
        }
        let phases = lattice.phases(place, factor, offsets, self.wraps);
        self.guide = Some(Guide::of_phases(phases));
        self
    }

    /// With a pull of that weight to the nearest patches of the one exemplar that there is, in a part of
    /// so many steps.
    pub(crate) fn with_nearest(mut self, weight: f64, steps: usize) -> Self {
        self.nearest = Some(Nearest::new(weight, steps, self.seed));
        self
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.groups.iter().flat_map(|group| &group.parts)
    }
}

/// The planes of a picture.
pub(crate) fn planes(raster: &Raster) -> Planes {
    let Size { width, height } = raster.size();
    Planes::from_pixels(raster.channels(), height, width, raster.values())
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
