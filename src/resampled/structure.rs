//! Luminance and structure tensor of a picture.

use super::planes::Planes;
use crate::imaging::luma_weights;

/// The luma of a picture with three channels, or the mean of its channels for any other number.
pub(super) fn luminance(picture: &Planes) -> Planes {
    let mut luminance = Planes::new(1, picture.height, picture.width);
    for (channel, weight) in luma_weights(picture.channels).into_iter().enumerate() {
        for y in 0..picture.height {
            let values = picture.row(channel, y).iter();
            for (sum, value) in luminance.row_mut(0, y).iter_mut().zip(values) {
                *sum += weight * value;
            }
        }
    }
    luminance
}

/// The smoothed structure tensor of a luminance `I`: `Ix^2 - Iy^2`, `2 Ix Iy` and the energy
/// `Ix^2 + Iy^2`, divided by the mean energy. A Gaussian of that standard deviation in pixels smooths it.
pub(super) fn structure_tensor(luminance: &Planes, smoothing: f32) -> Planes {
    let (height, width) = (luminance.height, luminance.width);
    let mut tensor = Planes::new(3, height, width);
    for y in 0..height {
        let (above, below) = (
            luminance.row(0, y.saturating_sub(1)),
            luminance.row(0, (y + 1).min(height - 1)),
        );
        let row = luminance.row(0, y);
        for x in 0..width {
            let dx = row[(x + 1).min(width - 1)] - row[x.saturating_sub(1)];
            let dy = below[x] - above[x];
            tensor.row_mut(0, y)[x] = dx * dx - dy * dy;
            tensor.row_mut(1, y)[x] = 2.0 * dx * dy;
            tensor.row_mut(2, y)[x] = dx * dx + dy * dy;
        }
    }
    smooth(&mut tensor, smoothing);
    tensor.scale(1.0 / moments(&tensor, 2).0.max(1e-12));
    tensor
}

/// Mean and standard deviation of a channel.
pub(super) fn moments(planes: &Planes, channel: usize) -> (f32, f32) {
    let (mut sum, mut squares) = (0.0, 0.0);
    for y in 0..planes.height {
        for value in planes.row(channel, y) {
            sum += f64::from(*value);
            squares += f64::from(*value) * f64::from(*value);
        }
    }
    let count = (planes.height * planes.width).max(1) as f64;
    let mean = sum / count;
    let variance = (squares / count - mean * mean).max(0.0);
    (mean as f32, variance.sqrt() as f32)
}

/// Gives a plane mean 0 and standard deviation 1.
pub(super) fn standardise(plane: &mut Planes) {
    let (mean, deviation) = moments(plane, 0);
    for y in 0..plane.height {
        for value in plane.row_mut(0, y) {
            *value = (*value - mean) / deviation.max(1e-6);
        }
    }
}

/// Filters by a Gaussian of that standard deviation in pixels. Beyond the border it repeats the nearest pixels.
pub(super) fn smooth(planes: &mut Planes, deviation: f32) {
    let reach = (3.0 * deviation).ceil() as isize;
    let weight = |offset: isize| (-(offset * offset) as f32 / (2.0 * deviation * deviation)).exp();
    let sum: f32 = (-reach..=reach).map(weight).sum();
    let weights: Vec<(isize, f32)> = (-reach..=reach)
        .map(|offset| (offset, weight(offset) / sum))
        .collect();
    let nearest = |coordinate: usize, offset: isize, length: usize| {
        (coordinate as isize + offset).clamp(0, length as isize - 1) as usize
    };
    // One channel at a time: all would take the memory of two more copies.
    let mut rows = Planes::new(1, planes.height, planes.width);
    for channel in 0..planes.channels {
        for y in 0..planes.height {
            let row = planes.row(channel, y);
            for (x, value) in rows.row_mut(0, y).iter_mut().enumerate() {
                let taps = weights.iter();
                *value = taps
                    .map(|(offset, weight)| weight * row[nearest(x, *offset, row.len())])
                    .sum();
            }
        }
        for y in 0..planes.height {
            let sums = planes.row_mut(channel, y);
            sums.fill(0.0);
            for (offset, weight) in &weights {
                let row = rows.row(0, nearest(y, *offset, rows.height));
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
        }
    }
}
