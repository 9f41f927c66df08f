//! Comparison of the responses of one filter with the exemplars' of a region.

use std::ops::Range as Interval;

use pulp::Arch;

use super::labels::OUTSIDE;
use super::source::Source;
use super::table::{Sums, Table};
use super::transport::{Bins, Distribution, Range, Transport};

/// The gradient of a difference is linear in the difference below this many standard deviations of the
/// exemplar's responses, and depends on its sign alone above.
pub(super) const SOFT: f32 = 0.05;

/// How the responses of one filter in one region are compared with the exemplars'.
pub(super) struct Comparison {
    /// Transport of each class. None: the class is empty here or in the exemplars.
    pub(super) classes: Vec<Option<Transport>>,
    /// Standard deviation of the exemplars' responses.
    pub(super) s: f32,
    /// Positions with a transport.
    pub(super) count: u64,
}

/// The exemplars of a region.
pub(super) struct Target {
    exemplars: Vec<Histograms>,
    bins: Option<Table<Bins>>,
}

/// What is counted of one exemplar.
struct Histograms {
    counts: Table<u32>,
    moments: Table<Sums>,
    share: f32,
}

impl Target {
    pub(super) fn of(exemplars: &[(Source<'_>, f32)]) -> Self {
        let ranges = exemplars.iter().map(|(source, _)| source.ranges());
        let bins = ranges.reduce(|a, b| a.united(&b, Range::union));
        let bins = bins.map(|ranges| ranges.mapped(Bins::over));
        let histograms = bins.iter().flat_map(|bins| {
            exemplars.iter().map(|(source, share)| Histograms {
                counts: source.histograms(bins),
                moments: source.moments(),
                share: *share,
            })
        });
        Self {
            exemplars: histograms.collect(),
            bins,
        }
    }

    /// The mixture's distribution in a class, if the class has positions.
    pub(super) fn distribution(
        &self,
        bank: usize,
        class: usize,
        filter: usize,
    ) -> Option<Distribution> {
        let bins = self.bins.as_ref()?.at(bank, 0, class, filter)[0];
        let mut distribution = Distribution::new(bins);
        let mut empty = true;
        for exemplar in &self.exemplars {
            let histogram = exemplar.counts.at(bank, 0, class, filter);
            if histogram.iter().any(|count| *count > 0) {
                distribution.add(histogram, exemplar.share);
                empty = false;
            }
        }
        (!empty).then_some(distribution)
    }

    /// The mean standard deviation of responses. A mask can have no white pixel at a small size. Its
    /// exemplar has no values then and is left out.
    pub(super) fn standard_deviation(&self, bank: usize, filter: usize) -> f32 {
        let (mut s, mut shares) = (0.0, 0.0);
        for exemplar in &self.exemplars {
            let moments = exemplar.moments.at(bank, 0, 0, filter)[0];
            if moments.count > 0 {
                s += exemplar.share * moments.standard_deviation();
                shares += exemplar.share;
            }
        }
        s / shares
    }
}

impl Comparison {
    /// Writes the gradients at the responses in a row. Returns the sum of the distances from position
    /// `first` on, in standard deviations.
    pub(super) fn row_gradient(
        &self,
        values: &[f32],
        labels: Option<&[u8]>,
        first: usize,
        gradient: &mut [f32],
    ) -> f64 {
        let (s, soft) = (self.s, SOFT * self.s);
        let mut sum = 0.0;
        match labels {
            None => {
                let Some(Some(transport)) = self.classes.first() else {
                    return 0.0;
                };
                let mut piece = |range: Interval<usize>| {
                    transport_gradient((transport, s), &values[range.clone()], &mut gradient[range])
                };
                piece(0..first);
                sum = piece(first..values.len());
            }
            Some(labels) => {
                let places = values.iter().zip(labels).zip(gradient).enumerate();
                for (x, ((value, label), gradient)) in places {
                    if *label == OUTSIDE {
                        continue;
                    }
                    if let Some(transport) = &self.classes[usize::from(*label)] {
                        let difference = value - transport.apply(*value);
                        *gradient = difference / ((difference.abs() + soft) * s);
                        if x >= first {
                            sum += difference.abs();
                        }
                    }
                }
            }
        }
        // Without responses of an exemplar there is no standard deviation, and no distance either.
        if sum == 0.0 { 0.0 } else { f64::from(sum / s) }
    }
}

/// Writes the gradient of each value's distance from its transported value. Returns the sum of the
/// distances.
fn transport_gradient(
    (transport, s): (&Transport, f32),
    values: &[f32],
    gradient: &mut [f32],
) -> f32 {
    let soft = SOFT * s;
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut sum = 0.0;
            for (value, gradient) in values.iter().zip(gradient) {
                let difference = value - transport.apply(*value);
                sum += difference.abs();
                *gradient = difference / ((difference.abs() + soft) * s);
            }
            sum
        },
    )
}
