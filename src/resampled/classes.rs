//! Rows whose values belong to several classes, each with a range, bins and a transport of its own.
//!
//! Each step is a loop of its own over a row, without branches, that the compiler turns into vector instructions.
//! Numbers of a class are chosen by comparing the label with each class: looking them up value by value takes longer.

#![allow(clippy::float_cmp)] // labels are whole numbers

use pulp::{Arch, Simd, WithSimd};

use super::labels::CLASSES;
use super::transport::{BINS, Bins, Range};

/// Places of a table: one for each class, and one for values that have none.
pub(super) const PLACES: usize = CLASSES + 1;

/// Buffers of the length of a row.
#[derive(Default)]
pub(super) struct RowBuffers {
    pub(super) labels: Vec<f32>,
    /// Where a value lies between two edges.
    pub(super) inside: Vec<f32>,
    /// 1 for a value that has a transport, and 0 for others.
    pub(super) exists: Vec<f32>,
    /// The bin of each value, or the number of its lower edge.
    pub(super) bins: Vec<u32>,
    pub(super) lower: Vec<f32>,
    pub(super) upper: Vec<f32>,
}

impl RowBuffers {
    /// Labels as wide as values, for vectors.
    pub(super) fn widen(&mut self, labels: &[u8]) {
        self.labels.clear();
        self.labels
            .extend(labels.iter().map(|label| f32::from(*label)));
    }
}

/// One number for each class.
#[derive(Clone, Copy)]
pub(super) struct Numbers(pub(super) [f32; PLACES]);

impl Numbers {
    /// The number of a class. `self` has to be a value and not in memory, or the comparisons become a look-up.
    #[inline(always)]
    pub(super) fn of_class(self, label: f32) -> f32 {
        let mut number = self.0[CLASSES];
        for (class, own) in self.0.into_iter().take(CLASSES).enumerate() {
            number = if label == class as f32 { own } else { number };
        }
        number
    }
}

/// The smallest and the largest value of each class in some rows.
pub(super) struct ClassRanges<'b> {
    found: [Range; CLASSES],
    classes: usize,
    buffers: &'b mut RowBuffers,
}

impl<'b> ClassRanges<'b> {
    /// Empty ranges of at most `CLASSES` classes.
    pub(super) fn new(classes: usize, buffers: &'b mut RowBuffers) -> Self {
        Self {
            found: [Range::EMPTY; CLASSES],
            classes,
            buffers,
        }
    }

    /// Includes the values of a row.
    pub(super) fn include(&mut self, values: &[f32], labels: &[u8]) {
        self.buffers.widen(labels);
        for (class, found) in self.found.iter_mut().enumerate().take(self.classes) {
            let range = Arch::new().dispatch(RangeOfClass {
                class: class as f32,
                values,
                labels: &self.buffers.labels,
            });
            *found = found.union(range);
        }
    }

    /// The range of each class.
    pub(super) fn ranges(&self) -> &[Range] {
        &self.found[..self.classes]
    }
}

/// The range of the values that have the label of a class.
struct RangeOfClass<'r> {
    class: f32,
    values: &'r [f32],
    labels: &'r [f32],
}

impl WithSimd for RangeOfClass<'_> {
    type Output = Range;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Range {
        let (values, last_values) = S::as_simd_f32s(self.values);
        let (labels, last_labels) = S::as_simd_f32s(self.labels);
        let class = simd.splat_f32s(self.class);
        let (most, least) = (simd.splat_f32s(f32::MAX), simd.splat_f32s(f32::MIN));
        let (mut low, mut high) = (most, least);
        for (values, labels) in values.iter().zip(labels) {
            let is_in = simd.equal_f32s(*labels, class);
            low = simd.min_f32s(low, simd.select_f32s(is_in, *values, most));
            high = simd.max_f32s(high, simd.select_f32s(is_in, *values, least));
        }
        let (mut low, mut high) = (simd.reduce_min_f32s(low), simd.reduce_max_f32s(high));
        for (value, label) in last_values.iter().zip(last_labels) {
            if *label == self.class {
                low = low.min(*value);
                high = high.max(*value);
            }
        }
        Range::new(low, high)
    }
}

/// The bins of all classes.
#[derive(Clone, Copy)]
pub(super) struct ClassBins {
    pub(super) low: Numbers,
    pub(super) scale: Numbers,
}

impl ClassBins {
    pub(super) fn new(bins: impl Iterator<Item = Option<Bins>>) -> Self {
        let (mut low, mut scale) = ([0.0; PLACES], [0.0; PLACES]);
        for (class, bins) in bins.enumerate() {
            [low[class], scale[class]] = bins.map_or([0.0; 2], |bins| bins.low_and_scale());
        }
        Self {
            low: Numbers(low),
            scale: Numbers(scale),
        }
    }

    /// The bin of each value of a row in the bins of its class. See [`Bins::bin`].
    pub(super) fn bins<'b>(
        &self,
        values: &[f32],
        labels: &[u8],
        buffers: &'b mut RowBuffers,
    ) -> &'b [u32] {
        buffers.widen(labels);
        let RowBuffers { labels, bins, .. } = buffers;
        bins.resize(values.len(), 0);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let Self { low, scale } = *self;
                for ((value, label), bin) in values.iter().zip(&*labels).zip(&mut *bins) {
                    let (low, scale) = (low.of_class(*label), scale.of_class(*label));
                    *bin = (((value - low) * scale) as i32).clamp(0, BINS as i32 - 1) as u32;
                }
            },
        );
        bins
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::labels::OUTSIDE;
    use super::*;

    /// A row of values whose labels are of `classes` classes or outside.
    pub(in super::super) fn row(length: usize, classes: usize) -> (Vec<f32>, Vec<u8>) {
        let value = |x: usize| (x as f32 * 0.7 + length as f32).sin() * (1.0 + (x % 5) as f32);
        let label = |x: usize| match (x * x + x / 3 + length) % (classes + 1) {
            class if class < classes => class as u8,
            _ => OUTSIDE,
        };
        (
            (0..length).map(value).collect(),
            (0..length).map(label).collect(),
        )
    }

    #[test]
    fn each_class_has_its_own_range_and_bins() {
        let mut buffers = RowBuffers::default();
        for classes in [1, 3, CLASSES] {
            let rows: Vec<_> = (1..80).map(|length| row(length, classes)).collect();
            let mut found = ClassRanges::new(classes, &mut buffers);
            rows.iter()
                .for_each(|(values, labels)| found.include(values, labels));
            let ranges = found.ranges().to_vec();
            let of_class = |class: usize| {
                let all = rows
                    .iter()
                    .flat_map(|(values, labels)| values.iter().zip(labels));
                let own = all.filter(move |(_, label)| usize::from(**label) == class);
                own.map(|(value, _)| *value).collect::<Vec<f32>>()
            };
            let expected: Vec<Range> = (0..classes)
                .map(|class| Range::of([&of_class(class)[..]]))
                .collect();
            assert_eq!(ranges, expected);
            let bins: Vec<Bins> = ranges.into_iter().map(Bins::over).collect();
            let all = ClassBins::new(bins.iter().copied().map(Some));
            for (values, labels) in &rows {
                let found = all.bins(values, labels, &mut buffers).to_vec();
                for ((value, label), found) in values.iter().zip(labels).zip(found) {
                    if *label != OUTSIDE {
                        assert_eq!(found as usize, bins[usize::from(*label)].bin(*value));
                    }
                }
            }
        }
    }
}
