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

/// The smoothed structure tensor of the luminance `I`: `Ix^2 - Iy^2`, `2 Ix Iy` and the energy
/// `Ix^2 + Iy^2`, divided by the mean energy. A Gaussian of that standard deviation in pixels smooths it.
pub(super) fn structure_tensor(picture: &Planes, smoothing: f32) -> Planes {
    let luminance = luminance(picture);
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
    let mut tensor = smoothed(&tensor, smoothing);
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

/// A plane with mean 0 and standard deviation 1.
pub(super) fn standardised(plane: &Planes) -> Planes {
    let (mean, deviation) = moments(plane, 0);
    let mut standardised = plane.clone();
    for y in 0..plane.height {
        for value in standardised.row_mut(0, y) {
            *value = (*value - mean) / deviation.max(1e-6);
        }
    }
    standardised
}

/// Filters by a Gaussian of that standard deviation in pixels. Beyond the border it repeats the nearest pixels.
pub(super) fn smoothed(planes: &Planes, deviation: f32) -> Planes {
    let reach = (3.0 * deviation).ceil() as isize;
    let weight = |offset: isize| (-(offset * offset) as f32 / (2.0 * deviation * deviation)).exp();
    let sum: f32 = (-reach..=reach).map(weight).sum();
    let weights: Vec<(isize, f32)> = (-reach..=reach)
        .map(|offset| (offset, weight(offset) / sum))
        .collect();
    let nearest = |coordinate: usize, offset: isize, length: usize| {
        (coordinate as isize + offset).clamp(0, length as isize - 1) as usize
    };
    let mut rows = Planes::new(planes.channels, planes.height, planes.width);
    let mut both = rows.clone();
    for channel in 0..planes.channels {
        for y in 0..planes.height {
            let row = planes.row(channel, y);
            for (x, value) in rows.row_mut(channel, y).iter_mut().enumerate() {
                let taps = weights.iter();
                *value = taps
                    .map(|(offset, weight)| weight * row[nearest(x, *offset, row.len())])
                    .sum();
            }
        }
        for y in 0..planes.height {
            for (offset, weight) in &weights {
                let row = rows.row(channel, nearest(y, *offset, planes.height));
                for (sum, value) in both.row_mut(channel, y).iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
        }
    }
    both
}
