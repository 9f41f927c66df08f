//! A feature map between the layers of a network and the losses that measure it.

use std::borrow::Cow;

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::affine::Affine;
use super::cpu;
use super::layout::{add_maps, channels_last, subtract_maps};
use super::moments::Moments;
use crate::backend::is_in_host_memory;
use crate::error::{Error, Result};

/// A feature map `[1, C, H, W]`, or a gradient at one, in the form in which its engine computes it.
#[derive(Clone, Debug)]
pub(crate) enum FeatureMap {
    /// On the CPU engine.
    Host { map: cpu::Map, device: Device },
    /// Anywhere else.
    Tensor(Tensor<4>),
}

impl From<Tensor<4>> for FeatureMap {
    fn from(map: Tensor<4>) -> Self {
        Self::Tensor(map)
    }
}

/// Whether the kernels of the CPU engine serve a tensor: f32 in host memory, not under autodiff.
fn suits_cpu(map: &Tensor<4>) -> bool {
    is_in_host_memory(&map.device()) && !map.is_autodiff() && map.dtype() == DType::F32
}

impl FeatureMap {
    /// Brings the map into the form that its device computes with. No copy is made where nobody else
    /// holds the tensor. A map whose device fails to give it out is empty afterwards.
    pub(crate) fn settle(&mut self) -> Result<()> {
        match self {
            Self::Tensor(tensor) if suits_cpu(tensor) => {
                let device = tensor.device();
                let empty = Self::Host {
                    map: cpu::Map::default(),
                    device: device.clone(),
                };
                let tensor = std::mem::replace(self, empty).into_tensor();
                let map = cpu::Map::from_tensor(tensor)?;
                *self = Self::Host { map, device };
            }
            _ => {}
        }
        Ok(())
    }

    /// The map in the form that its device computes with.
    pub(crate) fn settled(mut self) -> Result<Self> {
        self.settle()?;
        Ok(self)
    }

    pub(crate) fn dims(&self) -> [usize; 4] {
        match self {
            Self::Host { map, .. } => map.shape(),
            Self::Tensor(map) => map.dims(),
        }
    }

    pub(crate) fn device(&self) -> Device {
        match self {
            Self::Host { device, .. } => device.clone(),
            Self::Tensor(map) => map.device(),
        }
    }

    pub(crate) fn into_tensor(self) -> Tensor<4> {
        match self {
            Self::Host { map, device } => map.into_tensor(&device),
            Self::Tensor(map) => map,
        }
    }

    /// The map as a tensor, which it is from now on.
    pub(crate) fn as_tensor(&mut self) -> Tensor<4> {
        let tensor = match self {
            Self::Host { map, device } => std::mem::take(map).into_tensor(device),
            Self::Tensor(map) => map.clone(),
        };
        *self = Self::Tensor(tensor.clone());
        tensor
    }

    /// The map on the host, if the CPU engine serves it; a tensor is copied.
    fn on_host(&self) -> Result<Option<(Cow<'_, cpu::Map>, Device)>> {
        Ok(match self {
            Self::Host { map, device } => Some((Cow::Borrowed(map), device.clone())),
            Self::Tensor(map) if suits_cpu(map) => {
                let device = map.device();
                Some((Cow::Owned(cpu::Map::from_tensor(map.clone())?), device))
            }
            Self::Tensor(_) => None,
        })
    }

    /// As a tensor, copied if it is on the host.
    fn to_tensor(&self) -> Tensor<4> {
        self.clone().into_tensor()
    }

    /// The means over positions of channels and of their products.
    pub(crate) fn moments(&self) -> Result<Moments> {
        Ok(match self.on_host()? {
            Some((map, device)) => {
                let (mean, second) = cpu::moments(&map);
                let channels = mean.len();
                Moments {
                    mean: Tensor::from_data(TensorData::new(mean, [1, channels]), &device),
                    second: Tensor::from_data(
                        TensorData::new(second, [channels, channels]),
                        &device,
                    ),
                }
            }
            None => Moments::of_tensor(self.to_tensor()),
        })
    }

    /// A function of the channels at each position, in the memory of the map where nobody else holds
    /// it.
    pub(crate) fn affine(self, affine: Affine) -> Result<Self> {
        let (mut map, device) = match self.settled()? {
            Self::Host { map, device } => (map, device),
            Self::Tensor(map) => {
                let pulls = affine.pulls.iter();
                let pulls = pulls.map(|(target, factor)| (target.to_tensor(), *factor));
                let pulls = pulls.collect();
                return Ok(Self::Tensor(affine.apply(map, pulls)));
            }
        };
        let matrix = affine.matrix.map(values).transpose()?;
        let offset = affine.offset.map(values).transpose()?;
        let mut targets = Vec::new();
        for (target, factor) in &affine.pulls {
            let target = match target.on_host()? {
                Some((target, _)) => target,
                None => Cow::Owned(cpu::Map::from_tensor(target.to_tensor())?),
            };
            targets.push((target, *factor as f32));
        }
        let targets: Vec<(&cpu::Map, f32)> = targets
            .iter()
            .map(|(target, factor)| (&**target, *factor))
            .collect();
        cpu::affine(&mut map, matrix.as_deref(), offset.as_deref(), &targets);
        Ok(Self::Host { map, device })
    }

    /// The sum with another map of the same shape.
    pub(crate) fn plus(self, other: Self) -> Result<Self> {
        match (self.settled()?, other.settled()?) {
            (Self::Host { mut map, device }, Self::Host { map: added, .. }) => {
                cpu::add(&mut map, &added);
                Ok(Self::Host { map, device })
            }
            (a, b) => Ok(Self::Tensor(add_maps(a.into_tensor(), b.into_tensor()))),
        }
    }

    /// `sum (F - F0)^2`, one number on the device, from another map of the same shape.
    pub(crate) fn squared_distance(&self, other: &Self) -> Result<Tensor<1>> {
        if let (Some((a, device)), Some((b, _))) = (self.on_host()?, other.on_host()?) {
            let distance = cpu::squared_distance(&a, &b);
            return Ok(Tensor::from_data(
                TensorData::new(vec![distance], [1]),
                &device,
            ));
        }
        let difference = subtract_maps(self.to_tensor(), other.to_tensor());
        Ok(channels_last(difference).square().sum())
    }
}

/// The values of a small tensor in host memory, where there is nothing to wait for.
fn values(tensor: Tensor<2>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as().map_err(Error::device)
}
