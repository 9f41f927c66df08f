//! What textures and styles by resampled filters share: sizes and steps, and what they refuse.

use super::Statistics;
use crate::error::{Error, Result};
use crate::imaging::Size;
use crate::network::{Layer, Vgg};
use crate::run::{Level, RunOptions};

/// Where a run begins, and how many steps it takes.
pub(crate) struct Schedule {
    /// The shorter side of the first size, in pixels.
    pub(crate) smallest: f64,
    /// Steps at the first size and at the last, where nothing else is asked for; between them they
    /// change by equal factors.
    pub(crate) steps: (f64, f64),
}

impl Schedule {
    /// The sizes of a result of `size`, none of the pictures with a side below `shorter`.
    pub(crate) fn levels(&self, size: Size, shorter: usize, run: &RunOptions) -> Vec<Level> {
        let factors = run.scales.factors(shorter, self.smallest);
        let last = (factors.len() - 1).max(1) as f64;
        let (first_steps, last_steps) = self.steps;
        let steps = (0..factors.len()).map(|number| {
            let place = number as f64 / last;
            (first_steps * (last_steps / first_steps).powf(place)).round()
        });
        let steps: Vec<f64> = steps.collect();
        let sum: f64 = steps.iter().sum();
        let share = run.evaluations.map_or(1.0, |asked| asked as f64 / sum);
        let mut before = 0.0;
        let levels = factors.iter().zip(steps).map(|(factor, steps)| {
            let begun = (before * share).round() as usize;
            before += steps;
            Level {
                size: size.scaled(*factor),
                factor: *factor,
                steps: (before * share).round() as usize - begun,
            }
        });
        levels.collect()
    }
}

/// The seed of a network's stream of filters.
pub(crate) fn seed_of(vgg: &Vgg) -> Result<u64> {
    match vgg.recipe() {
        Some(recipe) => Ok(recipe.seed()),
        None => refused("a network", "weights from a file".into(), "random weights"),
    }
}

/// Refuses options that are for the features of a network.
pub(crate) fn refuse_layers(name: &str, layers: Option<&[Layer]>) -> Result<()> {
    match layers {
        None => Ok(()),
        Some(layers) => {
            let names: Vec<String> = layers.iter().map(ToString::to_string).collect();
            refused(name, names.join(","), "none")
        }
    }
}

/// Refuses a total variation.
pub(crate) fn refuse_total_variation(weight: f64) -> Result<()> {
    match weight > 0.0 {
        true => refused("total variation weight", weight.to_string(), "0"),
        false => Ok(()),
    }
}

fn refused<T>(name: &str, value: String, allowed: &str) -> Result<T> {
    let allowed = format!("{allowed} with statistics `{}`", Statistics::Resampled);
    Err(Error::option(name, value, allowed))
}
