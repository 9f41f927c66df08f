//! Files of named tensors: safetensors, and the format of `torch.save`.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use pytorch_reader::{DType as PyTorchType, PytorchReader};
use safetensors::tensor::{Dtype, SafeTensors};

use crate::error::{Error, FileUse, Result, TensorReason};
use crate::file;

/// The tensors of a file, which are read on demand.
pub(super) enum Checkpoint<'a> {
    Safetensors(SafeTensors<'a>),
    PyTorch(HashMap<String, pytorch_reader::Tensor>),
}

impl<'a> Checkpoint<'a> {
    /// Whether the file at `path` looks like safetensors: eight bytes with the length of the
    /// header, then the header, a JSON object.
    pub(super) fn is_safetensors(path: &Path) -> Result<bool> {
        Ok(file::start(path, 9)?.0.get(8) == Some(&b'{'))
    }

    pub(super) fn safetensors(bytes: &'a [u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|source| Error::content(FileUse::Weights, source))?;
        Ok(Self::Safetensors(file))
    }

    pub(super) fn pytorch(path: &Path) -> Result<Self> {
        let reader = PytorchReader::new(path)
            .map_err(|source| Error::file(FileUse::Weights, path, source))?;
        Ok(Self::PyTorch(reader.into_tensors()))
    }

    pub(super) fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Safetensors(file) => Box::new(file.names().into_iter()),
            Self::PyTorch(tensors) => Box::new(tensors.keys().map(String::as_str)),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Safetensors(file) => file.tensor(name).is_ok(),
            Self::PyTorch(tensors) => tensors.contains_key(name),
        }
    }

    /// The shape and the values of a float tensor.
    pub(super) fn values(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let missing = || Error::missing_tensor(name);
        let refused = |found: String| Error::Tensor {
            name: name.into(),
            reason: TensorReason::Type(found),
        };
        let (shape, dtype, bytes) = match self {
            Self::Safetensors(file) => {
                let view = file.tensor(name).map_err(|_| missing())?;
                let dtype = match view.dtype() {
                    Dtype::F64 => DType::F64,
                    Dtype::F32 => DType::F32,
                    Dtype::F16 => DType::F16,
                    Dtype::BF16 => DType::BF16,
                    other => return Err(refused(format!("{other:?}"))),
                };
                (view.shape().to_vec(), dtype, view.data().to_vec())
            }
            Self::PyTorch(tensors) => {
                let tensor = tensors.get(name).ok_or_else(missing)?;
                let dtype = match tensor.dtype() {
                    PyTorchType::F64 => DType::F64,
                    PyTorchType::F32 => DType::F32,
                    PyTorchType::F16 => DType::F16,
                    PyTorchType::BF16 => DType::BF16,
                    other => return Err(refused(format!("{other:?}"))),
                };
                let bytes = tensor
                    .read()
                    .map_err(|source| Error::content(FileUse::Tensor(name.into()), source))?;
                (tensor.shape().to_vec(), dtype, bytes)
            }
        };
        let count = shape.iter().product::<usize>();
        let data = TensorData::try_from_bytes_vec(bytes, [count], dtype).map_err(Error::device)?;
        let values = data.try_into_vec_as().map_err(Error::device)?;
        Ok((shape, values))
    }
}
