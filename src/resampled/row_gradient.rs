//! The gradient of the distances of a row of responses from where they are transported to.

use pulp::Arch;

use super::arithmetic::sum;
use super::classes::{ClassBins, Numbers, PLACES, RowBuffers};
use super::labels::CLASSES;
use super::transport::{BINS, Transport};

/// Edges of a transport.
const EDGES: usize = BINS + 1;

/// The transport of each class.
pub(super) struct ClassTransports {
    bins: ClassBins,
    exists: Numbers,
    edges: Box<[f32; PLACES * EDGES]>,
}

impl ClassTransports {
    /// None: the class is empty here or in the exemplars.
    pub(super) fn new(classes: &[Option<Transport>]) -> Self {
        let mut exists = [0.0; PLACES];
        let mut edges = Box::new([0.0; PLACES * EDGES]);
        for (class, transport) in classes.iter().enumerate().take(CLASSES) {
            if let Some(transport) = transport {
                exists[class] = 1.0;
                edges[class * EDGES..][..EDGES].copy_from_slice(transport.edges());
            }
        }
        let bins = classes
            .iter()
            .map(|class| class.as_ref().map(Transport::bins));
        Self {
            bins: ClassBins::new(bins),
            exists: Numbers(exists),
            edges,
        }
    }
}

/// Where the responses of a row are transported to.
pub(super) enum Map<'m> {
    One(&'m Transport),
    ByClass(&'m ClassTransports, &'m [u8]),
}

impl Map<'_> {
    /// Adds the gradient of each value's distance from its transported value. `d` is linear below `soft`:
    ///
    /// ```text
    /// d = v - T(v),    gradient = d / ((|d| + soft) s)
    /// ```
    ///
    /// Returns the sum of `|d|` from position `first` on.
    pub(super) fn add_gradient(
        &self,
        (values, first): (&[f32], usize),
        (s, soft): (f32, f32),
        gradient: &mut [f32],
        buffers: &mut RowBuffers,
    ) -> f32 {
        let count = values.len();
        if let Self::ByClass(_, labels) = self {
            buffers.widen(labels);
        }
        let RowBuffers {
            labels,
            inside,
            exists,
            bins,
            lower,
            upper,
        } = buffers;
        for buffer in [&mut *inside, exists, lower, upper] {
            buffer.resize(count, 0.0);
        }
        bins.resize(count, 0);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let places = values.iter().zip(&mut *inside).zip(&mut *bins);
                let edges = match self {
                    Self::One(transport) => {
                        let [low, scale] = transport.bins().low_and_scale();
                        for ((value, inside), bin) in places {
                            (*inside, *bin) = place(*value, low, scale);
                        }
                        exists.fill(1.0);
                        &transport.edges()[..]
                    }
                    Self::ByClass(transports, _) => {
                        let ClassBins { low, scale } = transports.bins;
                        let own = transports.exists;
                        for ((place_of, label), exists) in places.zip(&*labels).zip(&mut *exists) {
                            let ((value, inside), bin) = place_of;
                            let (low, scale) = (low.of_class(*label), scale.of_class(*label));
                            let (within, number) = place(*value, low, scale);
                            *exists = own.of_class(*label);
                            let class = label.min(CLASSES as f32) as i32 as u32;
                            (*inside, *bin) = (within, class * EDGES as u32 + number);
                        }
                        &transports.edges[..]
                    }
                };
                for ((bin, lower), upper) in bins.iter().zip(&mut *lower).zip(&mut *upper) {
                    let both = &edges[*bin as usize..][..2];
                    (*lower, *upper) = (both[0], both[1]);
                }
                let places = values.iter().zip(&*inside).zip(&*exists);
                let places = places.zip(&mut *lower).zip(&*upper).zip(gradient);
                for (((((value, inside), exists), lower), upper), gradient) in places {
                    let difference = value - (*lower + inside * (upper - *lower));
                    *gradient += exists * (difference / ((difference.abs() + soft) * s));
                    // In place of the edge the distance.
                    *lower = exists * difference.abs();
                }
                sum(&lower[first..])
            },
        )
    }
}

/// Where a value lies between two edges, and the number of the lower one.
#[inline(always)]
fn place(value: f32, low: f32, scale: f32) -> (f32, u32) {
    let position = ((value - low) * scale).clamp(0.0, BINS as f32);
    let bin = (position as i32).clamp(0, BINS as i32 - 1);
    (position - bin as f32, bin as u32)
}

#[cfg(test)]
mod tests {
    use super::super::classes::tests::row;
    use super::super::transport::{Bins, Distribution, Range};
    use super::*;

    /// Onto values that are `factor` times as large.
    fn transport(factor: f32) -> Transport {
        let bins = |factor: f32| Bins::over(Range::new(-5.0 * factor, 5.0 * factor));
        let distribution = |factor: f32| {
            let mut distribution = Distribution::new(bins(factor));
            distribution.add(&[1; BINS], 1.0);
            distribution
        };
        Transport::new(&distribution(1.0), &distribution(factor))
    }

    #[test]
    fn rows_have_the_gradient_of_each_value() {
        let (s, soft) = (0.8, 0.04);
        let mut buffers = RowBuffers::default();
        let classes: Vec<Option<Transport>> = (0..CLASSES)
            .map(|class| (class != 2).then(|| transport(1.2 + class as f32)))
            .collect();
        let all = ClassTransports::new(&classes);
        for length in 1..70 {
            let (values, labels) = row(length, CLASSES);
            let first = length / 3;
            for map in [Map::One(&transport(2.0)), Map::ByClass(&all, &labels)] {
                let mut gradient: Vec<f32> = (0..length).map(|x| x as f32).collect();
                let found =
                    map.add_gradient((&values, first), (s, soft), &mut gradient, &mut buffers);
                let mut expected = 0.0;
                for (x, value) in values.iter().enumerate() {
                    let transported = match map {
                        Map::One(transport) => Some(transport.apply(*value)),
                        Map::ByClass(..) => {
                            let class = classes.get(usize::from(labels[x]));
                            class
                                .and_then(Option::as_ref)
                                .map(|class| class.apply(*value))
                        }
                    };
                    let difference = transported.map_or(0.0, |transported| value - transported);
                    let slope = difference / ((difference.abs() + soft) * s);
                    assert_eq!(gradient[x], x as f32 + slope);
                    expected += if x < first {
                        0.0
                    } else {
                        f64::from(difference.abs())
                    };
                }
                assert!(
                    (f64::from(found) - expected).abs() <= 1e-5 * expected,
                    "{found} {expected}"
                );
            }
        }
    }
}
