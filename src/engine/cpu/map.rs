//! A feature map in host memory.

use burn::tensor::{Device, Tensor};

use super::buffers::Buffers;
use crate::engine::layout::{channels_last, map_of};
use crate::error::{Error, Result};

/// `[height, width, channels]` values, channels last.
#[derive(Clone, Default)]
pub(crate) struct Map {
    pub(super) data: Vec<f32>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "map {:?}", self.shape())
    }
}

impl Map {
    /// From a tensor `[1, C, H, W]`; free of copies where its memory is channels last already.
    pub(crate) fn from_tensor(tensor: Tensor<4>) -> Result<Self> {
        let [_, channels, height, width] = tensor.dims();
        let data = channels_last(tensor)
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
        let shape = [self.height, self.width, self.channels];
        map_of(self.data, shape, device)
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

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn recycle(self, buffers: &Buffers) {
        buffers.give(self.data);
    }
}
