//! The lattice of periods of an exemplar that repeats itself: rows of bricks, tiles, weaves.

use super::periods::{Peak, peaks, refined, total_autocorrelation};
use super::planes::Planes;
use crate::imaging::{Raster, Size};

/// The exemplar is shrunk until its shorter side has at most this many pixels, before the search for
/// periods.
const SIDE: usize = 128;

/// The least correlation of a period, as a share of the strongest one. Of all periods above it the shortest
/// are taken.
const STRENGTH: f64 = 0.75;

/// The least sine of the angle between two periods.
const LEAST_SINE: f64 = 0.35;

/// One or two vectors `(y, x)` in pixels. Shifted by one of them a texture looks like itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lattice {
    periods: Vec<[f64; 2]>,
}

impl Lattice {
    /// The periods of a picture, if it has any.
    pub(crate) fn of(picture: &Raster) -> Option<Self> {
        let shorter = picture.size().shorter();
        let factor = (SIDE as f64 / shorter.max(1) as f64).min(1.0);
        let small = picture.resized(picture.size().scaled(factor));
        let correlation = total_autocorrelation(&small);
        let peaks = peaks(&correlation);
        let strongest = peaks.iter().map(|peak| peak.correlation).reduce(f64::max)?;
        let strong = peaks
            .iter()
            .filter(|peak| peak.correlation >= STRENGTH * strongest);
        let shorter = |a: &&Peak, b: &&Peak| a.length().total_cmp(&b.length());
        let first = strong.clone().min_by(shorter)?;
        let second = strong
            .filter(|peak| peak.sine(first) > LEAST_SINE)
            .min_by(shorter);
        let Size { width, height } = picture.size();
        let (y_scale, x_scale) = (
            height as f64 / small.size().height as f64,
            width as f64 / small.size().width as f64,
        );
        let periods = [Some(first), second].into_iter().flatten();
        let periods = periods.map(|peak| {
            let [y, x] = refined(peak.shift, &correlation);
            [y * y_scale, x * x_scale]
        });
        Some(Self {
            periods: periods.collect(),
        })
    }

    /// Cosines and sines of the phase along each period, `[2 or 4, H, W]`, for a picture of `size` with
    /// `margin` pixels on every side. The picture has `factor` times the resolution of the picture that the
    /// lattice was found in. `offsets` are the phases at the picture's corner, in periods.
    ///
    /// With `wraps` the periods change a little, so that a whole number of them fits into the picture.
    pub(super) fn phases(
        &self,
        (size, margin): (Size, usize),
        factor: f64,
        offsets: [f64; 2],
        wraps: bool,
    ) -> Planes {
        let extended = size.with_margin(margin);
        let mut planes = Planes::new(2 * self.periods.len(), extended.height, extended.width);
        for (number, frequency) in self.frequencies().into_iter().enumerate() {
            let fitted = |frequency: f64, side: usize| match wraps {
                true => (frequency / factor * side as f64).round() / side as f64,
                false => frequency / factor,
            };
            let (y_frequency, x_frequency) = (
                fitted(frequency[0], size.height),
                fitted(frequency[1], size.width),
            );
            let coordinate = |pixel: usize| pixel as f64 + 0.5 - margin as f64;
            for y in 0..extended.height {
                for x in 0..extended.width {
                    let phase =
                        y_frequency * coordinate(y) + x_frequency * coordinate(x) + offsets[number];
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with the periods `(0, a)` and `(b, shift)`.
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
            // Any two periods may be found. Both are sums of whole numbers of the true ones.
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
            // At half the size a period is (10, 2.5), and two of them are (20, 5) pixels.
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
    fn pictures_that_do_not_repeat_have_no_periods() {
        let noise = crate::random::normal(3, crate::random::Purpose::Noise, 0, 120 * 100);
        let size = Size::new(120, 100);
        let noise = Raster::new(size, 1, noise);
        // Smooth noise has structure, but none that repeats.
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
