//! A map kept to compare others with.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::channels::on_host;
use super::host;
use crate::error::Result;

/// A map `[1, C, H, W]` that stays as it is, in the form in which its device compares it.
#[derive(Clone)]
pub(crate) enum Held {
    Host(Arc<host::Map>),
    Device(Tensor<4>),
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "map {:?}", self.dims())
    }
}

impl Held {
    pub(crate) fn new(map: Tensor<4>) -> Result<Self> {
        Ok(if on_host(&map) {
            Self::Host(Arc::new(host::Map::from_tensor(map)?))
        } else {
            Self::Device(map)
        })
    }

    pub(crate) fn dims(&self) -> [usize; 4] {
        match self {
            Self::Host(map) => map.shape(),
            Self::Device(map) => map.dims(),
        }
    }

    /// As a tensor on the device of `like`.
    pub(super) fn tensor(&self, like: &Tensor<4>) -> Tensor<4> {
        match self {
            Self::Host(map) => {
                let [_, channels, height, width] = map.shape();
                let data = TensorData::new(map.values().to_vec(), [1, height, width, channels]);
                let options = (&like.device(), like.dtype());
                Tensor::<4>::from_data(data, options).permute([0, 3, 1, 2])
            }
            Self::Device(map) => map.clone(),
        }
    }

    /// `sum (F - F0)^2` for a map `F` of the same shape, and that map.
    pub(crate) fn squared_distance(&self, map: Tensor<4>) -> Result<(Tensor<4>, Tensor<1>)> {
        match self {
            Self::Host(held) if on_host(&map) => {
                let device = map.device();
                let map = host::Map::from_tensor(map)?;
                let distance = host::squared_distance(&map, held);
                let distance = Tensor::from_data(TensorData::new(vec![distance], [1]), &device);
                Ok((map.into_tensor(&device), distance))
            }
            _ => {
                // In the order of memory, channels last: any other makes copies.
                let last = |map: Tensor<4>| map.permute([0, 2, 3, 1]);
                let difference = last(map.clone()) - last(self.tensor(&map));
                Ok((map, difference.square().sum()))
            }
        }
    }
}
