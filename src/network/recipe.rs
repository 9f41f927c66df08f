//! Recipes: random networks as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Architecture, Layer, Preprocessing, RandomVgg, RandomWeights};
use crate::engine::{Padding, Pooling};
use crate::error::{Error, FileUse, Result};
use crate::file::{self, IfExists};

/// Most bytes of a recipe; they have a few hundred.
const LONGEST: u64 = 1 << 20;

/// The fields of a recipe, in this order. Unknown fields are an error.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe<'a> {
    architecture: Architecture,
    seed: u64,
    #[serde(default, skip_serializing_if = "is_empty")]
    layer_seeds: Cow<'a, BTreeMap<Layer, u64>>,
    sigma: f64,
    bias_sigma: f64,
    pooling: Pooling,
    padding: Padding,
    preprocessing: Cow<'a, Preprocessing>,
}

fn is_empty(seeds: &BTreeMap<Layer, u64>) -> bool {
    seeds.is_empty()
}

impl Serialize for RandomVgg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recipe = Recipe {
            architecture: self.architecture,
            seed: self.weights.seed,
            layer_seeds: Cow::Borrowed(&self.weights.layer_seeds),
            sigma: self.weights.sigma,
            bias_sigma: self.weights.bias_sigma,
            pooling: self.pooling,
            padding: self.padding,
            preprocessing: Cow::Borrowed(&self.preprocessing),
        };
        recipe.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RandomVgg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let recipe = Recipe::deserialize(deserializer)?;
        Ok(Self {
            architecture: recipe.architecture,
            pooling: recipe.pooling,
            padding: recipe.padding,
            preprocessing: recipe.preprocessing.into_owned(),
            weights: RandomWeights {
                seed: recipe.seed,
                layer_seeds: recipe.layer_seeds.into_owned(),
                sigma: recipe.sigma,
                bias_sigma: recipe.bias_sigma,
            },
        })
    }
}

impl RandomVgg {
    /// The recipe of this network: JSON of a few hundred bytes.
    ///
    /// ```
    /// let recipe = ranvgg::RandomVgg::vgg19().with_seed(3).to_recipe();
    /// assert_eq!(ranvgg::RandomVgg::from_recipe(&recipe)?.to_recipe(), recipe);
    /// # Ok::<(), ranvgg::Error>(())
    /// ```
    #[must_use]
    pub fn to_recipe(&self) -> String {
        // Numbers, strings and maps with string keys always serialise.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a recipe.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it is not JSON, lacks a field, has an unknown field or names a layer that
    /// does not exist. [`check`](Self::check) and [`init`](Self::init) check the numbers.
    pub fn from_recipe(recipe: &str) -> Result<Self> {
        serde_json::from_str(recipe).map_err(|source| Error::content(FileUse::Recipe, source))
    }

    /// Writes [`to_recipe`](Self::to_recipe) to `path` atomically.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] if the folder does not exist, or if the file exists and `if_exists` is
    /// [`IfExists::Refuse`]; [`Error::File`] if it cannot be written.
    pub fn save_recipe(&self, path: impl AsRef<Path>, if_exists: IfExists) -> Result<()> {
        file::write(path.as_ref(), self.to_recipe().as_bytes(), if_exists)
    }

    /// Reads the recipe at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be read, and those of [`from_recipe`](Self::from_recipe).
    pub fn load_recipe(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = file::read(path, LONGEST, FileUse::Recipe)?;
        serde_json::from_slice(&bytes).map_err(|source| Error::file(FileUse::Recipe, path, source))
    }
}
