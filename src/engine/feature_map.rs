//! Feature maps that networks compute and losses measure.

use std::borrow::Cow;
use std::ops::Range;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::affine::Affine;
use super::cpu;
use super::layout::{add_maps, channels_last, channels_second, subtract_maps};
use super::moments::Moments;
use super::reductions::sum_of_squares;
use crate::backend::is_in_host_memory;
use crate::error::{Error, Result};

/// A feature map `[1, C, H, W]`, or the gradient with respect to one, in the native form of its engine.
#[derive(Clone, Debug)]
pub(crate) enum FeatureMap {
    /// A map of the CPU engine.
    Host { map: cpu::Map, device: Device },
    /// A map of any other engine.
    Tensor(Tensor<4>),
}

impl From<Tensor<4>> for FeatureMap {
    fn from(map: Tensor<4>) -> Self {
        Self::Tensor(map)
    }
}

/// Whether the CPU engine supports a tensor: f32 in host memory, not under autodiff.
fn is_cpu_map(map: &Tensor<4>) -> bool {
    is_in_host_memory(&map.device()) && !map.is_autodiff() && map.dtype() == DType::F32
}

impl FeatureMap {
    /// Converts the map to the native form of its device, without a copy if the tensor is not
    /// shared. If the device fails, the map is empty afterwards.
    pub(crate) fn make_native(&mut self) -> Result<()> {
        match self {
            Self::Tensor(tensor) if is_cpu_map(tensor) => {
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

    /// The map in the native form of its device.
    pub(crate) fn into_native(mut self) -> Result<Self> {
        self.make_native()?;
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

    /// Converts the map to a tensor in place and returns it.
    pub(crate) fn as_tensor(&mut self) -> Tensor<4> {
        let tensor = match self {
            Self::Host { map, device } => std::mem::take(map).into_tensor(device),
            Self::Tensor(map) => map.clone(),
        };
        *self = Self::Tensor(tensor.clone());
        tensor
    }

    /// The map in the form of the CPU engine, if that supports it. A tensor is copied.
    fn on_host(&self) -> Result<Option<(Cow<'_, cpu::Map>, Device)>> {
        Ok(match self {
            Self::Host { map, device } => Some((Cow::Borrowed(map), device.clone())),
            Self::Tensor(map) if is_cpu_map(map) => {
                let device = map.device();
                Some((Cow::Owned(cpu::Map::from_tensor(map.clone())?), device))
            }
            Self::Tensor(_) => None,
        })
    }

    /// The map as a tensor. A map of the CPU engine is copied.
    pub(super) fn to_tensor(&self) -> Tensor<4> {
        self.clone().into_tensor()
    }

    /// First and second moments of the channels over positions.
    pub(crate) fn moments(&self) -> Result<Moments> {
        Ok(match self.on_host()? {
            Some((map, device)) => {
                let (mean, second) = cpu::moments(&map);
                let channels = mean.len();
                Moments::Known {
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

    /// Applies an affine function to the channels of each position, in place if the memory is not
    /// shared.
    pub(crate) fn affine(self, affine: Affine) -> Result<Self> {
        let (mut map, device) = match self.into_native()? {
            Self::Host { map, device } => (map, device),
            Self::Tensor(map) => return Ok(Self::Tensor(affine.apply(map))),
        };
        let matrix = affine.matrix.map(values).transpose()?;
        let offset = affine.offset.map(values).transpose()?;
        let mut targets = Vec::new();
        for (target, factor) in &affine.differences {
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

    /// A copy of these rows and columns.
    pub(crate) fn crop(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        match self {
            Self::Host { map, device } => Self::Host {
                map: map.crop(rows, columns),
                device: device.clone(),
            },
            Self::Tensor(map) => {
                let map = channels_last(map.clone());
                let map = map.narrow(1, rows.start, rows.len());
                let map = map.narrow(2, columns.start, columns.len());
                Self::Tensor(channels_second(map))
            }
        }
    }

    /// The positions in these columns of a map of one row.
    pub(crate) fn select(&self, columns: &[usize]) -> Self {
        let map = match self {
            Self::Host { map, device } => {
                return Self::Host {
                    map: map.select(columns),
                    device: device.clone(),
                };
            }
            Self::Tensor(map) => channels_last(map.clone()),
        };
        let indices: Vec<i32> = columns.iter().map(|column| *column as i32).collect();
        let indices = TensorData::new(indices, [columns.len()]);
        let indices = Tensor::<1, Int>::from_data(indices, &self.device());
        Self::Tensor(channels_second(map.select(2, indices)))
    }

    /// A map of height and width `size` with this map at row and column `corner`, and zeros around it.
    pub(crate) fn embedded(self, size: [usize; 2], corner: [usize; 2]) -> Result<Self> {
        Ok(match self.into_native()? {
            Self::Host { map, device } => Self::Host {
                map: map.embedded(size, corner),
                device,
            },
            Self::Tensor(map) => {
                let map = channels_last(map);
                let [_, height, width, channels] = map.dims();
                let options = (&map.device(), map.dtype());
                let zeros = Tensor::<4>::zeros([1, size[0], size[1], channels], options);
                let [top, left] = corner;
                let ranges = [0..1, top..top + height, left..left + width, 0..channels];
                Self::Tensor(channels_second(zeros.slice_assign(ranges, map)))
            }
        })
    }

    /// The sum of two maps of the same shape.
    pub(crate) fn plus(self, other: Self) -> Result<Self> {
        match (self.into_native()?, other.into_native()?) {
            (Self::Host { mut map, device }, Self::Host { map: added, .. }) => {
                cpu::add(&mut map, &added);
                Ok(Self::Host { map, device })
            }
            (a, b) => Ok(Self::Tensor(add_maps(a.into_tensor(), b.into_tensor()))),
        }
    }

    /// `sum (F - F0)^2` for two maps of the same shape, one number on the device.
    pub(crate) fn squared_distance(&self, other: &Self) -> Result<Tensor<1>> {
        if let (Some((a, device)), Some((b, _))) = (self.on_host()?, other.on_host()?) {
            let distance = cpu::squared_distance(&a, &b);
            return Ok(Tensor::from_data(
                TensorData::new(vec![distance], [1]),
                &device,
            ));
        }
        let difference = subtract_maps(self.to_tensor(), other.to_tensor());
        Ok(sum_of_squares(channels_last(difference)))
    }
}

/// The values of a small tensor in host memory, which needs no synchronisation.
fn values(tensor: Tensor<2>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as().map_err(Error::device)
}
