//! States of optimisers in two parts: numbers as JSON, and vectors, which are large.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, FileUse, Result};

/// The state of an optimiser. It borrows vectors that lie in host memory: a copy would take as much as the run.
pub(crate) struct Saved<'a> {
    pub(crate) numbers: Value,
    pub(crate) vectors: Vec<Vector<'a>>,
}

/// A vector of a state.
pub(crate) enum Vector<'a> {
    F32(Cow<'a, [f32]>),
    I16(Cow<'a, [i16]>),
    U16(Cow<'a, [u16]>),
    /// One on a device, of so many values of f32. It is read when it is written, so that host memory holds one at a time.
    OnDevice(usize, Box<dyn Fn() -> Result<Vec<f32>> + 'a>),
}

impl Vector<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::OnDevice(count, _) => *count,
        }
    }

    pub(super) fn into_f32(self) -> Result<Vec<f32>> {
        match self {
            Self::F32(values) => Ok(values.into_owned()),
            Self::OnDevice(_, read) => read(),
            Self::I16(_) | Self::U16(_) => Err(Saved::incomplete()),
        }
    }

    pub(super) fn into_i16(self) -> Result<Vec<i16>> {
        match self {
            Self::I16(values) => Ok(values.into_owned()),
            _ => Err(Saved::incomplete()),
        }
    }

    pub(super) fn into_u16(self) -> Result<Vec<u16>> {
        match self {
            Self::U16(values) => Ok(values.into_owned()),
            _ => Err(Saved::incomplete()),
        }
    }
}

impl<'a> Saved<'a> {
    /// A state whose numbers are those of `numbers`.
    pub(super) fn new(numbers: &impl Serialize, vectors: Vec<Vector<'a>>) -> Result<Self> {
        let numbers = serde_json::to_value(numbers)
            .map_err(|source| Error::content(FileUse::Checkpoint, source))?;
        Ok(Self { numbers, vectors })
    }

    /// The numbers, and the vectors, each of `count` values.
    pub(super) fn into_parts<T: DeserializeOwned>(
        self,
        count: usize,
    ) -> Result<(T, Vec<Vector<'a>>)> {
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
