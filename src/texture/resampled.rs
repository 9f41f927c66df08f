//! Textures by resampled filters.

use std::time::Instant;

use super::TextureOptions;
use crate::engine::Padding;
use crate::error::{Error, Result};
use crate::exemplars::Sources;
use crate::imaging::Size;
use crate::network::Vgg;
use crate::random::{self, Purpose};
use crate::resampled::{Canvas, Lattice, Resampled};
use crate::run::host_memory::{HostNeed, Kind};
use crate::run::{
    Estimate, Identity, KeptPixels, Observer, Outcome, Schedule, StochasticPlan, run_stochastic,
};
use crate::terms::{refuse_layers, refuse_total_variation, seed_of};

const SCHEDULE: Schedule = Schedule {
    smallest: 25.0,
    steps: (120.0, 120.0),
};

/// The result that is asked for.
pub(super) struct Wanted {
    /// When the task began.
    pub(super) begun: Instant,
    pub(super) identity: Option<Identity>,
    pub(super) size: Size,
    pub(super) kept: Option<KeptPixels>,
}

pub(super) fn synthesize(
    vgg: &Vgg,
    exemplars: &Sources,
    wanted: Wanted,
    options: &TextureOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let Wanted {
        begun,
        identity,
        size,
        kept,
    } = wanted;
    refuse_layers("layers", options.layers.as_deref())?;
    refuse_total_variation(options.total_variation_weight)?;
    let seed = seed_of(vgg)?;
    let sides = exemplars.sizes().chain([size]).map(Size::shorter);
    let levels = SCHEDULE.levels(size, sides.min().unwrap_or(1), &options.run);
    let mean = exemplars.mean();
    let start = match &options.start_picture {
        Some(picture) => picture.read("the starting picture", vgg.channels())?,
        None => options.run.starting_noise(levels[0].size, &mean),
    };
    let wraps = vgg.padding() == Padding::Circular;
    let nearest_weight = options.nearest_weight;
    let steps_per_draw = options.steps_per_draw;
    if nearest_weight > 0.0 && exemplars.single().is_none() {
        let allowed = "0 with several exemplars, with masks and regions";
        return Err(Error::option("nearest weight", nearest_weight, allowed));
    }
    let lattice = match (exemplars.single(), &kept) {
        (Some(exemplar), None) if options.periods => Lattice::of(exemplar),
        _ => None,
    };
    let run = &options.run;
    let need = HostNeed {
        kind: match nearest_weight > 0.0 {
            true => Kind::NearestPatches,
            false => Kind::Texture,
        },
        channels: vgg.channels(),
        levels: &levels,
        exemplars: exemplars.sizes().map(Size::pixels).sum(),
        windows: nearest_weight == 0.0
            && kept.is_none()
            && lattice.is_none()
            && !exemplars.has_regions()
            && run.checkpoint.is_none()
            && run.resume.is_none(),
    };
    let memory = need.plan(run.memory)?;
    let offsets = random::uniform(options.run.seed, Purpose::Phase, 0, 2);
    let offsets = [f64::from(offsets[0]), f64::from(offsets[1])];
    let plan = StochasticPlan {
        begun,
        identity,
        levels,
        start,
        formats: exemplars.formats(),
        kept,
        wraps,
        deviation: exemplars.deviation(),
        terms: vec!["patches"],
        memory,
    };
    #[cfg(feature = "cube")]
    crate::resampled::check_device(vgg.device())?;
    let margin = plan.margin();
    run_stochastic(vgg.device(), plan, &options.run, observer, |level, _| {
        let size = (level.size, margin);
        let mut target = Resampled::new(exemplars, level.factor, size, wraps, seed)
            .with_kept_bytes(memory.kept_bytes);
        if let Some(lattice) = &lattice {
            target = target.repeating(lattice, size, level.factor, offsets);
        }
        if nearest_weight > 0.0 {
            target = target.with_nearest(nearest_weight, level.steps);
        }
        #[cfg(feature = "cube")]
        {
            target = target.on(vgg.device());
        }
        Box::new(Patches {
            target,
            steps_per_draw: u32::try_from(steps_per_draw).unwrap_or(u32::MAX),
        })
    })
}

/// The distance of patches along filters that are drawn anew every few steps.
struct Patches {
    target: Resampled,
    steps_per_draw: u32,
}

impl Estimate for Patches {
    fn estimate(&self, image: Canvas<'_>, step: u32, gradient: &mut [f32]) -> Result<Vec<f64>> {
        let draw = step / self.steps_per_draw;
        Ok(vec![self.target.distance(image, draw, gradient)?])
    }

    fn memory(&self) -> Vec<u32> {
        self.target.memory()
    }

    fn recall(&self, memory: &[u32]) -> bool {
        self.target.recall(memory)
    }
}
