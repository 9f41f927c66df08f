//! Distributions of a picture's responses to filters, compared with an exemplar's.
//!
//! ```text
//! mod ──> operation (of Burn's backend) <── launches ──> kernels
//! ```

mod kernels;
mod launches;
mod operation;

use burn::backend::Dispatch;
use burn::tensor::{Device, Int, Tensor, TensorData};

use self::kernels::{FILTERS, LANES, LONGEST_SIDE, SHARED_BYTES, UNITS};
use self::operation::{Geometry, Patches as _};
use crate::backend::{largest_buffer, read, read_integers};
use crate::error::Result;

/// A picture on a device.
pub(crate) struct Picture {
    /// `[H, W, C]`.
    values: Tensor<1>,
    /// Height and width.
    size: [usize; 2],
    /// Whether it repeats without end.
    wraps: bool,
}

/// Square filters.
#[derive(Clone, Copy)]
pub(crate) struct Filters<'a> {
    /// `[count, channels, side, side]`.
    pub(crate) weights: &'a [f32],
    pub(crate) count: usize,
    pub(crate) channels: usize,
    pub(crate) side: usize,
}

/// Whether the kernels run on a device: their workgroups and shared memory are within its limits.
pub(crate) fn serves(device: &Device) -> bool {
    super::runs_workgroups(device, UNITS, SHARED_BYTES)
}

/// The gradient at a picture, on the device.
pub(crate) struct Gradient {
    /// `[H, W, C]`, then sums of distances.
    packed: Tensor<1>,
    /// The values before the distances.
    values: usize,
}

/// A picture's responses, and what its gradient takes besides.
pub(crate) struct Compared {
    responses: Tensor<3>,
    geometry: Geometry,
    /// `[filters, side, side, 4]`.
    weights: Tensor<1>,
}

fn upload(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// Weights in the order of the kernel of responses, `[filters / 16, channels, side, side, 16]`.
fn forward_weights(filters: Filters<'_>) -> Vec<f32> {
    let taps = filters.side * filters.side;
    let mut packed = Vec::with_capacity(filters.weights.len());
    for group in (0..filters.count).step_by(FILTERS) {
        for tap in 0..filters.channels * taps {
            let filter = |filter: usize| (group + filter) * filters.channels * taps;
            packed.extend((0..FILTERS).map(|number| filters.weights[filter(number) + tap]));
        }
    }
    packed
}

/// Weights in the order of the kernel of gradients, `[filters, side, side, 4]`.
fn backward_weights(filters: Filters<'_>) -> Vec<f32> {
    let taps = filters.side * filters.side;
    let mut packed = vec![0.0; filters.count * taps * LANES];
    for (index, weight) in filters.weights.iter().enumerate() {
        let (plane, tap) = (index / taps, index % taps);
        let (filter, channel) = (plane / filters.channels, plane % filters.channels);
        packed[(filter * taps + tap) * LANES + channel] = *weight;
    }
    packed
}

impl Picture {
    /// A picture of interleaved values, `[H, W, C]`, on a device with these kernels.
    pub(crate) fn new(values: &[f32], size: [usize; 2], wraps: bool, device: &Device) -> Self {
        Self {
            values: upload(values.to_vec(), device),
            size,
            wraps,
        }
    }

    pub(crate) fn device(&self) -> Device {
        self.values.device()
    }

    fn geometry(&self, filters: Filters<'_>) -> Geometry {
        let [height, width] = self.size;
        Geometry {
            height,
            width,
            channels: filters.channels,
            filters: filters.count,
            side: filters.side,
            wraps: self.wraps,
        }
    }

    /// Of `count` filters, along how many at once the kernels compare a picture of this height and width with this one: as
    /// many as there is a buffer for their responses. None: they do not compare it.
    pub(crate) fn filters_at_once(
        &self,
        size: [usize; 2],
        (count, channels, side): (usize, usize, usize),
    ) -> Option<usize> {
        let bytes = |size: [usize; 2]| (size[0] * size[1] * FILTERS * size_of::<f32>()) as u64;
        let of_group = bytes(size).max(bytes(self.size)).max(1);
        let groups = match largest_buffer(&self.device()) {
            Some(largest) => (largest / of_group) as usize,
            None => count,
        };
        let computes = count.is_multiple_of(FILTERS) && side <= LONGEST_SIDE && channels <= LANES;
        (computes && groups > 0).then(|| (groups * FILTERS).min(count))
    }

    /// The responses of this picture, and histograms: [`ENTRIES`](crate::engine::tables::ENTRIES) words for each filter of it, then for each of an
    /// exemplar.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub(crate) fn compare(
        &self,
        exemplar: &Self,
        filters: Filters<'_>,
    ) -> Result<(Compared, Vec<u32>)> {
        let device = self.device();
        let weights = upload(forward_weights(filters), &device).into_dispatch();
        let responses = |picture: &Self| {
            let values = picture.values.clone().into_dispatch();
            Dispatch::filter_responses(values, weights.clone(), picture.geometry(filters))
        };
        let own = responses(self);
        let counts = Dispatch::response_histograms(own.clone(), responses(exemplar));
        let words = read_integers(Tensor::<3, Int>::from_dispatch(counts))?;
        let compared = Compared {
            responses: Tensor::from_dispatch(own),
            geometry: self.geometry(filters),
            weights: upload(backward_weights(filters), &device),
        };
        Ok((compared, words))
    }
}

impl Compared {
    /// The gradient at the picture and the distances of all responses. `tables` has [`TABLE`](crate::engine::tables::TABLE) numbers for each filter.
    /// The modulus of a distance is smoothed below `soft` standard deviations.
    pub(crate) fn gradient(self, tables: Vec<f32>, soft: f32) -> Gradient {
        let tables = upload(tables, &self.weights.device()).into_dispatch();
        let (responses, weights) = (self.responses.into_dispatch(), self.weights.into_dispatch());
        let packed = Dispatch::transport_gradient(responses, tables, weights, self.geometry, soft);
        Gradient {
            packed: Tensor::from_dispatch(packed),
            values: self.geometry.values(),
        }
    }
}

impl Gradient {
    /// The sum of this one and another one of the same picture.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            packed: self.packed + other.packed,
            ..self
        }
    }

    /// The gradient, `[H, W, C]`, and the sum of the distances.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub(crate) fn read(self) -> Result<(Vec<f32>, f64)> {
        let mut gradient: Vec<f32> = read(self.packed)?;
        let distances = gradient.split_off(self.values);
        let sum = distances.into_iter().map(f64::from).sum();
        Ok((gradient, sum))
    }
}
