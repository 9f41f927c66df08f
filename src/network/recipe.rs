//! Recipes: a random network as JSON, out and in.

use super::RandomVgg;
use crate::error::{Error, Result};

impl RandomVgg {
    /// This network's recipe, JSON of a few hundred bytes.
    ///
    /// ```
    /// let recipe = ranvgg::RandomVgg::vgg19().with_seed(3).to_recipe();
    /// assert_eq!(ranvgg::RandomVgg::from_recipe(&recipe)?.to_recipe(), recipe);
    /// # Ok::<(), ranvgg::Error>(())
    /// ```
    #[must_use]
    pub fn to_recipe(&self) -> String {
        // Numbers, names and maps keyed by names: nothing in it that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a recipe.
    ///
    /// # Errors
    ///
    /// [`Error::Recipe`] if it is not JSON, lacks a field, has one that is not known or names a
    /// layer that does not exist. Numbers are checked by [`init`](Self::init).
    pub fn from_recipe(recipe: &str) -> Result<Self> {
        serde_json::from_str(recipe).map_err(Error::Recipe)
    }
}
