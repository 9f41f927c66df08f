//! Resampled filters: the seed that they take of a network, and the options that they refuse.

use super::Statistics;
use crate::error::{Error, Result};
use crate::network::{Layer, Vgg};

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
