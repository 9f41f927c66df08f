//! Whether a device computes what the host computes.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

use super::{Objective, computes, on_device};
use crate::backend::{guarded, read};
use crate::device;
use crate::error::{DeviceReason, Error, Result};
use crate::imaging::{Raster, Size, luminance};
use crate::resampled::buffers::Buffers;
use crate::resampled::{Canvas, Content, Exemplar, Guide, Painting, Region, Resampled};

/// The largest error of a device that is trusted, as a share of the norm of the gradient. A value at the border of two
/// bins or classes may fall into either, by rounding.
pub(super) const TOLERANCE: f32 = 2e-3;

/// Compares what a device computes of small pictures with what the host computes, once for each device and for textures and
/// paintings.
///
/// # Errors
///
/// [`Error::DeviceUnavailable`] naming adapter and driver if they differ, or if the device fails.
pub(crate) fn check_device(device: &Device, painting: bool) -> Result<()> {
    static PASSED: Mutex<Vec<(Device, bool)>> = Mutex::new(Vec::new());
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let checked = (device.clone(), painting);
    if passed.contains(&checked) || !computes(device) {
        return Ok(());
    }
    for wraps in [false, true] {
        if let Some(found) = wrong_result(device, wraps, painting) {
            let adapter = device::info_of(device).map_or_else(String::new, |info| {
                format!("{}, {}", info.adapter, info.driver)
            });
            let reason = DeviceReason::WrongResults { adapter, found };
            return Err(Error::unavailable(device::name_of(device), reason));
        }
    }
    passed.push(checked);
    Ok(())
}

/// What is wrong with what a device computes, if anything is.
pub(super) fn wrong_result(device: &Device, wraps: bool, painting: bool) -> Option<String> {
    let picture = |height: usize, width: usize, step: usize| {
        let value = |index: usize| ((index * step + index / 11) % 97) as f32 / 97.0;
        Raster::new(
            Size::new(width, height),
            3,
            (0..height * width * 3).map(value).collect(),
        )
    };
    // More positions than a workgroup has, so that several add to one histogram.
    let (height, width) = (97, 131);
    let image = picture(height, width, 7);
    let style = Resampled::of_one(picture(71, 83, 13), wraps, 1);
    let guide = painting.then(|| Guide::of(&picture(height, width, 11)));
    let middle = |pixel: usize| [if pixel % width < width / 2 { 1.0 } else { 0.0 }];
    let mask = Raster::from_pixels(Size::new(width, height), middle);
    let target = Painting {
        content: Content::of(luminance(&picture(height, width, 5)), Some(&mask)),
        style: match guide {
            Some(guide) => style.guided(guide),
            None => style,
        },
        weight: if painting { 0.15 } else { 0.0 },
        device: device.clone(),
    };
    let (on_host, on_device) = match both(&target, &image, device, usize::MAX) {
        Ok(Some(both)) => both,
        // Without kernels for the device the host computes.
        Ok(None) => return None,
        Err(error) => return Some(error.to_string()),
    };
    let terms = on_device.terms.iter().zip(on_host.terms);
    let of_terms = terms.map(|(found, expected)| (found - expected).abs() / expected.max(1e-9));
    let mut errors = of_terms
        .map(|error| error as f32)
        .chain([on_device.error(&on_host)]);
    // A NaN is no number below.
    let wrong = errors.find(|error| !is_right(*error))?;
    Some(format!(
        "distances of patches or their gradient differ by {wrong} from the host's"
    ))
}

fn is_right(error: f32) -> bool {
    error <= TOLERANCE
}

/// The terms and the gradient of a picture.
pub(super) struct Evaluated {
    pub(super) terms: [f64; 2],
    pub(super) gradient: Vec<f32>,
}

impl Evaluated {
    /// The norm of the difference of two gradients, as a share of the other one's.
    pub(super) fn error(&self, other: &Self) -> f32 {
        let norm = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
        let pairs = self.gradient.iter().zip(&other.gradient);
        let apart: Vec<f32> = pairs.map(|(a, b)| a - b).collect();
        norm(&apart) / norm(&other.gradient)
    }
}

/// What the host and a device find at a picture of any size, the latter with at most that many filters at once. None: the
/// device has no kernels for the target.
pub(super) fn both(
    target: &Painting,
    image: &Raster,
    device: &Device,
    most: usize,
) -> Result<Option<(Evaluated, Evaluated)>> {
    const DRAW: u32 = 3;
    let (size, wraps) = (image.size(), target.style.wraps);
    let mut gradient = vec![0.0; image.values().len()];
    let terms = target.distance(Canvas::of(image, wraps), DRAW, &mut gradient);
    let on_host = Evaluated { terms, gradient };
    let content = Some((&target.content, target.weight));
    let Some(objective) = Objective::new(&target.style, content, device)? else {
        return Ok(None);
    };
    let Some(at_once) = objective.filters_at_once(size) else {
        return Ok(None);
    };
    guarded(|| {
        let picture = on_device(image, wraps, device);
        let lists = objective.gradients(&picture, size, (DRAW, at_once.min(most)))?;
        let mut gradient: Vec<f32> = read(lists.first)?;
        let count = image.values().len();
        let sum = |values: Vec<f32>| values.into_iter().map(f64::from).sum::<f64>();
        let mut terms = [sum(gradient.split_off(count)) / super::FILTERS as f64, 0.0];
        if let Some(second) = lists.second {
            let mut second: Vec<f32> = read(second)?;
            terms[1] = sum(second.split_off(count));
            let pairs = gradient.iter_mut().zip(second);
            pairs.for_each(|(sum, value)| *sum += value);
        }
        Ok(Some((on_host, Evaluated { terms, gradient })))
    })
}

impl Resampled {
    /// A target with one exemplar and nothing else.
    pub(super) fn of_one(image: Raster, wraps: bool, seed: u64) -> Self {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_that_is_no_number_is_right() {
        assert!(is_right(0.0) && is_right(TOLERANCE));
        assert!(!is_right(1.1 * TOLERANCE) && !is_right(f32::NAN) && !is_right(f32::INFINITY));
        let [zero, nan] = [0.0, f32::NAN].map(|value| Evaluated {
            terms: [f64::from(value); 2],
            gradient: vec![value; 4],
        });
        assert!(!is_right(nan.error(&zero)) && !is_right(zero.error(&nan)));
    }
}
