//! Exemplars that repeat themselves: rows of bricks, tiles, weaves.

use super::planes::Planes;
use crate::imaging::{Raster, Size};
use crate::metrics::Autocorrelation;

/// The exemplar is reduced until its shorter side has at most so many pixels before its periods are
/// looked for.
const SIDE: usize = 128;

/// The correlation with itself, shifted by a period, that a texture has at least, and by how much it
/// rises above the lowest one on the way there. Stones, leaves and grass have less than 0.3, bricks, scales
/// and tiles 0.45 and more.
const LEAST: f64 = 0.4;

/// A shorter period is taken if its correlation is at least this share of the strongest one.
const SHARE: f64 = 0.75;

/// The sine of the angle between two periods, at least.
const APART: f64 = 0.35;

/// Pixels of the shortest period at the reduced size. What repeats faster is grain.
const SHORTEST: f64 = 5.0;

/// One or two vectors `(y, x)` by which a texture looks like itself, in pixels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lattice {
    periods: Vec<[f64; 2]>,
}

/// A local maximum of an autocorrelation.
#[derive(Clone, Copy, Debug)]
struct Peak {
    value: f64,
    period: [f64; 2],
}

impl Peak {
    fn length(&self) -> f64 {
        self.period[0].hypot(self.period[1])
    }

    /// The sine of the angle with another one.
    fn sine(&self, other: &Self) -> f64 {
        let cross = self.period[0] * other.period[1] - self.period[1] * other.period[0];
        (cross / (self.length() * other.length())).abs()
    }
}

impl Lattice {
    /// The periods of a picture, if it has any.
    pub(crate) fn of(picture: &Raster) -> Option<Self> {
        let shorter = picture.size().shorter();
        let factor = (SIDE as f64 / shorter.max(1) as f64).min(1.0);
        let small = picture.resized(picture.size().scaled(factor));
        let correlation = correlation(&small);
        let peaks = peaks(&correlation);
        let strongest = peaks.iter().map(|peak| peak.value).reduce(f64::max)?;
        let strong = peaks.iter().filter(|peak| peak.value >= SHARE * strongest);
        let shortest = |a: &&Peak, b: &&Peak| a.length().total_cmp(&b.length());
        let first = strong.clone().min_by(shortest)?;
        let second = strong
            .filter(|peak| peak.sine(first) > APART)
            .min_by(shortest);
        let Size { width, height } = picture.size();
        let (down, across) = (
            height as f64 / small.size().height as f64,
            width as f64 / small.size().width as f64,
        );
        let periods = [Some(first), second].into_iter().flatten();
        let periods = periods.map(|peak| {
            let [y, x] = refined(peak.period, &correlation);
            [y * down, x * across]
        });
        Some(Self {
            periods: periods.collect(),
        })
    }

    /// Cosines and sines of the phase along each period, `[2 or 4, H, W]`, for a picture whose pixels
    /// are `1 / factor` of those that the periods count in, with `margin` pixels around it. `offsets`
    /// are added to the phases.
    ///
    /// Where it repeats without end (`wraps`), periods change a little so that a whole number of them
    /// fits.
    pub(super) fn phases(
        &self,
        (size, margin): (Size, usize),
        factor: f64,
        offsets: [f64; 2],
        wraps: bool,
    ) -> Planes {
        let whole = size.with_margin(margin);
        let mut planes = Planes::new(2 * self.periods.len(), whole.height, whole.width);
        for (number, frequency) in self.frequencies().into_iter().enumerate() {
            let fitting = |frequency: f64, side: usize| match wraps {
                true => (frequency / factor * side as f64).round() / side as f64,
                false => frequency / factor,
            };
            let (down, across) = (
                fitting(frequency[0], size.height),
                fitting(frequency[1], size.width),
            );
            let place = |pixel: usize| pixel as f64 + 0.5 - margin as f64;
            for y in 0..whole.height {
                for x in 0..whole.width {
                    let phase = down * place(y) + across * place(x) + offsets[number];
                    let (sine, cosine) = (std::f64::consts::TAU * phase).sin_cos();
                    planes.row_mut(2 * number, y)[x] = cosine as f32;
                    planes.row_mut(2 * number + 1, y)[x] = sine as f32;
                }
            }
        }
        planes
    }

    /// The reciprocal vectors: a phase grows by 1 along its own period and by 0 along the other.
    fn frequencies(&self) -> Vec<[f64; 2]> {
        match self.periods[..] {
            [a, b] => {
                let cross = a[0] * b[1] - a[1] * b[0];
                vec![[b[1] / cross, -b[0] / cross], [-a[1] / cross, a[0] / cross]]
            }
            _ => {
                let inverse = |a: &[f64; 2]| {
                    let square = a[0] * a[0] + a[1] * a[1];
                    [a[0] / square, a[1] / square]
                };
                self.periods.iter().map(inverse).collect()
            }
        }
    }
}

/// The autocorrelation of all channels together, over shifts of up to half of the shorter side.
fn correlation(picture: &Raster) -> Autocorrelation {
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
        let share = channel.variance / variance.max(1e-12);
        for (sum, value) in values.iter_mut().zip(&channel.values) {
            *sum += share * value;
        }
    }
    Autocorrelation {
        lag,
        values,
        variance,
    }
}

/// The maxima that may be periods.
fn peaks(correlation: &Autocorrelation) -> Vec<Peak> {
    let lag = correlation.lag as isize;
    let mut peaks = Vec::new();
    for down in 0..lag {
        for across in 1 - lag..lag {
            let length = (down as f64).hypot(across as f64);
            if length < SHORTEST || (down == 0 && across < 0) {
                continue;
            }
            let value = correlation.at(down, across);
            let around = |(y, x)| correlation.at(down + y, across + x);
            let neighbours = (-1..=1).flat_map(|y| (-1..=1).map(move |x| (y, x)));
            if value < LEAST || neighbours.map(around).any(|other| other > value) {
                continue;
            }
            let steps = length as isize;
            let on_the_way = (0..=steps).map(|step| {
                let place = |end: isize| (end as f64 * step as f64 / steps as f64).round() as isize;
                correlation.at(place(down), place(across))
            });
            let lowest = on_the_way.fold(f64::INFINITY, f64::min);
            if value - lowest >= LEAST {
                peaks.push(Peak {
                    value,
                    period: [down as f64, across as f64],
                });
            }
        }
    }
    peaks
}

/// A period to a fraction of a pixel: that of the farthest of its multiples that is a maximum, too.
fn refined(period: [f64; 2], correlation: &Autocorrelation) -> [f64; 2] {
    let lag = correlation.lag as isize;
    let inside = |y: isize, x: isize| y.abs() < lag && x.abs() < lag;
    let mut refined = period;
    for multiple in 1.. {
        let times = f64::from(multiple);
        let (y, x) = (
            (refined[0] * times).round() as isize,
            (refined[1] * times).round() as isize,
        );
        let near = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (y + dy, x + dx)));
        let near: Vec<(isize, isize)> = near.filter(|(y, x)| inside(*y, *x)).collect();
        let value = |place: &(isize, isize)| correlation.at(place.0, place.1);
        let highest = near.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
        let Some(&(y, x)) = highest.filter(|_| near.len() == 9) else {
            break;
        };
        // The vertex of the parabola through three values.
        let vertex = |before: f64, at: f64, after: f64| {
            let curvature = before - 2.0 * at + after;
            match curvature < 0.0 {
                true => (0.5 * (before - after) / curvature).clamp(-0.5, 0.5),
                false => 0.0,
            }
        };
        let at = correlation.at(y, x);
        let down = vertex(correlation.at(y - 1, x), at, correlation.at(y + 1, x));
        let across = vertex(correlation.at(y, x - 1), at, correlation.at(y, x + 1));
        if at < 0.5 * LEAST {
            break;
        }
        refined = [(y as f64 + down) / times, (x as f64 + across) / times];
    }
    refined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Light that repeats by `(0, a)` and `(b, shift)`.
    fn repeating(size: Size, a: f64, (b, shift): (f64, f64)) -> Raster {
        Raster::from_pixels(size, |pixel| {
            let (y, x) = ((pixel / size.width) as f64, (pixel % size.width) as f64);
            let v = y / b;
            let u = (x - shift * v) / a;
            let wave = |phase: f64| (std::f64::consts::TAU * phase).cos();
            let light = 0.5 + 0.2 * wave(u) + 0.2 * wave(v) + 0.1 * wave(u + v);
            [light as f32, 0.5, 1.0 - light as f32]
        })
    }

    #[test]
    fn periods_are_found_to_a_fraction_of_a_pixel() {
        for (size, a, (b, shift)) in [
            (Size::new(200, 180), 31.3, (24.7, 0.0)),
            (Size::new(300, 400), 40.0, (37.2, 20.0)),
            (Size::square(100), 12.5, (17.0, 0.0)),
        ] {
            let lattice = Lattice::of(&repeating(size, a, (b, shift))).unwrap();
            // Whichever two were taken, both are whole numbers of the true ones.
            for [y, x] in &lattice.periods {
                let v = y / b;
                let u = (x - shift * v) / a;
                assert!(
                    (u - u.round()).abs() < 0.02 && (v - v.round()).abs() < 0.02,
                    "{u} {v}"
                );
                assert!(u.hypot(v) < 1.6, "{u} {v}");
            }
            assert_eq!(lattice.periods.len(), 2);
        }
    }

    #[test]
    fn phases_grow_by_one_along_a_period() {
        let lattice = Lattice {
            periods: vec![[20.0, 5.0], [0.0, 30.0]],
        };
        let planes = lattice.phases((Size::new(60, 50), 4), 0.5, [0.25, 0.0], false);
        assert_eq!((planes.channels, planes.height, planes.width), (4, 58, 68));
        for channel in 0..4 {
            // At half the size a period is (10, 2.5): twice that are (20, 5) pixels.
            let (a, b) = (planes.row(channel, 10)[10], planes.row(channel, 30)[15]);
            assert!((a - b).abs() < 1e-5, "{a} {b}");
            let (a, b) = (planes.row(channel, 10)[10], planes.row(channel, 10)[25]);
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        // A tile holds a whole number of periods.
        let planes = lattice.phases((Size::new(44, 27), 0), 0.5, [0.0, 0.0], true);
        let step = |a: f32, b: f32| (a - b).abs();
        for channel in 0..4 {
            for y in 0..27 {
                let row = planes.row(channel, y);
                let across = step(row[43], row[0]);
                let inside = step(row[1], row[0]).max(step(row[43], row[42]));
                assert!(across < 2.0 * inside + 0.05, "{channel} {y}");
            }
        }
    }

    #[test]
    fn what_does_not_repeat_has_no_periods() {
        let noise = crate::random::normal(3, crate::random::Purpose::Noise, 0, 120 * 100);
        let size = Size::new(120, 100);
        let noise = Raster::new(size, 1, noise);
        // Smoothed, so that it has structure of some size.
        let smooth = noise.resized(Size::new(12, 10)).resized(size);
        assert_eq!(Lattice::of(&noise), None);
        assert_eq!(Lattice::of(&smooth), None);
        let flat = |side| Raster::from_pixels(Size::square(side), |_| [0.3, 0.2]);
        for side in [1, 2, 9, 64] {
            assert_eq!(Lattice::of(&flat(side)), None);
        }
        let ramp = Raster::from_pixels(size, |pixel| [(pixel % 120) as f32]);
        assert_eq!(Lattice::of(&ramp), None);
    }
}
