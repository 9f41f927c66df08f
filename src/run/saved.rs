//! The file of a checkpoint.
//!
//! A safetensors file. Its metadata have two entries: `ranvgg-run`, the [`Header`] as JSON, and `crc32`,
//! the sum of that text and of every tensor's name, type, shape and bytes, in the order of their names. The
//! tensors are
//!
//! | name | type | shape | |
//! |---|---|---|---|
//! | `picture` | F32 | `[H, W, C]` | the best picture so far |
//! | `start` | F32 | `[H, W, C]` | the picture at the start of the scale, with its margin; for resampled filters |
//! | `vector.00000` ... | F32, I16 or U16 | `[n]` | the vectors of the optimiser |
//! | `memory` | U32 | `[m]` | what the objective keeps from step to step |
//! | `records` | F64 | `[r]` | for each evaluation: scale, number, seconds, count of terms, terms |

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::identity::Identity;
use super::state_file::{self, Entry, StateFile, refused};
use super::{Counts, Record, RunOptions};
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size};
use crate::optim::{Saved, Vector};

/// The state of a run. What is written is borrowed from the run.
pub(super) struct SavedRun<'a> {
    pub(super) identity: Identity,
    pub(super) progress: SavedProgress,
    pub(super) note: String,
    pub(super) records: Vec<Record>,
    pub(super) picture: Cow<'a, Raster>,
    /// The picture at the start of the scale, where the objective is made from it.
    pub(super) start: Option<Cow<'a, Raster>>,
    pub(super) optimiser: Saved<'a>,
    /// What the objective keeps from step to step.
    pub(super) memory: Vec<u32>,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedProgress {
    pub(super) scale: usize,
    pub(super) counts: Counts,
    pub(super) elapsed: Duration,
    /// The names of terms.
    pub(super) names: Vec<String>,
}

/// The JSON of the metadata.
#[derive(Serialize, Deserialize)]
struct Header {
    identity: Identity,
    progress: SavedProgress,
    optimiser: Value,
    note: String,
}

/// More time than any run takes: a century. What a clock cannot add is a panic.
const LONGEST_RUN: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

impl SavedRun<'_> {
    /// Replaces the file at `path`, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let header = Header {
            identity: self.identity.clone(),
            progress: self.progress.clone(),
            optimiser: self.optimiser.numbers.clone(),
            note: self.note.clone(),
        };
        let header = serde_json::to_string(&header).map_err(|source| refused(source).at(path))?;
        let records = flat(&self.records);
        let mut entries = vec![
            of_picture("picture", &self.picture),
            Entry::new("memory", &[self.memory.len()], &self.memory),
            Entry::new("records", &[records.len()], &records),
        ];
        entries.extend(self.start.iter().map(|start| of_picture("start", start)));
        let vectors = self.optimiser.vectors.iter().enumerate();
        entries.extend(
            vectors
                .map(|(number, vector)| Entry::of_vector(&format!("vector.{number:05}"), vector)),
        );
        state_file::write(path, &header, entries)
    }

    pub(super) fn read(path: &Path) -> Result<SavedRun<'static>> {
        let read = StateFile::open(path).and_then(|mut file| Self::from_file(&mut file));
        read.map_err(|error| error.at(path))
    }

    /// The state that a run is to go on from, of a run that was given the same.
    pub(super) fn to_resume(
        options: &RunOptions,
        identity: Option<&Identity>,
    ) -> Result<Option<SavedRun<'static>>> {
        let (Some(path), Some(identity)) = (&options.resume, identity) else {
            return Ok(None);
        };
        let saved = Self::read(path)?;
        identity.check(&saved.identity, path)?;
        Ok(Some(saved))
    }

    /// Refuses a state whose picture is not of this size, that of its scale; `channels` are those of
    /// the run.
    pub(super) fn check(&self, size: Option<Size>, channels: usize) -> Result<()> {
        match size == Some(self.picture.size()) && channels == self.picture.channels() {
            true => Ok(()),
            false => Err(refused("its picture has not the size of its scale")),
        }
    }

    /// The error with the file that a run goes on from, if it is about that.
    pub(super) fn named(error: Error, options: &RunOptions) -> Error {
        match &options.resume {
            Some(path) => error.at(path),
            None => error,
        }
    }

    fn from_file(file: &mut StateFile) -> Result<SavedRun<'static>> {
        let text: Value = serde_json::from_str(file.text()).map_err(refused)?;
        for counts in ["/progress", "/optimiser/counts", "/optimiser/steps"] {
            if !text.pointer(counts).is_none_or(are_countable) {
                let said = format!("{counts} has a number that no run reaches");
                return Err(refused(said));
            }
        }
        let header: Header = serde_json::from_value(text).map_err(refused)?;
        let elapsed = header.progress.elapsed;
        if elapsed > LONGEST_RUN {
            let seconds = elapsed.as_secs();
            return Err(refused(format!(
                "it has run for {seconds} s; allowed: a century"
            )));
        }
        let picture = picture(file, "picture")?;
        let names = file.names();
        let start = match names.contains("start") {
            true => Some(Cow::Owned(self::picture(file, "start")?)),
            false => None,
        };
        let vectors = names.iter().filter(|name| name.starts_with("vector."));
        let vectors: Result<Vec<_>> = vectors.map(|name| vector(file, name)).collect();
        let (_, records) = file.numbers("records")?;
        Ok(SavedRun {
            identity: header.identity,
            progress: header.progress,
            note: header.note,
            records: records_of(&records).ok_or_else(|| refused("its records are incomplete"))?,
            picture: Cow::Owned(picture),
            start,
            optimiser: Saved {
                numbers: header.optimiser,
                vectors: vectors?,
            },
            memory: file.numbers("memory")?.1,
        })
    }
}

/// A tensor of finite numbers.
fn finite(file: &mut StateFile, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let (shape, values) = file.numbers::<f32>(name)?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(refused(format!(
            "`{name}` holds {value}; allowed: finite numbers"
        ))),
        None => Ok((shape, values)),
    }
}

fn picture(file: &mut StateFile, name: &str) -> Result<Raster> {
    match finite(file, name)? {
        (shape, values) if !values.is_empty() && shape.len() == 3 => {
            Ok(Raster::new(Size::new(shape[1], shape[0]), shape[2], values))
        }
        _ => Err(refused(format!("`{name}` is no picture"))),
    }
}

fn vector(file: &mut StateFile, name: &str) -> Result<Vector<'static>> {
    Ok(match file.dtype(name) {
        Some(Dtype::I16) => Vector::I16(Cow::Owned(file.numbers(name)?.1)),
        Some(Dtype::U16) => Vector::U16(Cow::Owned(file.numbers(name)?.1)),
        _ => Vector::F32(Cow::Owned(finite(file, name)?.1)),
    })
}

/// Whether whole numbers are small enough to be added to: those that f64 holds exactly.
fn are_countable(value: &Value) -> bool {
    const MOST: u64 = 1 << 53;
    match value {
        Value::Number(number) => number.as_u64().is_none_or(|number| number <= MOST),
        Value::Array(values) => values.iter().all(are_countable),
        Value::Object(values) => values.values().all(are_countable),
        _ => true,
    }
}

fn of_picture<'a>(name: &str, picture: &'a Raster) -> Entry<'a> {
    let Size { width, height } = picture.size();
    let shape = [height, width, picture.channels()];
    Entry::new(name, &shape, picture.values())
}

fn flat(records: &[Record]) -> Vec<f64> {
    let numbers = records.iter().flat_map(|record| {
        let start = [
            record.scale as f64,
            record.evaluation as f64,
            record.elapsed.as_secs_f64(),
            record.terms.len() as f64,
        ];
        start.into_iter().chain(record.terms.iter().copied())
    });
    numbers.collect()
}

fn records_of(mut numbers: &[f64]) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    while let Some(([scale, evaluation, seconds, count], rest)) = numbers.split_first_chunk() {
        let (terms, rest) = rest.split_at_checked(*count as usize)?;
        records.push(Record {
            scale: *scale as usize,
            evaluation: *evaluation as usize,
            elapsed: Duration::try_from_secs_f64(*seconds).ok()?,
            terms: terms.to_vec(),
        });
        numbers = rest;
    }
    numbers.is_empty().then_some(records)
}
