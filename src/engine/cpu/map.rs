//! A feature map in host memory.

use std::ops::Range;

use burn::tensor::{Device, Tensor};

use super::buffers::Buffers;
use crate::engine::layout::{channels_last, map_from_values};
use crate::error::{Error, Result};

/// A feature map of `[height, width, channels]` values (NHWC).
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
    /// Reads a tensor `[1, C, H, W]`, without a copy if its memory is NHWC.
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

    /// A tensor `[1, C, H, W]` with NHWC memory.
    pub(crate) fn into_tensor(self, device: &Device) -> Tensor<4> {
        let shape = [self.height, self.width, self.channels];
        map_from_values(self.data, shape, device)
    }

    /// `[1, C, H, W]`.
    pub(crate) fn shape(&self) -> [usize; 4] {
        [1, self.channels, self.height, self.width]
    }

    /// A map of `[height, width, channels]` values.
    pub(crate) fn new(height: usize, width: usize, channels: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), height * width * channels);
        Self {
            data,
            height,
            width,
            channels,
        }
    }

    /// A map in a reused buffer, with unspecified content.
    pub(super) fn acquire(height: usize, width: usize, channels: usize, buffers: &Buffers) -> Self {
        Self {
            data: buffers.acquire(height * width * channels),
            height,
            width,
            channels,
        }
    }

    /// A copy of these rows and columns.
    pub(in crate::engine) fn crop(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let mut data = Vec::with_capacity(rows.len() * columns.len() * self.channels);
        let (first, last) = (columns.start * self.channels, columns.end * self.channels);
        let line = self.width * self.channels;
        for row in rows.clone() {
            data.extend_from_slice(&self.data[row * line..][first..last]);
        }
        Self::new(rows.len(), columns.len(), self.channels, data)
    }

    /// A copy of these columns of a map of one row.
    pub(in crate::engine) fn select(&self, columns: &[usize]) -> Self {
        let mut data = Vec::with_capacity(columns.len() * self.channels);
        for column in columns {
            data.extend_from_slice(&self.data[column * self.channels..][..self.channels]);
        }
        Self::new(1, columns.len(), self.channels, data)
    }

    /// A map of this height and width with this map at row `top` and column `left`, and zeros around it.
    pub(in crate::engine) fn embedded(
        &self,
        [height, width]: [usize; 2],
        [top, left]: [usize; 2],
    ) -> Self {
        let mut data = vec![0.0; height * width * self.channels];
        let line = self.width * self.channels;
        for (row, values) in self.data.chunks_exact(line).enumerate() {
            let start = ((top + row) * width + left) * self.channels;
            data[start..start + line].copy_from_slice(values);
        }
        Self::new(height, width, self.channels, data)
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn recycle(self, buffers: &Buffers) {
        buffers.give_back(self.data);
    }
}
