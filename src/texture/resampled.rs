//! Textures by resampled filters.

use std::time::Instant;

use super::TextureOptions;
use crate::engine::Padding;
use crate::error::{Error, Result};
use crate::exemplars::Sources;
use crate::imaging::Size;
use crate::network::Vgg;
#[cfg(feature = "cube")]
use crate::optim::{Adam, Stepper};
use crate::random::{self, Purpose};
#[cfg(feature = "cube")]
use crate::resampled::Optimised;
use crate::resampled::{Canvas, Lattice, Resampled};
use crate::run::host_memory::{HostMemory, HostNeed, Kind};
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
    let given: Vec<Size> = exemplars.sizes().collect();
    let levels = SCHEDULE.levels(size, &given, &options.run);
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
    let windows = kept.is_none() && lattice.is_none() && !exemplars.has_regions();
    let memory = self::memory(vgg, size, &given, windows, options)?;
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
    crate::resampled::check_device(vgg.device(), lattice.is_some())?;
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
        Box::new(Patches {
            target,
            steps_per_draw: u32::try_from(steps_per_draw).unwrap_or(u32::MAX),
            #[cfg(feature = "cube")]
            device: vgg.device().clone(),
        })
    })
}

/// What a texture does for its memory; an error if that is not enough. `exemplars` are their sizes at their scale; `windows`
/// says whether each place of the result is like any other.
pub(super) fn memory(
    vgg: &Vgg,
    size: Size,
    exemplars: &[Size],
    windows: bool,
    options: &TextureOptions,
) -> Result<HostMemory> {
    let (run, nearest) = (&options.run, options.nearest_weight > 0.0);
    let need = HostNeed {
        kind: match nearest {
            true => Kind::NearestPatches,
            false => Kind::Texture,
        },
        channels: vgg.channels(),
        levels: &SCHEDULE.levels(size, exemplars, &options.run),
        exemplars: exemplars.iter().map(|size| size.pixels()).sum(),
        windows: windows && !nearest && run.checkpoint.is_none() && run.resume.is_none(),
        saved: run.checkpoint.is_some(),
    };
    need.plan(run.memory)
}

/// The distance of patches along filters that are drawn anew every few steps.
struct Patches {
    target: Resampled,
    steps_per_draw: u32,
    /// The device that computes if it has kernels; the host does if not.
    #[cfg(feature = "cube")]
    device: burn::tensor::Device,
}

impl Estimate for Patches {
    fn estimate(&self, image: Canvas<'_>, step: u32, gradient: &mut [f32]) -> Vec<f64> {
        let draw = step / self.steps_per_draw;
        vec![self.target.distance(image, draw, gradient)]
    }

    #[cfg(feature = "cube")]
    fn on_device<'e>(
        &'e self,
        adam: &Adam,
        picture: Optimised<'_>,
    ) -> Result<Option<Box<dyn Stepper + 'e>>> {
        self.target
            .steps_on(&self.device, (adam, picture), self.steps_per_draw)
    }

    fn memory(&self) -> Vec<u32> {
        self.target.memory()
    }

    fn recall(&self, memory: &[u32], canvas: Size) -> bool {
        self.target.recall(memory, canvas)
    }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use super::*;
    use crate::imaging::Raster;
    use crate::network::RandomVgg;
    use crate::run::reads_once_an_evaluation;
    use crate::texture::synthesize_texture;

    /// With the default options.
    #[test]
    fn an_evaluation_on_a_gpu_reads_once() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        let vgg = RandomVgg::vgg19().init(&device).unwrap();
        let exemplar = Raster::from_pixels(Size::new(120, 110), |pixel| {
            let grain = (pixel * 7919 + pixel / 120 * 104_729) % 61;
            [0.01 * grain as f32, 0.3, 0.5 - 0.005 * grain as f32]
        });
        let exemplar = exemplar.to_tensor(&device);
        let options = TextureOptions::default().with_evaluations(160);
        reads_once_an_evaluation(|observer| {
            synthesize_texture(&vgg, exemplar, &options, observer).unwrap()
        });
    }
}
