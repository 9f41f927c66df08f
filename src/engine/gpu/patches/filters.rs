//! Filters in the order of the kernels.

use burn::tensor::{Device, Tensor};

use super::kernels::{FILTERS, LANES};
use crate::backend::upload;

/// Square filters.
#[derive(Clone, Copy)]
pub(crate) struct Filters<'a> {
    /// `[count, channels, side, side]`.
    pub(crate) weights: &'a [f32],
    pub(crate) count: usize,
    pub(crate) channels: usize,
    pub(crate) side: usize,
}

/// Filters on a device.
pub(crate) struct DeviceFilters {
    /// `[filters / 16, channels, side, side, 16]`, with zeros after the last filter.
    pub(super) forward: Tensor<1>,
    /// `[filters, side, side, 4]`.
    pub(super) backward: Tensor<1>,
    pub(super) count: usize,
    pub(super) channels: usize,
    pub(super) side: usize,
}

impl Filters<'_> {
    /// Writes filters to a device.
    pub(crate) fn on(self, device: &Device) -> DeviceFilters {
        DeviceFilters {
            forward: upload(self.forward_weights(), device),
            backward: upload(self.backward_weights(), device),
            count: self.count,
            channels: self.channels,
            side: self.side,
        }
    }

    /// Weights in the order of the kernel of responses.
    fn forward_weights(self) -> Vec<f32> {
        let taps = self.channels * self.side * self.side;
        let mut packed = Vec::with_capacity(self.count.next_multiple_of(FILTERS) * taps);
        for group in (0..self.count).step_by(FILTERS) {
            for tap in 0..taps {
                let weight = |filter: usize| self.weights.get(filter * taps + tap);
                let filters = group..group + FILTERS;
                packed.extend(filters.map(|filter| weight(filter).copied().unwrap_or(0.0)));
            }
        }
        packed
    }

    /// Weights in the order of the kernel of gradients.
    fn backward_weights(self) -> Vec<f32> {
        let taps = self.side * self.side;
        let mut packed = vec![0.0; self.count * taps * LANES];
        for (index, weight) in self.weights.iter().enumerate() {
            let (plane, tap) = (index / taps, index % taps);
            let (filter, channel) = (plane / self.channels, plane % self.channels);
            packed[(filter * taps + tap) * LANES + channel] = *weight;
        }
        packed
    }
}
