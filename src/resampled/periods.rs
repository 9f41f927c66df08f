//! Candidates for periods: peaks of a picture's autocorrelation.

use crate::imaging::{Raster, Size};
use crate::metrics::Autocorrelation;

/// The least correlation at a period, and the least rise of it above the lowest correlation on the straight
/// line to it. Stones, leaves and grass stay below 0.3; bricks, scales and tiles have 0.45 and more.
const LEAST_CORRELATION: f64 = 0.4;

/// The length in pixels of the shortest period. Repetition at smaller scales is grain.
const SHORTEST: f64 = 5.0;

/// A local maximum of an autocorrelation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    pub(super) correlation: f64,
    /// `(y, x)` in pixels.
    pub(super) shift: [f64; 2],
}

impl Peak {
    pub(super) fn length(&self) -> f64 {
        self.shift[0].hypot(self.shift[1])
    }

    /// The sine of the angle to another one.
    pub(super) fn sine(&self, other: &Self) -> f64 {
        let cross = self.shift[0] * other.shift[1] - self.shift[1] * other.shift[0];
        (cross / (self.length() * other.length())).abs()
    }
}

/// The autocorrelation of all channels together, over shifts of up to half of the shorter side.
pub(super) fn total_autocorrelation(picture: &Raster) -> Autocorrelation {
    let Size { width, .. } = picture.size();
    let lag = picture.size().shorter() / 2;
    let channels = (0..picture.channels()).map(|channel| {
        let plane: Vec<f64> = picture
            .pixels()
            .map(|pixel| f64::from(pixel[channel]))
            .collect();
        Autocorrelation::of(&plane, width, lag)
    });
    let channels: Vec<Autocorrelation> = channels.collect();
    let variance: f64 = channels.iter().map(|channel| channel.variance).sum();
    let mut values = vec![0.0; (lag + 1) * (2 * lag + 1)];
    for channel in &channels {
        let weight = channel.variance / variance.max(1e-12);
        for (sum, value) in values.iter_mut().zip(&channel.values) {
            *sum += weight * value;
        }
    }
    Autocorrelation {
        lag,
        values,
        variance,
    }
}

/// The local maxima that may be periods.
pub(super) fn peaks(correlation: &Autocorrelation) -> Vec<Peak> {
    let lag = correlation.lag as isize;
    let mut peaks = Vec::new();
    for y in 0..lag {
        for x in 1 - lag..lag {
            let length = (y as f64).hypot(x as f64);
            if length < SHORTEST || (y == 0 && x < 0) {
                continue;
            }
            let value = correlation.at(y, x);
            let mut neighbours = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx)));
            if value < LEAST_CORRELATION
                || neighbours.any(|(dy, dx)| correlation.at(y + dy, x + dx) > value)
            {
                continue;
            }
            let steps = length as isize;
            let line = (0..=steps).map(|step| {
                let part = |end: isize| (end as f64 * step as f64 / steps as f64).round() as isize;
                correlation.at(part(y), part(x))
            });
            let lowest = line.fold(f64::INFINITY, f64::min);
            if value - lowest >= LEAST_CORRELATION {
                peaks.push(Peak {
                    correlation: value,
                    shift: [y as f64, x as f64],
                });
            }
        }
    }
    peaks
}

/// A period to a fraction of a pixel: the position of its highest multiple that is a local maximum, too,
/// divided by the multiple.
pub(super) fn refined(period: [f64; 2], correlation: &Autocorrelation) -> [f64; 2] {
    let lag = correlation.lag as isize;
    let inside = |y: isize, x: isize| y.abs() < lag && x.abs() < lag;
    let mut refined = period;
    for multiple in 1.. {
        let multiple = f64::from(multiple);
        let (y, x) = (
            (refined[0] * multiple).round() as isize,
            (refined[1] * multiple).round() as isize,
        );
        let near = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (y + dy, x + dx)));
        let near: Vec<(isize, isize)> = near.filter(|(y, x)| inside(*y, *x)).collect();
        let value = |shift: &(isize, isize)| correlation.at(shift.0, shift.1);
        let highest = near.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
        let Some(&(y, x)) = highest.filter(|_| near.len() == 9) else {
            break;
        };
        let peak = correlation.at(y, x);
        if peak < 0.5 * LEAST_CORRELATION {
            break;
        }
        let dy = parabola_vertex(correlation.at(y - 1, x), peak, correlation.at(y + 1, x));
        let dx = parabola_vertex(correlation.at(y, x - 1), peak, correlation.at(y, x + 1));
        refined = [(y as f64 + dy) / multiple, (x as f64 + dx) / multiple];
    }
    refined
}

/// The vertex of the parabola through values at -1, 0 and 1.
fn parabola_vertex(before: f64, middle: f64, after: f64) -> f64 {
    let curvature = before - 2.0 * middle + after;
    match curvature < 0.0 {
        true => (0.5 * (before - after) / curvature).clamp(-0.5, 0.5),
        false => 0.0,
    }
}
