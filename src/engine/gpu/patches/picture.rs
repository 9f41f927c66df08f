//! Pictures on a device, their responses and the classes of their positions.

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor};

use super::filters::DeviceFilters;
use super::kernels::{FILTERS, LANES, LONGEST_SIDE};
use super::labels::{DeviceGuide, DeviceMask, Labels, Split, numbers};
use super::operation::{Geometry, GuideGeometry, Labelling, Patches as _};
use super::responses::Responses;
use crate::backend::{largest_buffer, upload};
use crate::engine::tables::BANK;

/// A picture on a device.
pub(crate) struct Picture {
    /// `[H, W, C]`; other values may follow.
    values: Tensor<1>,
    /// Height and width.
    size: [usize; 2],
    /// Whether it repeats without end.
    wraps: bool,
}

/// Most bytes of the responses of a picture, where more than one group of filters has them. Those of a GPU's memory are not
/// known; larger groups would save a few launches of kernels that take long anyway.
const MOST_BYTES: u64 = 512 << 20;

impl Picture {
    /// A picture of interleaved values, `[H, W, C]`, on a device with these kernels.
    pub(crate) fn new(values: &[f32], size: [usize; 2], wraps: bool, device: &Device) -> Self {
        Self::of(upload(values.to_vec(), device), size, wraps)
    }

    /// The picture that the first values of a list are.
    pub(crate) fn of(values: Tensor<1>, size: [usize; 2], wraps: bool) -> Self {
        Self {
            values,
            size,
            wraps,
        }
    }

    /// Of `count` filters, how many at once the kernels compare along a picture of this height and width with this one: as
    /// many as [`MOST_BYTES`] hold the responses of, but a group at least. None: no buffer holds those of a group.
    pub(crate) fn filters_at_once(
        &self,
        size: [usize; 2],
        (count, channels, side): (usize, usize, usize),
    ) -> Option<usize> {
        let bytes = |size: [usize; 2]| (size[0] * size[1] * FILTERS * size_of::<f32>()) as u64;
        let of_group = bytes(size).max(bytes(self.size)).max(1);
        let largest = largest_buffer(&self.values.device()).unwrap_or(u64::MAX);
        let groups = match largest < of_group {
            true => 0,
            false => (largest.min(MOST_BYTES) / of_group).max(1) as usize,
        };
        let computes = count.is_multiple_of(FILTERS) && side <= LONGEST_SIDE && channels <= LANES;
        (computes && groups > 0).then(|| (groups * FILTERS).min(count))
    }

    fn geometry(&self, filters: &DeviceFilters) -> Geometry {
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

    /// The responses of this picture.
    pub(crate) fn responses(&self, filters: &DeviceFilters) -> Responses {
        let geometry = self.geometry(filters);
        let padded = Geometry {
            filters: filters.count.next_multiple_of(FILTERS),
            ..geometry
        };
        let (values, weights) = (self.values.clone(), filters.forward.clone());
        let responses =
            Dispatch::filter_responses(values.into_dispatch(), weights.into_dispatch(), padded);
        Responses {
            values: Tensor::from_dispatch(responses),
            geometry,
        }
    }

    /// The classes of this picture's positions for filters of that side and so many banks: by a guide with a split for each
    /// bank, by a mask, or by both. None: all have one class.
    pub(crate) fn labels(
        &self,
        guided: Option<(&DeviceGuide, &[Split<'_>])>,
        mask: Option<&DeviceMask>,
        (side, banks): (usize, usize),
    ) -> Option<Labels> {
        if guided.is_none() && mask.is_none() {
            return None;
        }
        let labelling = Labelling {
            guided: guided.is_some(),
            noisy: guided.is_some_and(|(guide, _)| guide.noisy),
            masked: mask.is_some(),
        };
        // What is not read may be anything.
        let unread = || self.values.clone();
        let ([channels, height, width], step) =
            guided.map_or(([0; 3], 1), |(guide, _)| (guide.shape, guide.step));
        let geometry = Geometry {
            height: self.size[0],
            width: self.size[1],
            channels,
            filters: banks * BANK,
            side,
            wraps: self.wraps,
        };
        let guide_geometry = GuideGeometry {
            channels,
            height,
            width,
            step,
            banks,
            labelling,
        };
        let device = self.values.device();
        let splits = guided.map(|(_, splits)| upload(numbers(splits), &device));
        let planes = guided.map_or_else(unread, |(guide, _)| guide.planes.clone());
        let labels = Dispatch::position_classes(
            planes.into_dispatch(),
            splits.unwrap_or_else(unread).into_dispatch(),
            mask.map_or_else(unread, |mask| mask.values.clone())
                .into_dispatch(),
            geometry,
            guide_geometry,
        );
        Some(Labels {
            values: Tensor::from_dispatch(labels),
            labelling,
        })
    }
}
