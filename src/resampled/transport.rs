//! Optimal transport in one dimension: each value is mapped to the target's value of the same rank.

pub(super) use crate::engine::tables::BINS;
use crate::engine::tables::FILL;

/// The smallest and the largest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    low: f32,
    high: f32,
}

impl Range {
    pub(super) const EMPTY: Self = Self {
        low: f32::MAX,
        high: f32::MIN,
    };

    pub(super) fn new(low: f32, high: f32) -> Self {
        Self { low, high }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// The range of the values of several lists.
    pub(super) fn of<'v>(lists: impl IntoIterator<Item = &'v [f32]>) -> Self {
        const LANES: usize = 16;
        let (mut low, mut high) = ([f32::MAX; LANES], [f32::MIN; LANES]);
        for values in lists {
            let chunks = values.chunks_exact(LANES);
            for value in chunks.remainder() {
                low[0] = low[0].min(*value);
                high[0] = high[0].max(*value);
            }
            for chunk in chunks {
                for lane in 0..LANES {
                    low[lane] = low[lane].min(chunk[lane]);
                    high[lane] = high[lane].max(chunk[lane]);
                }
            }
        }
        Self {
            low: low.into_iter().fold(f32::MAX, f32::min),
            high: high.into_iter().fold(f32::MIN, f32::max),
        }
    }
}

/// Equal bins over a range. Values outside count in the first and the last bin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bins {
    low: f32,
    /// Bins per unit of value.
    scale: f32,
}

impl Bins {
    pub(super) fn over(Range { low, high }: Range) -> Self {
        let scale = FILL / (high - low).max(1e-9);
        Self { low, scale }
    }

    /// The bin of a value; some bin for one that is not finite.
    #[inline(always)]
    pub(super) fn bin(&self, value: f32) -> usize {
        (((value - self.low) * self.scale) as i32).clamp(0, BINS as i32 - 1) as usize
    }

    /// The smallest value, and bins per unit of value.
    pub(super) fn low_and_scale(&self) -> [f32; 2] {
        [self.low, self.scale]
    }

    /// The value at an edge, counted in bins.
    fn value(&self, edge: f32) -> f32 {
        self.low + edge / self.scale
    }
}

/// A cumulative distribution: at each edge between bins the share of mass below it.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    bins: Bins,
    ranks: Vec<f32>,
}

impl Distribution {
    /// A distribution without mass.
    pub(super) fn new(bins: Bins) -> Self {
        Self {
            bins,
            ranks: vec![0.0; BINS + 1],
        }
    }

    /// Adds values with this histogram, with a mass of `share` in all.
    pub(super) fn add(&mut self, histogram: &[u32], share: f32) {
        let total: u64 = histogram.iter().map(|count| u64::from(*count)).sum();
        let mass = share / total.max(1) as f32;
        let mut below = 0;
        for (rank, count) in self.ranks[1..].iter_mut().zip(histogram) {
            below += u64::from(*count);
            *rank += below as f32 * mass;
        }
    }
}

/// The transport of values with one distribution onto another:
///
/// ```text
/// T(v) = F_target^-1(F_values(v))
/// ```
///
/// where `F` are cumulative distributions. In one dimension `v - T(v)` is proportional to the gradient of the
/// squared Wasserstein distance `W_2^2`, and its sign to the gradient of `W_1` (Rabin, Peyre, Delon and
/// Bernot, "Wasserstein Barycenter and its Application to Texture Mixing", SSVM 2011, section 3).
///
/// Ranks are read from histograms and interpolated linearly inside a bin, so no value is sorted, and values
/// need not be in memory at once.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    bins: Bins,
    /// The transported value of each edge between bins.
    edges: Box<[f32; BINS + 1]>,
}

impl Transport {
    pub(super) fn new(values: &Distribution, target: &Distribution) -> Self {
        let mut bin = 0;
        let edge = |rank: &f32| {
            while bin + 1 < BINS && target.ranks[bin + 1] <= *rank {
                bin += 1;
            }
            let mass = (target.ranks[bin + 1] - target.ranks[bin]).max(1e-12);
            let inside = ((rank - target.ranks[bin]) / mass).clamp(0.0, 1.0);
            target.bins.value(bin as f32 + inside)
        };
        let mut edges = Box::new([0.0; BINS + 1]);
        edges
            .iter_mut()
            .zip(values.ranks.iter().map(edge))
            .for_each(|(edge, value)| *edge = value);
        Self {
            bins: values.bins,
            edges,
        }
    }

    pub(super) fn bins(&self) -> Bins {
        self.bins
    }

    /// The transported value of each edge between bins of the values.
    pub(super) fn edges(&self) -> &[f32; BINS + 1] {
        &self.edges
    }

    #[cfg(test)]
    pub(super) fn apply(&self, value: f32) -> f32 {
        let position = (value - self.bins.low) * self.bins.scale;
        let position = position.clamp(0.0, BINS as f32);
        let bin = (position as i32).clamp(0, BINS as i32 - 1) as usize;
        let edge = self.edges[bin];
        edge + (position - bin as f32) * (self.edges[bin + 1] - edge)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::reference::golden;

    /// Transports onto a mixture of targets with these shares.
    fn transport(target: &[(&[f32], f32)], values: &[f32]) -> Vec<f32> {
        let histogram = |bins: Bins, values: &[f32]| {
            let mut histogram = vec![0; BINS];
            values
                .iter()
                .for_each(|value| histogram[bins.bin(*value)] += 1);
            histogram
        };
        let ranges = target.iter().map(|(values, _)| Range::of([*values]));
        let bins = Bins::over(ranges.fold(Range::EMPTY, Range::union));
        let mut mixture = Distribution::new(bins);
        for (values, share) in target {
            mixture.add(&histogram(bins, values), *share);
        }
        let bins = Bins::over(Range::of([values]));
        let mut own = Distribution::new(bins);
        own.add(&histogram(bins, values), 1.0);
        let map = Transport::new(&own, &mixture);
        values.iter().map(|value| map.apply(*value)).collect()
    }

    #[test]
    fn values_become_those_of_equal_rank() {
        let expected = golden("transport", "transported");
        let values: Vec<f32> = (0..2000)
            .map(f64::from)
            .map(|i| ((0.37 * i).sin() + 0.3 * (1.7 * i).cos()) as f32)
            .collect();
        let target: Vec<f32> = (0..3000)
            .map(|j| match (j % 3, f64::from(j)) {
                (0, j) => (2.0 + 0.5 * (0.61 * j).sin()) as f32,
                (_, j) => (-1.0 + 0.2 * (0.23 * j).cos()) as f32,
            })
            .collect();
        let transported = transport(&[(&target, 1.0)], &values);
        // The range is 3.7 and a bin 0.0018. A value between the two modes of the target may go to either.
        let wrong = transported
            .iter()
            .zip(&expected)
            .filter(|(found, expected)| (f64::from(**found) - **expected).abs() > 0.01);
        assert!(wrong.count() <= 4);

        // The same target as a mixture of its halves gives the same result up to rounding.
        let (a, b) = target.split_at(1500);
        let halves = transport(&[(a, 0.5), (b, 0.5)], &values);
        let apart = |(a, b): (&f32, &f32)| (a - b).abs();
        let largest = transported
            .iter()
            .zip(&halves)
            .map(apart)
            .fold(0.0, f32::max);
        assert!(largest < 0.01, "{largest}");
    }

    #[test]
    fn mixtures_have_their_shares() {
        // A quarter of the mass lies at 0 and the rest at 10. The lowest quarter of a ramp becomes 0.
        let ramp: Vec<f32> = (0..400).map(|i| i as f32).collect();
        let (low, high) = (vec![0.0; 50], vec![10.0; 7]);
        let transported = transport(&[(&low, 0.25), (&high, 0.75)], &ramp);
        let low = transported[..96].iter().filter(|v| v.abs() < 0.02).count();
        let high = transported[104..]
            .iter()
            .filter(|v| (*v - 10.0).abs() < 0.02)
            .count();
        assert_eq!((low, high), (96, 296));
    }

    #[test]
    fn values_that_are_not_finite_stay_inside_the_tables() {
        for values in [
            vec![0.5; 9],
            vec![f32::NAN, 1.0, 2.0],
            vec![f32::INFINITY, -1.0, f32::NEG_INFINITY],
            vec![3.0],
            Vec::new(),
        ] {
            transport(&[(&[0.0, 1.0], 1.0)], &values);
            transport(&[(&values, 1.0)], &[0.0, 1.0]);
        }
        let transported = transport(&[(&[7.0; 3], 1.0)], &[1.0, 2.0]);
        assert!(transported.iter().all(|value| (value - 7.0).abs() < 1e-3));
    }

    /// Values of two bells, of one value often, and of a large range.
    fn values() -> impl Strategy<Value = Vec<f32>> {
        let value = prop_oneof![
            4 => -1f32..1.0,
            2 => 5f32..6.0,
            1 => Just(0.25f32),
            1 => -40f32..40.0,
        ];
        prop::collection::vec(value, 1..400)
    }

    proptest! {
        /// A value's rank is right to the mass of its bin, and so is the value of that rank to the width of
        /// a bin.
        #[test]
        fn ranks_are_those_of_a_sort(values in values(), target in values()) {
            let transported = transport(&[(&target, 1.0)], &values);
            let width = |values: &[f32]| {
                let Range { low, high } = Range::of([values]);
                1.01 * (high - low) / BINS as f32 + 1e-5 * high.abs().max(low.abs())
            };
            let (bin, step) = (width(&values), width(&target));
            let mut sorted = target.clone();
            sorted.sort_unstable_by(f32::total_cmp);
            let share = |count: usize| count as f64 / values.len() as f64 * sorted.len() as f64;
            for (value, found) in values.iter().zip(&transported) {
                let below = values.iter().filter(|other| **other < value - bin).count();
                let up_to = values.iter().filter(|other| **other <= value + bin).count();
                // The index of a rank in the sorted target; at a whole one both neighbours have it.
                let first = (share(below) - 1e-3).floor().max(0.0) as usize;
                let last = (share(up_to) + 1e-3).ceil() as usize;
                let low = sorted[first.min(sorted.len() - 1)] - step;
                let high = sorted[last.min(sorted.len() - 1)] + step;
                prop_assert!((low..=high).contains(found), "{value}: {found} not in {low} to {high}");
            }
        }

        #[test]
        fn the_order_stays(values in values(), target in values()) {
            let transported = transport(&[(&target, 1.0)], &values);
            let mut pairs: Vec<(f32, f32)> = values.into_iter().zip(transported).collect();
            pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let Range { low, high } = Range::of([&target[..]]);
            let rounding = 1e-5 * high.abs().max(low.abs());
            for two in pairs.windows(2) {
                prop_assert!(two[1].1 >= two[0].1 - rounding, "{two:?}");
            }
        }
    }
}
