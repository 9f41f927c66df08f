//! Optimal transport in one dimension: to each value the target's value of the same rank.

/// Bins of a histogram. Their width, a 2048th of the range of values, bounds the error of a rank.
const BINS: usize = 2048;

/// Values of a target and their share of the mass; the shares of a mixture add up to 1.
pub(crate) type Share<'a> = (&'a [f32], f32);

/// Writes for each of `values` the value of `target` at the same rank:
///
/// ```text
/// T(v) = F_target^-1(F_values(v))
/// ```
///
/// with `F` the cumulative distributions. (v - T(v)) is the gradient of the squared Wasserstein
/// distance in one dimension, its sign that of the first one (Rabin, Peyre, Delon and Bernot,
/// "Wasserstein Barycenter and its Application to Texture Mixing", SSVM 2011, section 3).
///
/// Ranks come from histograms and are interpolated linearly inside of a bin: no value is sorted, the
/// cost is three passes, and numbers of values may differ.
pub(crate) fn transport(target: &[Share<'_>], values: &[f32], transported: &mut [f32]) {
    let ranges = target.iter().map(|(values, _)| range(values));
    let whole = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let from = Bins::over(range(values));
    let to = Bins::over(whole.unwrap_or((0.0, 0.0)));
    let mut wanted = [0.0; BINS + 1];
    for (values, share) in target {
        to.add_cumulative(values, *share, &mut wanted);
    }
    let mut found = [0.0; BINS + 1];
    from.add_cumulative(values, 1.0, &mut found);

    // The target's value at the rank of each edge of the values' bins.
    let mut map = [0.0; BINS + 1];
    let mut bin = 0;
    for (rank, value) in found.iter().zip(&mut map) {
        while bin + 1 < BINS && wanted[bin + 1] <= *rank {
            bin += 1;
        }
        let mass = (wanted[bin + 1] - wanted[bin]).max(1e-12);
        let inside = ((rank - wanted[bin]) / mass).clamp(0.0, 1.0);
        *value = to.low + (bin as f32 + inside) / to.scale;
    }
    for (value, transported) in values.iter().zip(transported) {
        let place = (value - from.low) * from.scale;
        let bin = from.bin(*value);
        *transported = map[bin] + (place - bin as f32) * (map[bin + 1] - map[bin]);
    }
}

/// Equal bins over a range.
struct Bins {
    low: f32,
    /// Bins for each unit of value.
    scale: f32,
}

impl Bins {
    fn over((low, high): (f32, f32)) -> Self {
        // A hair more than the range, so that the largest value lies in the last bin.
        let scale = BINS as f32 * 0.9999 / (high - low).max(1e-9);
        Self { low, scale }
    }

    fn bin(&self, value: f32) -> usize {
        // The mask keeps whatever is not finite inside of the table.
        ((value - self.low) * self.scale) as i32 as usize & (BINS - 1)
    }

    /// Adds to each edge the share of `values` below it, times `weight`.
    fn add_cumulative(&self, values: &[f32], weight: f32, edges: &mut [f32; BINS + 1]) {
        // Four tables, so that neighbours of one bin do not wait for each other.
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
        // The range is 3.7, a bin 0.0018. A value between the two heaps of the target may belong to
        // either.
        let wrong = transported
            .iter()
            .zip(&expected)
            .filter(|(found, expected)| (f64::from(**found) - **expected).abs() > 0.01);
        assert!(wrong.count() <= 4);

        // The same target in two parts: alike to rounding.
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
        // A quarter of the mass at 0, three at 10: from a ramp the lowest quarter becomes 0.
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
    fn whatever_comes_in_nothing_is_read_beyond_the_tables() {
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
