//! The distance of patches on a GPU.
//!
//! Responses, histograms and the gradient are computed by kernels. The host reads the histograms, a few hundred
//! kilobytes at any size of the picture, and makes the tables of transport.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use rayon::prelude::*;

use super::buffers::Buffers;
use super::canvas::Canvas;
use super::comparison::SOFT;
use super::filters::FilterBank;
use super::transport::{Bins, Distribution, Range, Transport};
use super::{Exemplar, Region, Resampled};
use crate::backend::guarded;
use crate::device::{self, DeviceClass};
use crate::engine::patches::{self, Filters, Picture};
use crate::engine::tables::{BINS, ENTRIES, FIRST_EDGE, TABLE};
use crate::error::{DeviceReason, Error, Result};
use crate::imaging::{Raster, Size};

/// Pixels from which on a GPU is used. Smaller pictures take less time on the host than a GPU's answer takes.
pub(super) const FEWEST_PIXELS: usize = 96 * 96;

/// The largest error of a device that is trusted, as a share of the norm of the gradient. A value at the border of two
/// bins may fall into either, by rounding.
const TOLERANCE: f32 = 2e-3;

impl Resampled {
    /// Computes on a GPU, if that has kernels for this target: a single exemplar without masks, a guide or nearest
    /// patches. A GPU in software is slower than the host.
    pub(crate) fn on(self, device: &Device) -> Self {
        match computes(device) {
            true => self.computed_by(device),
            false => self,
        }
    }

    fn computed_by(mut self, device: &Device) -> Self {
        self.on_device = match self.regions.as_slice() {
            [region] if region.mask.is_none() && self.guide.is_none() && self.nearest.is_none() => {
                match region.exemplars.as_slice() {
                    [exemplar] if exemplar.mask.is_none() => {
                        let Size { width, height } = exemplar.image.size();
                        let values = exemplar.image.values();
                        patches::serves(device)
                            .then(|| Picture::new(values, [height, width], false, device))
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        self
    }

    /// The [distance](Self::distance) along filters, if a device computes it for a picture of this size: along all at
    /// once, or as many as there is a buffer for, or `most_at_once`.
    pub(super) fn distance_on_device(
        &self,
        image: Canvas<'_>,
        (banks, most_at_once): (&[FilterBank], usize),
        gradient: &mut [f32],
    ) -> Result<Option<f64>> {
        let (Some(exemplar), Some(first)) = (&self.on_device, banks.first()) else {
            return Ok(None);
        };
        let size = [image.height, image.width];
        let (channels, side) = (first.channels, first.side);
        let count = banks.iter().map(|bank| bank.count).sum();
        let Some(at_once) = exemplar.filters_at_once(size, (count, channels, side)) else {
            return Ok(None);
        };
        let weights: Vec<f32> = banks
            .iter()
            .flat_map(|bank| &bank.weights)
            .copied()
            .collect();
        let of_filter = channels * side * side;
        let (found, sum) = guarded(|| {
            let picture = Picture::new(image.values(), size, image.wraps, &exemplar.device());
            let mut sum: Option<patches::Gradient> = None;
            for weights in weights.chunks(at_once.min(most_at_once) * of_filter) {
                let filters = Filters {
                    weights,
                    count: weights.len() / of_filter,
                    channels,
                    side,
                };
                let (compared, words) = picture.compare(exemplar, filters)?;
                let (own, others) = words.split_at(filters.count * ENTRIES);
                let tables = own.par_chunks(ENTRIES).zip(others.par_chunks(ENTRIES));
                let tables = tables.flat_map_iter(|(own, other)| table(own, other));
                let gradient = compared.gradient(tables.collect(), SOFT);
                sum = Some(match sum.take() {
                    Some(sum) => sum.plus(gradient),
                    None => gradient,
                });
            }
            match sum {
                Some(sum) => sum.read(),
                None => Err(Error::device("no filters")),
            }
        })?;
        for (sum, value) in gradient.iter_mut().zip(found) {
            *sum += value;
        }
        let reach = if image.wraps { 0 } else { first.reach() };
        let positions = (size[0] - reach) * (size[1] - reach);
        Ok(Some(sum / (positions * count) as f64))
    }
}

/// Whether a device is a GPU that is faster than the host.
fn computes(device: &Device) -> bool {
    let is_software = |info: device::DeviceInfo| info.class == DeviceClass::SoftwareGpu;
    patches::serves(device) && !device::info_of(device).is_some_and(is_software)
}

/// Compares what a device computes of small pictures with what the host computes, once for each device.
///
/// # Errors
///
/// [`Error::DeviceUnavailable`] naming adapter and driver if they differ, or if the device fails.
pub(crate) fn check_device(device: &Device) -> Result<()> {
    static PASSED: Mutex<Vec<Device>> = Mutex::new(Vec::new());
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if passed.contains(device) || !computes(device) {
        return Ok(());
    }
    for wraps in [false, true] {
        if let Some(found) = wrong_result(device, wraps) {
            let adapter = device::info_of(device).map_or_else(String::new, |info| {
                format!("{}, {}", info.adapter, info.driver)
            });
            let reason = DeviceReason::WrongResults { adapter, found };
            return Err(Error::unavailable(device::name_of(device), reason));
        }
    }
    passed.push(device.clone());
    Ok(())
}

/// What is wrong with what a device computes, if anything is.
fn wrong_result(device: &Device, wraps: bool) -> Option<String> {
    let picture = |height: usize, width: usize, step: usize| {
        let value = |index: usize| ((index * step + index / 11) % 97) as f32 / 97.0;
        Raster::new(
            Size::new(width, height),
            3,
            (0..height * width * 3).map(value).collect(),
        )
    };
    let exemplar = picture(31, 43, 13);
    let image = picture(37, 50, 7);
    let target = Resampled::of_one(exemplar, wraps, 1);
    let (_, on_host) = target.evaluated(&image, usize::MAX).ok()?;
    let target = target.computed_by(device);
    // Without kernels for the device the host computes.
    target.on_device.as_ref()?;
    let on_device = match target.evaluated(&image, usize::MAX) {
        Ok((_, found)) => found,
        Err(error) => return Some(error.to_string()),
    };
    let norm = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let apart: Vec<f32> = on_host.iter().zip(&on_device).map(|(a, b)| a - b).collect();
    let error = norm(&apart) / norm(&on_host);
    (error.is_nan() || error > TOLERANCE)
        .then(|| format!("the gradient of patches differs by {error} from the host's"))
}

impl Resampled {
    /// A target with one exemplar and nothing else.
    fn of_one(image: Raster, wraps: bool, seed: u64) -> Self {
        let exemplar = Exemplar {
            image,
            mask: None,
            guide: None,
            share: 1.0,
        };
        Self {
            regions: vec![Region {
                exemplars: vec![exemplar],
                mask: None,
            }],
            guide: None,
            nearest: None,
            wraps,
            seed,
            kept_bytes: usize::MAX,
            buffers: Buffers::default(),
            on_device: None,
        }
    }

    /// The distance and the gradient of a picture of any size, where [`distance`](Self::distance) leaves small ones to
    /// the host.
    fn evaluated(&self, image: &Raster, most_at_once: usize) -> Result<(f64, Vec<f32>)> {
        let canvas = Canvas::of(image, self.wraps);
        let mut gradient = vec![0.0; image.values().len()];
        let draw = self.draw(image.channels(), self.filter_side(&canvas), 3);
        let banks = (draw.banks.as_slice(), most_at_once);
        let distance = match self.distance_on_device(canvas, banks, &mut gradient)? {
            Some(distance) => distance,
            None => self.distance(canvas, 3, &mut gradient)?,
        };
        Ok((distance, gradient))
    }
}

/// The distribution of a histogram, with its bins.
fn distribution(words: &[u32]) -> (Bins, Distribution) {
    let [low, high] = [BINS, BINS + 1].map(|index| f32::from_bits(words[index]));
    let bins = Bins::over(Range::of([[low, high].as_slice()]));
    let mut distribution = Distribution::new(bins);
    distribution.add(&words[..BINS], 1.0);
    (bins, distribution)
}

/// The table of a filter, from the histograms of the picture and of the exemplar.
fn table(own: &[u32], other: &[u32]) -> Vec<f32> {
    let (bins, values) = distribution(own);
    let (target_bins, target) = distribution(other);
    let mut table = Vec::with_capacity(TABLE);
    table.extend(bins.low_and_scale());
    table.push(target_bins.standard_deviation(&other[..BINS]));
    debug_assert_eq!(table.len(), FIRST_EDGE);
    table.extend(Transport::new(&values, &target).edges());
    table
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use super::*;
    use crate::resampled::coloured;

    fn raster(height: usize, width: usize, across: f64, down: f64) -> Raster {
        let values = coloured(height, width, across, down).to_pixels();
        Raster::new(Size::new(width, height), 3, values)
    }

    fn target(exemplar: &Raster, wraps: bool) -> Resampled {
        Resampled::of_one(exemplar.clone(), wraps, 5)
    }

    /// Sizes that are and are not multiples of a block's, an exemplar smaller than a block, and short filters.
    #[test]
    fn a_gpu_computes_what_the_host_computes() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        let all = usize::MAX;
        for (size, wraps, exemplar, at_once) in [
            ((97, 131), false, (40, 53), all),
            ((128, 96), true, (70, 64), all),
            ((101, 99), true, (150, 40), 16),
            ((9, 1100), false, (40, 53), 32),
            ((5, 4), true, (6, 9), all),
        ] {
            let image = raster(size.0, size.1, 0.31, 0.17);
            let exemplar = raster(exemplar.0, exemplar.1, 0.8, 0.3);
            let on_host = target(&exemplar, wraps);
            let (distance, gradient) = on_host.evaluated(&image, all).unwrap();
            let on_device = on_host.computed_by(&device);
            assert!(on_device.on_device.is_some());
            let (found, found_gradient) = on_device.evaluated(&image, at_once).unwrap();
            assert!(
                (found / distance - 1.0).abs() < 1e-4,
                "{size:?}: {found} {distance}"
            );
            assert!(found.to_bits() != distance.to_bits(), "the host computed");
            let norm = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
            let apart: Vec<f32> = found_gradient
                .iter()
                .zip(&gradient)
                .map(|(a, b)| a - b)
                .collect();
            let error = norm(&apart) / norm(&gradient);
            assert!(error < TOLERANCE, "{size:?}: {error}");
        }
    }

    #[test]
    fn a_device_is_checked() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        check_device(&device).unwrap();
        for wraps in [false, true] {
            assert_eq!(wrong_result(&device, wraps), None);
        }
    }

    /// Masks and guides are the host's.
    #[test]
    fn what_a_gpu_does_not_compute_stays_on_the_host() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        let exemplar = raster(40, 53, 0.8, 0.3);
        let mut masked = target(&exemplar, false);
        let white = Raster::from_pixels(Size::new(53, 40), |_| [1.0]);
        masked.regions[0].exemplars[0].mask = Some(super::super::Mask::new(&white));
        assert!(masked.computed_by(&device).on_device.is_none());
        let mut two = target(&exemplar, false);
        let other = target(&exemplar, false)
            .regions
            .remove(0)
            .exemplars
            .remove(0);
        two.regions[0].exemplars.push(other);
        assert!(two.computed_by(&device).on_device.is_none());
    }
}
