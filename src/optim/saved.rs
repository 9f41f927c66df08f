//! States of optimisers in two parts: numbers as JSON, and vectors, which are large.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, FileUse, Result};

/// The state of an optimiser.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Saved {
    pub(crate) numbers: Value,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl Saved {
    /// A state whose numbers are those of `numbers`.
    pub(super) fn new(numbers: &impl Serialize, vectors: Vec<Vec<f32>>) -> Result<Self> {
        let numbers = serde_json::to_value(numbers)
            .map_err(|source| Error::content(FileUse::Checkpoint, source))?;
        Ok(Self { numbers, vectors })
    }

    /// The numbers, and the vectors, each of `count` values.
    pub(super) fn into_parts<T: DeserializeOwned>(
        self,
        count: usize,
    ) -> Result<(T, Vec<Vec<f32>>)> {
        if self.vectors.iter().any(|vector| vector.len() != count) {
            return Err(Self::incomplete());
        }
        let numbers = serde_json::from_value(self.numbers)
            .map_err(|source| Error::content(FileUse::Checkpoint, source))?;
        Ok((numbers, self.vectors))
    }

    /// The error for vectors that do not fit the numbers.
    pub(super) fn incomplete() -> Error {
        let reason = "the optimiser's vectors are not those of its state";
        Error::content(FileUse::Checkpoint, reason)
    }
}
