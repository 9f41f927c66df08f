//! The bytes of a checkpoint: a safetensors file with a text and a check sum in its metadata.
//!
//! It is written and read tensor by tensor. All at once, a copy of the state would lie in memory, which takes more than
//! the run itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use bytemuck::Pod;
use crc32fast::Hasher;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::Value;

use crate::error::{Error, FileUse, Result};
use crate::file::{self, IfExists};
use crate::optim::Vector;

const HEADER: &str = "ranvgg-run";
const SUM: &str = "crc32";

/// Stands for the sum until all is written.
const NO_SUM: &str = "00000000";

/// Most bytes of the header of a safetensors file.
const LONGEST: u64 = 100_000_000;

/// A type of numbers that files hold.
pub(super) trait Number: Pod {
    const DTYPE: Dtype;
}

impl Number for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Number for f64 {
    const DTYPE: Dtype = Dtype::F64;
}

impl Number for u32 {
    const DTYPE: Dtype = Dtype::U32;
}

impl Number for u16 {
    const DTYPE: Dtype = Dtype::U16;
}

impl Number for i16 {
    const DTYPE: Dtype = Dtype::I16;
}

/// A tensor to write.
pub(super) struct Entry<'a> {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    content: Content<'a>,
}

enum Content<'a> {
    Bytes(Cow<'a, [u8]>),
    Later(&'a dyn Fn() -> Result<Vec<f32>>),
}

impl<'a> Entry<'a> {
    pub(super) fn new<T: Number>(name: &str, shape: &[usize], values: &'a [T]) -> Self {
        Self {
            name: name.into(),
            dtype: T::DTYPE,
            shape: shape.into(),
            content: Content::Bytes(little_endian(values)),
        }
    }

    pub(super) fn of_vector(name: &str, vector: &'a Vector<'_>) -> Self {
        let shape = [vector.len()];
        match vector {
            Vector::F32(values) => Self::new(name, &shape, values),
            Vector::I16(values) => Self::new(name, &shape, values),
            Vector::U16(values) => Self::new(name, &shape, values),
            Vector::OnDevice(_, read) => Self {
                name: name.into(),
                dtype: Dtype::F32,
                shape: shape.into(),
                content: Content::Later(read),
            },
        }
    }

    fn length(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }

    /// Hands its bytes to `take`.
    fn with_bytes(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.content {
            Content::Bytes(bytes) => take(bytes),
            Content::Later(read) => {
                let values = read()?;
                let bytes = little_endian(&values);
                if bytes.len() != self.length() {
                    return Err(refused("a vector of the device has another length"));
                }
                take(&bytes)
            }
        }
    }
}

/// The bytes of numbers, the least significant first.
fn little_endian<T: Pod>(values: &[T]) -> Cow<'_, [u8]> {
    let bytes = bytemuck::cast_slice(values);
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytes);
    }
    let mut bytes = bytes.to_vec();
    swap(&mut bytes, size_of::<T>());
    Cow::Owned(bytes)
}

/// Turns the bytes of each number round.
fn swap(bytes: &mut [u8], size: usize) {
    bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
}

/// The sum of a tensor's name, type, shape and, from then on, bytes.
fn sum_of(name: &str, dtype: Dtype, shape: &[usize]) -> Hasher {
    let mut sum = Hasher::new();
    sum.update(format!("{name} {dtype:?} {shape:?}").as_bytes());
    sum
}

/// The CRC-32 of the text and of all tensors in the order of their names, in hexadecimal digits.
fn total(text: &str, sums: &BTreeMap<String, Hasher>) -> String {
    let mut total = Hasher::new();
    total.update(text.as_bytes());
    for sum in sums.values() {
        total.combine(sum);
    }
    format!("{:08x}", total.finalize())
}

/// Replaces the file at `path`, whole or not at all.
pub(super) fn write(path: &Path, text: &str, mut entries: Vec<Entry<'_>>) -> Result<()> {
    // Wide types lie first, so that each number lies at a multiple of its size.
    entries.sort_by(|a, b| {
        let wider = b.dtype.bitsize().cmp(&a.dtype.bitsize());
        wider.then_with(|| a.name.cmp(&b.name))
    });
    let mut end = 0;
    let infos = entries.iter().map(|entry| {
        let start = end;
        end += entry.length();
        let info = TensorInfo {
            dtype: entry.dtype,
            shape: entry.shape.clone(),
            data_offsets: (start, end),
        };
        (entry.name.clone(), info)
    });
    let said = [(HEADER, text), (SUM, NO_SUM)].map(|(name, text)| (name.into(), text.into()));
    let metadata = Metadata::new(Some(HashMap::from(said)), infos.collect())
        .map_err(|source| refused(source).at(path))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|source| refused(source).at(path))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    // No text has it: there quotes are escaped.
    let place = format!("\"{SUM}\":\"{NO_SUM}\"");
    let found = header.windows(place.len());
    let found = found.into_iter().position(|part| part == place.as_bytes());
    let place = found.ok_or_else(|| refused("no place for its sum").at(path))? + SUM.len() + 4;
    file::write_with(path, IfExists::Replace, |file| {
        let writing = |source| Error::file(FileUse::Write, path, source);
        let length = (header.len() as u64).to_le_bytes();
        file.write_all(&length).map_err(writing)?;
        file.write_all(&header).map_err(writing)?;
        let mut sums = BTreeMap::new();
        for entry in &entries {
            let mut sum = sum_of(&entry.name, entry.dtype, &entry.shape);
            entry.with_bytes(&mut |bytes| {
                sum.update(bytes);
                file.write_all(bytes).map_err(writing)
            })?;
            sums.insert(entry.name.clone(), sum);
        }
        let place = SeekFrom::Start(8 + place as u64);
        file.seek(place).map_err(writing)?;
        let sum = total(text, &sums);
        file.write_all(sum.as_bytes()).map_err(writing)
    })
}

/// A file whose sum is right.
pub(super) struct StateFile {
    file: File,
    /// Where the tensors begin.
    start: u64,
    metadata: Metadata,
    text: String,
}

impl StateFile {
    /// Opens the file at `path`; an error says what is wrong with it, but not its name.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let not_one = || refused("it is not the state of a run");
        let header = header_at(path)?.ok_or_else(not_one)?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(refused)?;
        let (file, length) = file::open(path)?;
        let start = 8 + header.len() as u64;
        // Nothing is allocated for a tensor that ends beyond the file.
        let (there, said) = (length.saturating_sub(start), metadata.data_len());
        if there != said as u64 {
            let said = format!("its tensors should have {said} bytes, and have {there}");
            return Err(refused(said));
        }
        // A sparse file can be longer than memory, and would be read for hours.
        if Vec::<u8>::new().try_reserve_exact(said).is_err() {
            return Err(refused(format!("there is no memory for its {said} bytes")));
        }
        let entry = |name: &str| metadata.metadata().as_ref()?.get(name).cloned();
        let text = entry(HEADER).ok_or_else(not_one)?;
        let sum = entry(SUM);
        let mut opened = Self {
            file,
            start,
            metadata,
            text,
        };
        if sum != Some(opened.sum()?) {
            return Err(refused("it is damaged: its check sum is another"));
        }
        Ok(opened)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The names of its tensors, in order.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.metadata.offset_keys().into_iter().collect()
    }

    /// The sum of what it holds.
    fn sum(&mut self) -> Result<String> {
        let mut sums = BTreeMap::new();
        let mut part = vec![0; 1 << 20];
        for name in self.names() {
            let info = self.seek(&name)?;
            let (begin, end) = info.data_offsets;
            let mut sum = sum_of(&name, info.dtype, &info.shape);
            let mut left = end - begin;
            while left > 0 {
                let count = left.min(part.len());
                self.file.read_exact(&mut part[..count]).map_err(refused)?;
                sum.update(&part[..count]);
                left -= count;
            }
            sums.insert(name, sum);
        }
        Ok(total(&self.text, &sums))
    }

    /// Goes to the bytes of a tensor.
    fn seek(&mut self, name: &str) -> Result<TensorInfo> {
        let missing = || refused(format!("it has no `{name}`"));
        let info = self.metadata.info(name).ok_or_else(missing)?.clone();
        let place = self.start + info.data_offsets.0 as u64;
        self.file.seek(SeekFrom::Start(place)).map_err(refused)?;
        Ok(info)
    }

    /// The type of a tensor.
    pub(super) fn dtype(&self, name: &str) -> Option<Dtype> {
        self.metadata.info(name).map(|info| info.dtype)
    }

    /// The shape and the numbers of a tensor of type `T`.
    pub(super) fn numbers<T: Number>(&mut self, name: &str) -> Result<(Vec<usize>, Vec<T>)> {
        let info = self.seek(name)?;
        if info.dtype != T::DTYPE {
            let (found, allowed) = (info.dtype, T::DTYPE);
            return Err(refused(format!("it holds {found:?}; allowed: {allowed:?}")));
        }
        let count = info.shape.iter().product();
        let mut numbers = Vec::new();
        // A sparse file can be longer than memory.
        if numbers.try_reserve_exact(count).is_err() {
            let said = format!("there is no memory for the {count} numbers of `{name}`");
            return Err(refused(said));
        }
        numbers.resize(count, T::zeroed());
        let bytes = bytemuck::cast_slice_mut(&mut numbers);
        self.file.read_exact(bytes).map_err(refused)?;
        if cfg!(target_endian = "big") {
            swap(bytes, size_of::<T>());
        }
        Ok((info.shape, numbers))
    }
}

/// Whether the file at `path` says that it is a checkpoint.
pub(super) fn is_at(path: &Path) -> Result<bool> {
    Ok(header_at(path)?.is_some())
}

/// The header of the file at `path`, if that says that it is a checkpoint.
fn header_at(path: &Path) -> Result<Option<Vec<u8>>> {
    let (start, length) = file::start(path, 8)?;
    let count = start
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if count > LONGEST.min(length.saturating_sub(8)) {
        return Ok(None);
    }
    let (mut header, _) = file::start(path, 8 + count)?;
    let header = header.split_off(header.len().min(8));
    let value: Option<Value> = serde_json::from_slice(&header).ok();
    let said = value
        .as_ref()
        .and_then(|it| it.get("__metadata__")?.get(HEADER));
    Ok(said.is_some().then_some(header))
}

pub(super) fn refused(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::content(FileUse::Checkpoint, source)
}
