//! Files that no program would write, byte by byte.

use std::fs;
use std::path::Path;

use serde_json::Value;

pub(super) fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    fs::write(folder.join(name), bytes).unwrap();
}

/// A PNG file of these chunks.
pub(super) fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in chunks {
        bytes.extend((content.len() as u32).to_be_bytes());
        let named = [&kind[..], content].concat();
        bytes.extend(&named);
        bytes.extend(crc32fast::hash(&named).to_be_bytes());
    }
    bytes
}

/// The header chunk of greys of 8 bits.
pub(super) fn header(width: u32, height: u32) -> Vec<u8> {
    [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, 0, 0, 0, 0],
    ]
    .concat()
}

/// Bits, the lowest of each byte first.
struct Bits {
    bytes: Vec<u8>,
    word: u32,
    filled: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, width: u32) {
        self.word |= bits << self.filled;
        self.filled += width;
        while self.filled >= 8 {
            self.bytes.push(self.word as u8);
            self.word >>= 8;
            self.filled -= 8;
        }
    }
}

/// `count` zeros as zlib compresses them by the fixed code: 13 bits for 258 of them.
pub(super) fn zeros(count: usize) -> Vec<u8> {
    let mut bits = Bits {
        bytes: vec![0x78, 0x01],
        word: 0,
        filled: 0,
    };
    // Codes begin at their highest bit: a zero is 0b00110000.
    let zero = (0b0000_1100, 8);
    // The last block, of the fixed code.
    bits.put(0b011, 3);
    bits.put(zero.0, zero.1);
    for _ in 0..(count - 1) / 258 {
        // 258 more of what is one byte before: 0b11000101 and 0b00000.
        bits.put(0b1010_0011, 8);
        bits.put(0, 5);
    }
    for _ in 0..(count - 1) % 258 {
        bits.put(zero.0, zero.1);
    }
    // The end of the block, and the rest of its last byte.
    bits.put(0, 7);
    bits.put(0, 7);
    // Adler's sum of zeros.
    let sum = ((count % 65521) as u32) << 16 | 1;
    bits.bytes.extend(sum.to_be_bytes());
    bits.bytes
}

/// A TIFF file of greys without pixels; entries of the tags `more` are added.
pub(super) fn tiff(width: u32, height: u32, more: &[(u16, u32)]) -> Vec<u8> {
    let mut entries = vec![
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 200),
        (277, 1),
        (278, height),
        (279, u32::MAX),
    ];
    entries.extend(more);
    entries.sort_unstable();
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(4u16.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.resize(300, 0);
    bytes
}

/// A safetensors file with this header and these bytes behind it.
pub(super) fn safetensors(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
}

/// The parts of a checkpoint.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) run: Value,
    /// Name, type, shape and bytes.
    pub(super) tensors: Vec<(String, String, Vec<usize>, Vec<u8>)>,
}

impl Parts {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (length, rest) = bytes.split_first_chunk().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let header: Value = serde_json::from_slice(header).unwrap();
        let run = header["__metadata__"]["ranvgg-run"].as_str().unwrap();
        let tensors = header.as_object().unwrap().iter();
        let tensors = tensors.filter(|(name, _)| *name != "__metadata__");
        let number = |value: &Value| value.as_u64().unwrap() as usize;
        Self {
            run: serde_json::from_str(run).unwrap(),
            tensors: tensors
                .map(|(name, tensor)| {
                    let offsets = &tensor["data_offsets"];
                    let bytes = &data[number(&offsets[0])..number(&offsets[1])];
                    let shape = tensor["shape"].as_array().unwrap().iter().map(number);
                    let dtype = tensor["dtype"].as_str().unwrap().to_owned();
                    (name.clone(), dtype, shape.collect(), bytes.to_vec())
                })
                .collect(),
        }
    }

    /// The tensor of this name, in place of which `values` are put.
    pub(super) fn set(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.tensors.retain(|tensor| tensor.0 != name);
        self.tensors
            .push((name.into(), "F32".into(), shape.into(), bytes));
    }

    pub(super) fn set_records(&mut self, values: &[f64]) {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.tensors.retain(|tensor| tensor.0 != "records");
        let shape = vec![values.len()];
        self.tensors
            .push(("records".into(), "F64".into(), shape, bytes));
    }

    /// The values of the tensor of this name.
    pub(super) fn values(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let found = self.tensors.iter().find(|tensor| tensor.0 == name).unwrap();
        let (values, _) = found.3.as_chunks();
        (
            found.2.clone(),
            values.iter().map(|it| f32::from_le_bytes(*it)).collect(),
        )
    }

    /// A file with the right check sum.
    pub(super) fn file(&self) -> Vec<u8> {
        let run = self.run.to_string();
        let mut tensors = self.tensors.clone();
        tensors.sort();
        let mut sum = crc32fast::Hasher::new();
        sum.update(run.as_bytes());
        for (name, dtype, shape, bytes) in &tensors {
            sum.update(format!("{name} {dtype} {shape:?}").as_bytes());
            sum.update(bytes);
        }
        let sum = format!("{:08x}", sum.finalize());
        let mut header = serde_json::json!({ "__metadata__": { "ranvgg-run": run, "crc32": sum } });
        // Wide types lie first, as they have to be aligned.
        tensors.sort_by_key(|tensor| (tensor.1 != "F64", tensor.0.clone()));
        let mut data = Vec::new();
        for (name, dtype, shape, bytes) in tensors {
            let offsets = [data.len(), data.len() + bytes.len()];
            header[name] =
                serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
            data.extend(bytes);
        }
        let mut header = header.to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        safetensors(&header, &data)
    }
}
