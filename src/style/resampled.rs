//! Paintings by resampled filters.

use std::collections::HashMap;

use super::tint::tinted;
use super::{ContentPicture, StyleOptions, StyleStart};
use crate::engine::Padding;
use crate::error::Result;
use crate::exemplars::Sources;
use crate::imaging::{Raster, Size, luminance};
use crate::network::Vgg;
#[cfg(feature = "cube")]
use crate::optim::{Adam, Stepper};
#[cfg(feature = "cube")]
use crate::resampled::Optimised;
use crate::resampled::{Canvas, Content, Guide, Painting, Resampled};
use crate::run::host_memory::{HostMemory, HostNeed, Kind};
use crate::run::{
    Estimate, KeptPixels, Observer, Outcome, Schedule, StochasticPlan, run_stochastic,
};
use crate::terms::{refuse_layers, refuse_total_variation, seed_of};

const SCHEDULE: Schedule = Schedule {
    smallest: 48.0,
    steps: (120.0, 50.0),
};

/// Weight of the content where nothing else is asked for.
const CONTENT_WEIGHT: f64 = 0.15;

/// Amplitude of the noise that a painting starts from, in standard deviations of the style's colours:
/// without it flat places have nothing that could become strokes.
const NOISE: f64 = 0.6;

/// The same for the luminance by which it is coloured, in its own.
const DITHER: f64 = 0.3;

pub(super) fn paint(
    vgg: &Vgg,
    content: ContentPicture,
    style: &Sources,
    options: &StyleOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let layer = options.content_layer.map(|layer| [layer]);
    refuse_layers("content layer", layer.as_ref().map(|layer| &layer[..]))?;
    refuse_layers("style layers", options.style_layers.as_deref())?;
    refuse_total_variation(options.total_variation_weight)?;
    let seed = seed_of(vgg)?;
    let ContentPicture {
        begun,
        identity,
        picture,
        mask,
        formats,
    } = content;
    let size = picture.size();
    let styles: Vec<Size> = style.sizes().collect();
    let memory = memory(vgg, size, &styles, options)?;
    let levels = SCHEDULE.levels(size, &styles, &options.run);
    let first = levels[0];
    let run = &options.run;
    let start = match (&options.start_picture, options.start) {
        (Some(picture), _) => picture.read("the starting picture", vgg.channels())?,
        (None, StyleStart::Noise) => run.starting_noise(first.size, &style.mean()),
        (None, StyleStart::Content) => {
            let dithered = tinted(&picture, style, DITHER, run.seed);
            let small = dithered.resized(first.size);
            run.noisy(&small, NOISE * style.deviation())
        }
    };
    let wraps = vgg.padding() == Padding::Circular;
    // Beyond all regions of styles the picture stays as it is.
    let kept = style
        .regions(size)
        .map(|mask| KeptPixels::new(picture.clone(), mask));
    let plan = StochasticPlan {
        begun,
        identity,
        levels,
        start,
        formats,
        kept,
        wraps,
        deviation: style.deviation(),
        terms: vec!["style", "content"],
        memory,
    };
    // Contours in the contrast that the style's colours give them. Of the content only its luminance is compared.
    let content = tinted(&picture, style, 0.0, run.seed);
    drop(picture);
    #[cfg(feature = "cube")]
    crate::resampled::check_device(vgg.device(), true)?;
    let margin = plan.margin();
    let luminances = plan.levels.iter().map(|level| {
        let content = content.resized(level.size).with_margin(margin);
        (level.size, luminance(&content))
    });
    let luminances: HashMap<Size, Raster> = luminances.collect();
    drop(content);
    let weight = options.content_weight.unwrap_or(CONTENT_WEIGHT) / options.style_weight;
    run_stochastic(vgg.device(), plan, run, observer, |level, canvas| {
        // Sizes that a forecast tries are none of the run's.
        let content = match luminances.get(&level.size) {
            Some(luminance) => luminance.clone(),
            None => luminances[&size].resized(level.size.with_margin(margin)),
        };
        // At the first size the canvas has no strokes yet.
        let guide = match level == first {
            true => Guide::of(&content),
            false => Guide::with_contours(&content, canvas),
        };
        let target = Resampled::new(style, level.factor, (level.size, margin), wraps, seed)
            .with_kept_bytes(memory.kept_bytes);
        let mask = mask
            .as_ref()
            .map(|mask| mask.resized_mask(level.size).with_margin(margin));
        let painting = Painting {
            content: Content::of(content, mask.as_ref()),
            style: target.guided(guide),
            weight,
            #[cfg(feature = "cube")]
            device: vgg.device().clone(),
        };
        Box::new(painting)
    })
}

/// What a painting does for its memory; an error if that is not enough. `styles` are the sizes of the style at its scale.
pub(super) fn memory(
    vgg: &Vgg,
    size: Size,
    styles: &[Size],
    options: &StyleOptions,
) -> Result<HostMemory> {
    let need = HostNeed {
        kind: Kind::Painting,
        channels: vgg.channels(),
        levels: &SCHEDULE.levels(size, styles, &options.run),
        exemplars: styles.iter().map(|size| size.pixels()).sum(),
        windows: false,
        saved: options.run.checkpoint.is_some(),
    };
    need.plan(options.run.memory)
}

impl Estimate for Painting {
    fn estimate(&self, image: Canvas<'_>, step: u32, gradient: &mut [f32]) -> Vec<f64> {
        self.distance(image, step, gradient).to_vec()
    }

    #[cfg(feature = "cube")]
    fn on_device<'e>(
        &'e self,
        adam: &Adam,
        picture: Optimised<'_>,
    ) -> Result<Option<Box<dyn Stepper + 'e>>> {
        self.steps_on_device((adam, picture))
    }

    fn memory(&self) -> Vec<u32> {
        self.style.memory()
    }

    fn recall(&self, memory: &[u32], canvas: Size) -> bool {
        self.style.recall(memory, canvas)
    }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use super::*;
    use crate::network::RandomVgg;
    use crate::run::reads_once_an_evaluation;
    use crate::style::transfer_style;

    /// With the default options.
    #[test]
    fn an_evaluation_on_a_gpu_reads_once() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        let vgg = RandomVgg::vgg19().init(&device).unwrap();
        let picture = |width: usize, height: usize, step: usize| {
            let picture = Raster::from_pixels(Size::new(width, height), |pixel| {
                let grain = (pixel * step + pixel / width * 104_729) % 61;
                [0.01 * grain as f32, 0.3, 0.5 - 0.005 * grain as f32]
            });
            picture.to_tensor(&device)
        };
        let options = StyleOptions::default().with_evaluations(160);
        let (content, style) = (picture(120, 100, 31), picture(110, 120, 7919));
        reads_once_an_evaluation(|observer| {
            transfer_style(&vgg, content, style, &options, observer).unwrap()
        });
    }
}
