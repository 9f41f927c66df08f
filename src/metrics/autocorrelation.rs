//! Autocorrelation of a plane of numbers.

use rayon::prelude::*;

/// The normalised autocorrelation of a plane, and its variance.
pub(crate) struct Autocorrelation {
    /// The largest shift, in rows and in columns.
    pub(crate) lag: usize,
    /// Correlations at the shifts `(0..=lag, -lag..=lag)`, row by row.
    pub(crate) values: Vec<f64>,
    pub(crate) variance: f64,
}

impl Autocorrelation {
    /// The autocorrelation of a plane `f` with rows of `width` numbers:
    ///
    /// ```text
    /// rho(d) = 1 / (M_d var f) sum over p of (f(p) - m) (f(p + d) - m)
    /// ```
    ///
    /// `m` is the mean, and `M_d` the number of positions `p` for which `p + d` lies in the plane.
    pub(crate) fn of(plane: &[f64], width: usize, lag: usize) -> Self {
        let height = plane.len() / width;
        let count = plane.len() as f64;
        let mean = plane.iter().sum::<f64>() / count;
        let plane: Vec<f64> = plane.iter().map(|value| value - mean).collect();
        let variance = plane.iter().map(|value| value * value).sum::<f64>() / count;
        let columns = 2 * lag + 1;
        let correlations = (0..(lag + 1) * columns).into_par_iter().map(|index| {
            let (down, across) = (index / columns, (index % columns) as isize - lag as isize);
            let shift = across.unsigned_abs();
            let (left, right) = if across < 0 { (shift, 0) } else { (0, shift) };
            let overlap = width - shift;
            let mut sum = 0.0;
            for y in 0..height - down {
                let near = &plane[y * width + left..][..overlap];
                let far = &plane[(y + down) * width + right..][..overlap];
                sum += near.iter().zip(far).map(|(a, b)| a * b).sum::<f64>();
            }
            // A flat plane has correlation zero.
            sum / (((height - down) * overlap) as f64 * variance.max(1e-12))
        });
        Self {
            lag,
            values: correlations.collect(),
            variance,
        }
    }

    /// The correlation at a shift. Both coordinates may be negative.
    pub(crate) fn at(&self, down: isize, across: isize) -> f64 {
        let (down, across) = if down < 0 {
            (-down, -across)
        } else {
            (down, across)
        };
        let columns = 2 * self.lag + 1;
        self.values[down as usize * columns + (across + self.lag as isize) as usize]
    }
}
