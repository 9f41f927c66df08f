//! Recipes: a random network as JSON, out and in.

use std::path::Path;

use super::RandomVgg;
use crate::error::{Error, Result};
use crate::file::{self, IfExists};

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

    /// Writes [`to_recipe`](Self::to_recipe) to `path`, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::NoFolder`], [`Error::OutputExists`] with [`IfExists::Refuse`], and [`Error::Write`].
    pub fn save_recipe(&self, path: impl AsRef<Path>, if_exists: IfExists) -> Result<()> {
        file::write(path.as_ref(), self.to_recipe().as_bytes(), if_exists)
    }

    /// Reads the recipe at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Recipe`].
    pub fn load_recipe(path: impl AsRef<Path>) -> Result<Self> {
        let bytes = file::read(path.as_ref())?;
        serde_json::from_slice(&bytes).map_err(Error::Recipe)
    }
}
