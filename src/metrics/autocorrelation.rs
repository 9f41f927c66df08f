//! How a plane of numbers correlates with itself, shifted.

use rayon::prelude::*;

/// Correlations over shifts, and the variance that they are shares of.
pub(crate) struct Autocorrelation {
    /// The largest shift down and, to either side, across.
    pub(crate) lag: usize,
    /// For shifts `(0..=lag, -lag..=lag)`, row by row.
    pub(crate) values: Vec<f64>,
    pub(crate) variance: f64,
}

impl Autocorrelation {
    /// Of a plane with rows of `width` numbers:
    ///
    /// ```text
    /// rho(d) = 1 / (M_d var f) sum over p of (f(p) - m) (f(p + d) - m)
    /// ```
    ///
    /// with `m` the mean, and `M_d` the number of positions `p` for which `p + d` lies in the plane.
    pub(crate) fn of(plane: &[f64], width: usize, lag: usize) -> Self {
        let height = plane.len() / width;
        let count = plane.len() as f64;
        let mean = plane.iter().sum::<f64>() / count;
        let plane: Vec<f64> = plane.iter().map(|value| value - mean).collect();
        let variance = plane.iter().map(|value| value * value).sum::<f64>() / count;
        let along = 2 * lag + 1;
        let correlations = (0..(lag + 1) * along).into_par_iter().map(|place| {
            let (down, across) = (place / along, (place % along) as isize - lag as isize);
            let shift = across.unsigned_abs();
            let (left, right) = if across < 0 { (shift, 0) } else { (0, shift) };
            let overlap = width - shift;
            let mut sum = 0.0;
            for y in 0..height - down {
                let near = &plane[y * width + left..][..overlap];
                let far = &plane[(y + down) * width + right..][..overlap];
                sum += near.iter().zip(far).map(|(a, b)| a * b).sum::<f64>();
            }
            // What is flat correlates with nothing.
            sum / (((height - down) * overlap) as f64 * variance.max(1e-12))
        });
        Self {
            lag,
            values: correlations.collect(),
            variance,
        }
    }

    /// At a shift, of which `down` may be negative.
    pub(crate) fn at(&self, down: isize, across: isize) -> f64 {
        let (down, across) = if down < 0 {
            (-down, -across)
        } else {
            (down, across)
        };
        let along = 2 * self.lag + 1;
        self.values[down as usize * along + (across + self.lag as isize) as usize]
    }
}
