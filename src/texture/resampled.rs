//! Textures by resampled filters.

use super::TextureOptions;
use crate::error::{Error, Result};
use crate::exemplars::Sources;
use crate::imaging::Size;
use crate::kernels::Padding;
use crate::network::Vgg;
use crate::resampled::Resampled;
use crate::run::{KeptPixels, Level, MARGIN, Observer, Outcome, StochasticCourse, run_stochastic};
use crate::task::Statistics;

/// Steps at each size where nothing else is asked for.
const STEPS: usize = 120;

pub(super) fn synthesize(
    vgg: &Vgg,
    exemplars: &Sources,
    (size, kept): (Size, Option<KeptPixels>),
    options: &TextureOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let seed = check(vgg, options)?;
    let sides = exemplars.sizes().chain([size]).map(Size::shorter);
    let factors = options.run.scales.factors(sides.min().unwrap_or(1));
    let steps = steps(options.run.evaluations, factors.len());
    let levels: Vec<Level> = factors
        .iter()
        .zip(steps)
        .map(|(factor, steps)| Level {
            size: size.scaled(*factor),
            steps,
        })
        .collect();
    let mean = exemplars.mean();
    let start = match &options.start {
        Some(picture) => picture.read("the starting picture", vgg.channels())?,
        None => options.run.starting_noise(levels[0].size, &mean),
    };
    let wraps = vgg.padding() == Padding::Circular;
    let course = StochasticCourse {
        levels: levels.clone(),
        start,
        formats: exemplars.formats(),
        kept,
        wraps,
        deviation: exemplars.deviation(),
        term: "patches",
    };
    run_stochastic(vgg.device(), course, &options.run, observer, |level| {
        let margin = if wraps { 0 } else { MARGIN };
        let place = (levels[level].size, margin);
        let target = Resampled::new(exemplars, factors[level], place, wraps, seed);
        Box::new(move |image, step| target.distance(image, step))
    })
}

/// Refuses options that are for features of a network; the seed of the stream.
fn check(vgg: &Vgg, options: &TextureOptions) -> Result<u64> {
    let refused = |name: &str, value: String, allowed: &str| {
        let allowed = format!("{allowed} with statistics `{}`", Statistics::Resampled);
        Err(Error::option(name, value, allowed))
    };
    if let Some(layers) = &options.layers {
        let names: Vec<String> = layers.iter().map(ToString::to_string).collect();
        return refused("layers", names.join(","), "none");
    }
    if options.total_variation_weight > 0.0 {
        let weight = options.total_variation_weight.to_string();
        return refused("total variation weight", weight, "0");
    }
    match vgg.recipe() {
        Some(recipe) => Ok(recipe.seed()),
        None => refused("a network", "weights from a file".into(), "random weights"),
    }
}

/// Steps of each of some sizes.
fn steps(evaluations: Option<usize>, sizes: usize) -> Vec<usize> {
    let all = evaluations.unwrap_or(STEPS * sizes);
    // In u128, since whoever limits a run by seconds may ask for any number.
    let before = |number: usize| (all as u128 * number as u128 / sizes as u128) as usize;
    (0..sizes)
        .map(|number| before(number + 1) - before(number))
        .collect()
}
