//! Optimal transport in one dimension: each value is mapped to the target's value of the same rank.

/// Bins of a histogram, each a 2048th of the range of values. The error of a rank is at most the mass of one
/// bin.
const BINS: usize = 2048;

/// The values of one component of a target, and its share of the mass. The shares of a mixture add up to 1.
pub(crate) type Share<'a> = (&'a [f32], f32);

/// Transports `values` onto the mixture `target`:
///
/// ```text
/// T(v) = F_target^-1(F_values(v))
/// ```
///
/// where `F` are cumulative distributions. In one dimension `v - T(v)` is proportional to the gradient of the
/// squared Wasserstein distance `W_2^2`, and its sign to the gradient of `W_1` (Rabin, Peyre, Delon and
/// Bernot, "Wasserstein Barycenter and its Application to Texture Mixing", SSVM 2011, section 3).
///
/// Ranks are read from histograms and interpolated linearly inside a bin, so no value is sorted. The cost is
/// three passes over the values. The target may have any number of values.
pub(crate) fn transport(target: &[Share<'_>], values: &[f32], transported: &mut [f32]) {
    let ranges = target.iter().map(|(values, _)| range(values));
    let whole = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let value_bins = Bins::over(range(values));
    let target_bins = Bins::over(whole.unwrap_or((0.0, 0.0)));
    let mut target_ranks = [0.0; BINS + 1];
    for (values, share) in target {
        target_bins.add_cumulative(values, *share, &mut target_ranks);
    }
    let mut ranks = [0.0; BINS + 1];
    value_bins.add_cumulative(values, 1.0, &mut ranks);

    // The transported value of each edge between bins of `values`.
    let mut map = [0.0; BINS + 1];
    let mut bin = 0;
    for (rank, value) in ranks.iter().zip(&mut map) {
        while bin + 1 < BINS && target_ranks[bin + 1] <= *rank {
            bin += 1;
        }
        let mass = (target_ranks[bin + 1] - target_ranks[bin]).max(1e-12);
        let inside = ((rank - target_ranks[bin]) / mass).clamp(0.0, 1.0);
        *value = target_bins.low + (bin as f32 + inside) / target_bins.scale;
    }
    for (value, transported) in values.iter().zip(transported) {
        let position = (value - value_bins.low) * value_bins.scale;
        let bin = value_bins.bin(*value);
        *transported = map[bin] + (position - bin as f32) * (map[bin + 1] - map[bin]);
    }
}

/// Equal bins over a range.
struct Bins {
    low: f32,
    /// Bins per unit of value.
    scale: f32,
}

impl Bins {
    fn over((low, high): (f32, f32)) -> Self {
        // The bins cover a little more than the range, so that the last one contains the largest value.
        let scale = BINS as f32 * 0.9999 / (high - low).max(1e-9);
        Self { low, scale }
    }

    fn bin(&self, value: f32) -> usize {
        // The mask keeps the index of a value that is not finite inside the table.
        ((value - self.low) * self.scale) as i32 as usize & (BINS - 1)
    }

    /// Adds to each edge between bins the share of `values` below it, times `weight`.
    fn add_cumulative(&self, values: &[f32], weight: f32, edges: &mut [f32; BINS + 1]) {
        // With four tables the increments of consecutive values do not depend on each other.
        let mut counts = [[0u32; BINS]; 4];
        let mut fours = values.chunks_exact(4);
        for four in &mut fours {
            for (counts, value) in counts.iter_mut().zip(four) {
                counts[self.bin(*value)] += 1;
            }
        }
        for value in fours.remainder() {
            counts[0][self.bin(*value)] += 1;
        }
        let mass = weight / values.len().max(1) as f32;
        let mut below = 0;
        for bin in 0..BINS {
            below += counts.iter().map(|counts| counts[bin]).sum::<u32>();
            edges[bin + 1] += below as f32 * mass;
        }
    }
}

/// The smallest and the largest value.
fn range(values: &[f32]) -> (f32, f32) {
    const LANES: usize = 16;
    let (mut low, mut high) = ([f32::MAX; LANES], [f32::MIN; LANES]);
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
    let low = low.into_iter().fold(f32::MAX, f32::min);
    (low, high.into_iter().fold(f32::MIN, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::golden;

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
        let mut transported = vec![0.0; values.len()];
        transport(&[(&target, 1.0)], &values, &mut transported);
        // The range is 3.7 and a bin 0.0018. A value between the two modes of the target may go to either.
        let wrong = transported
            .iter()
            .zip(&expected)
            .filter(|(found, expected)| (f64::from(**found) - **expected).abs() > 0.01);
        assert!(wrong.count() <= 4);

        // The same target as a mixture of its halves gives the same result up to rounding.
        let mut halves = vec![0.0; values.len()];
        let (a, b) = target.split_at(1500);
        transport(&[(a, 0.5), (b, 0.5)], &values, &mut halves);
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
        let mut transported = vec![f32::NAN; 400];
        transport(&[(&low, 0.25), (&high, 0.75)], &ramp, &mut transported);
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
            let mut transported = vec![0.0; values.len()];
            transport(&[(&[0.0, 1.0], 1.0)], &values, &mut transported);
            transport(&[(&values, 1.0)], &[0.0, 1.0], &mut [0.0; 2]);
        }
        let mut transported = [0.0; 2];
        transport(&[(&[7.0; 3], 1.0)], &[1.0, 2.0], &mut transported);
        assert!(transported.iter().all(|value| (value - 7.0).abs() < 1e-3));
    }
}
