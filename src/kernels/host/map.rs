//! A feature map in host memory.

use burn::tensor::{Device, Tensor, TensorData};

use super::buffers::Buffers;
use crate::error::{Error, Result};

/// `[height, width, channels]` values, channels last.
pub(crate) struct Map {
    pub(super) data: Vec<f32>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl Map {
    /// From a tensor `[1, C, H, W]`; free of copies where its memory is channels last already.
    pub(crate) fn from_tensor(tensor: Tensor<4>) -> Result<Self> {
        let [_, channels, height, width] = tensor.dims();
        let data = tensor
            .permute([0, 2, 3, 1])
            .try_into_data()
            .map_err(Error::device)?
            .try_into_vec::<f32>()
            .map_err(Error::device)?;
        Ok(Self {
            data,
            height,
            width,
            channels,
        })
    }

    /// To a tensor `[1, C, H, W]` whose memory is channels last.
    pub(crate) fn into_tensor(self, device: &Device) -> Tensor<4> {
        let shape = [1, self.height, self.width, self.channels];
        Tensor::<4>::from_data(TensorData::new(self.data, shape), device).permute([0, 3, 1, 2])
    }

    /// `[1, C, H, W]`.
    pub(crate) fn shape(&self) -> [usize; 4] {
        [1, self.channels, self.height, self.width]
    }

    /// From `[height, width, channels]` values.
    pub(crate) fn new(height: usize, width: usize, channels: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), height * width * channels);
        Self {
            data,
            height,
            width,
            channels,
        }
    }

    /// A map of unspecified content.
    pub(super) fn take(height: usize, width: usize, channels: usize, buffers: &Buffers) -> Self {
        Self {
            data: buffers.take(height * width * channels),
            height,
            width,
            channels,
        }
    }

    /// `[height, width, channels]`.
    pub(crate) fn values(&self) -> &[f32] {
        &self.data
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn recycle(self, buffers: &Buffers) {
        buffers.give(self.data);
    }
}
