//! The file of a checkpoint.
//!
//! A safetensors file. Its metadata have two entries: `ranvgg-run`, the [`Header`] as JSON, and `crc32`,
//! the sum of that text and of every tensor's name, shape and bytes, in the order of their names. The
//! tensors are
//!
//! | name | type | shape | |
//! |---|---|---|---|
//! | `picture` | F32 | `[H, W, C]` | the best picture so far |
//! | `start` | F32 | `[H, W, C]` | the picture at the start of the scale, with its margin; for resampled filters |
//! | `vector.00000` ... | F32 | `[n]` | the vectors of the optimiser |
//! | `memory` | U32 | `[m]` | what the objective keeps from step to step |
//! | `records` | F64 | `[r]` | for each evaluation: scale, number, seconds, count of terms, terms |

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::identity::Identity;
use super::{Counts, Record, RunOptions};
use crate::error::{Error, FileUse, Result};
use crate::file::{self, IfExists};
use crate::imaging::{Raster, Size};
use crate::optim::Saved;

/// The state of a run.
pub(super) struct SavedRun {
    pub(super) identity: Identity,
    pub(super) progress: SavedProgress,
    pub(super) note: String,
    pub(super) records: Vec<Record>,
    pub(super) picture: Raster,
    /// The picture at the start of the scale, where the objective is made from it.
    pub(super) start: Option<Raster>,
    pub(super) optimiser: Saved,
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

const HEADER: &str = "ranvgg-run";
const SUM: &str = "crc32";

/// More time than any run takes: a century. What a clock cannot add is a panic.
const LONGEST_RUN: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Most bytes of the header of a safetensors file.
const LONGEST: u64 = 100_000_000;

/// A tensor of the file.
type Entry = (Dtype, Vec<usize>, Vec<u8>);

impl SavedRun {
    /// Replaces the file at `path`, whole or not at all.
    pub(super) fn write(self, path: &Path) -> Result<()> {
        let bytes = self.to_bytes().map_err(|error| error.at(path))?;
        file::write(path, &bytes, IfExists::Replace)
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        // What is none is not read whole.
        if !Self::is_at(path)? {
            return Err(refused("it is not the state of a run").at(path));
        }
        let bytes = file::read(path, u64::MAX, FileUse::Checkpoint)?;
        Self::from_bytes(&bytes).map_err(|error| error.at(path))
    }

    /// The state that a run is to go on from, of a run that was given the same.
    pub(super) fn to_resume(
        options: &RunOptions,
        identity: Option<&Identity>,
    ) -> Result<Option<Self>> {
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

    /// Whether the file at `path` says that it is a checkpoint.
    pub(super) fn is_at(path: &Path) -> Result<bool> {
        let (start, length) = file::start(path, 8)?;
        let header = start
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if header > LONGEST.min(length.saturating_sub(8)) {
            return Ok(false);
        }
        let (start, _) = file::start(path, 8 + header)?;
        let header: Option<Value> = start
            .get(8..)
            .and_then(|it| serde_json::from_slice(it).ok());
        let said = header
            .as_ref()
            .and_then(|it| it.get("__metadata__")?.get(HEADER));
        Ok(said.is_some())
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = Header {
            identity: self.identity.clone(),
            progress: self.progress.clone(),
            optimiser: self.optimiser.numbers.clone(),
            note: self.note.clone(),
        };
        let header = serde_json::to_string(&header).map_err(refused)?;
        let mut tensors: BTreeMap<String, Entry> = BTreeMap::new();
        tensors.insert("picture".into(), picture_entry(&self.picture));
        if let Some(start) = &self.start {
            tensors.insert("start".into(), picture_entry(start));
        }
        for (number, vector) in self.optimiser.vectors.iter().enumerate() {
            let bytes = bytes_of(vector, |value| value.to_le_bytes());
            let name = format!("vector.{number:05}");
            tensors.insert(name, (Dtype::F32, vec![vector.len()], bytes));
        }
        let bytes = bytes_of(&self.memory, |value| value.to_le_bytes());
        let shape = vec![self.memory.len()];
        tensors.insert("memory".into(), (Dtype::U32, shape, bytes));
        let records = flat(&self.records);
        let bytes = bytes_of(&records, |value| value.to_le_bytes());
        tensors.insert("records".into(), (Dtype::F64, vec![records.len()], bytes));
        let views: Result<BTreeMap<&str, TensorView<'_>>> = tensors
            .iter()
            .map(|(name, (dtype, shape, bytes))| {
                let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(refused)?;
                Ok((name.as_str(), view))
            })
            .collect();
        let views = views?;
        let sum = sum(&header, &views);
        let metadata = HashMap::from([(HEADER.to_owned(), header), (SUM.to_owned(), sum)]);
        safetensors::serialize(views, Some(metadata)).map_err(refused)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        // Checks that all tensors lie within the file, before anything is allocated for them.
        let file = SafeTensors::deserialize(bytes).map_err(refused)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(refused)?;
        let entry = |name: &str| metadata.metadata().as_ref()?.get(name);
        let header = entry(HEADER).ok_or_else(|| refused("it is not the state of a run"))?;
        let tensors = file.tensors();
        let views: BTreeMap<&str, TensorView<'_>> = tensors
            .iter()
            .map(|(name, view)| (name.as_str(), view.clone()))
            .collect();
        if entry(SUM) != Some(&sum(header, &views)) {
            return Err(refused("it is damaged: its check sum is another"));
        }
        let text: Value = serde_json::from_str(header).map_err(refused)?;
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
        let missing = |name: &str| refused(format!("it has no `{name}`"));
        let values = |name: &str| -> Result<Vec<f32>> {
            let view = views.get(name).ok_or_else(|| missing(name))?;
            let values = numbers(view, Dtype::F32, f32::from_le_bytes)?;
            match values.iter().find(|value| !value.is_finite()) {
                Some(value) => Err(refused(format!(
                    "`{name}` holds {value}; allowed: finite numbers"
                ))),
                None => Ok(values),
            }
        };
        let picture = |name: &str| -> Result<Raster> {
            let values = values(name)?;
            match views.get(name).map(TensorView::shape) {
                Some(&[height, width, channels]) if !values.is_empty() => {
                    Ok(Raster::new(Size::new(width, height), channels, values))
                }
                _ => Err(refused(format!("`{name}` is no picture"))),
            }
        };
        let vectors = views.keys().filter(|name| name.starts_with("vector."));
        let vectors: Result<Vec<_>> = vectors.map(|name| values(name)).collect();
        let memory = views.get("memory").ok_or_else(|| missing("memory"))?;
        let records = views.get("records").ok_or_else(|| missing("records"))?;
        let records = numbers(records, Dtype::F64, f64::from_le_bytes)?;
        Ok(Self {
            identity: header.identity,
            progress: header.progress,
            note: header.note,
            records: records_of(&records).ok_or_else(|| refused("its records are incomplete"))?,
            picture: picture("picture")?,
            start: match views.contains_key("start") {
                true => Some(picture("start")?),
                false => None,
            },
            optimiser: Saved {
                numbers: header.optimiser,
                vectors: vectors?,
            },
            memory: numbers(memory, Dtype::U32, u32::from_le_bytes)?,
        })
    }
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

fn refused(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::content(FileUse::Checkpoint, source)
}

fn picture_entry(picture: &Raster) -> Entry {
    let Size { width, height } = picture.size();
    let bytes = bytes_of(picture.values(), |value| value.to_le_bytes());
    (Dtype::F32, vec![height, width, picture.channels()], bytes)
}

fn bytes_of<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    let mut all = Vec::with_capacity(N * values.len());
    for value in values {
        all.extend_from_slice(&bytes(*value));
    }
    all
}

/// The numbers of a tensor of type `wanted`.
fn numbers<T, const N: usize>(
    view: &TensorView<'_>,
    wanted: Dtype,
    number: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>> {
    if view.dtype() != wanted {
        return Err(refused(format!(
            "it holds {:?}; allowed: {wanted:?}",
            view.dtype()
        )));
    }
    let (numbers, _) = view.data().as_chunks::<N>();
    Ok(numbers.iter().map(|bytes| number(*bytes)).collect())
}

/// The CRC-32 of the header and of all tensors, in hexadecimal digits.
fn sum(header: &str, views: &BTreeMap<&str, TensorView<'_>>) -> String {
    let mut sum = crc32fast::Hasher::new();
    sum.update(header.as_bytes());
    for (name, view) in views {
        sum.update(format!("{name} {:?} {:?}", view.dtype(), view.shape()).as_bytes());
        sum.update(view.data());
    }
    format!("{:08x}", sum.finalize())
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
