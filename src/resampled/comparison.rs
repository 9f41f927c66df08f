//! Comparison of the responses of one filter with the exemplars' of a region.

use super::classes::RowBuffers;
use super::row_gradient::{ClassTransports, Map};
use super::source::Source;
use super::table::{Sums, Table};
use super::transport::{Bins, Distribution, Range, Transport};

/// The gradient of a difference is linear in the difference below this many standard deviations of the
/// exemplar's responses, and depends on its sign alone above.
pub(super) const SOFT: f32 = 0.05;

/// How the responses of one filter in one region are compared with the exemplars'.
pub(super) struct Comparison {
    pub(super) transports: Transports,
    /// Standard deviation of the exemplars' responses.
    pub(super) s: f32,
    /// Positions with a transport.
    pub(super) count: u64,
}

/// Where responses are transported to.
pub(super) enum Transports {
    /// None: one of the two sides is empty.
    All(Option<Transport>),
    /// By the class of each position.
    ByClass(ClassTransports),
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
    /// Adds the gradients at the responses in a row. Returns the sum of the distances from position
    /// `first` on, in standard deviations.
    pub(super) fn row_gradient(
        &self,
        (values, labels): (&[f32], Option<&[u8]>),
        first: usize,
        gradient: &mut [f32],
        buffers: &mut RowBuffers,
    ) -> f64 {
        let map = match (&self.transports, labels) {
            (Transports::All(Some(transport)), None) => Map::One(transport),
            (Transports::ByClass(transports), Some(labels)) => Map::ByClass(transports, labels),
            _ => return 0.0,
        };
        let s = self.s;
        let sum = map.add_gradient((values, first), (s, SOFT * s), gradient, buffers);
        // Without responses of an exemplar there is no standard deviation, and no distance either.
        if sum == 0.0 { 0.0 } else { f64::from(sum / s) }
    }
}
