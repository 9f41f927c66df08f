//! Means, spreads and quartiles of a handful of figures.

/// What a box of a box plot shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) mean: f64,
    /// Standard deviation of one, from n - 1.
    pub(crate) deviation: f64,
    pub(crate) least: f64,
    pub(crate) lower: f64,
    pub(crate) median: f64,
    pub(crate) upper: f64,
    pub(crate) most: f64,
}

impl Summary {
    /// Of the finite ones among `values`; none if there are none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let mut sorted: Vec<f64> = finite.collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len();
        let mean = sorted.iter().sum::<f64>() / count as f64;
        let squares: f64 = sorted.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = match count {
            1 => 0.0,
            _ => (squares / (count - 1) as f64).sqrt(),
        };
        // Between neighbours in proportion: Hyndman and Fan (1996), definition 7.
        let quantile = |share: f64| {
            let place = share * (count - 1) as f64;
            let (below, part) = (place as usize, place.fract());
            let above = sorted[(below + 1).min(count - 1)];
            sorted[below] * (1.0 - part) + above * part
        };
        Some(Self {
            count,
            mean,
            deviation,
            least,
            lower: quantile(0.25),
            median: quantile(0.5),
            upper: quantile(0.75),
            most,
        })
    }

    /// `mean ± deviation`.
    pub(crate) fn short(&self) -> String {
        match self.count {
            1 => number(self.mean),
            _ => format!("{} ± {}", number(self.mean), number(self.deviation)),
        }
    }

    /// Standard error of the mean.
    pub(crate) fn error(&self) -> f64 {
        self.deviation / (self.count as f64).sqrt()
    }
}

/// A number as people write it: three figures that count.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "–".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.001 || size == 0.0 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}
