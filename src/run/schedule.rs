//! Sizes and steps of runs by resampled filters.

use super::RunOptions;
use super::stochastic::Level;
use crate::imaging::Size;

/// Where a run begins, and how many steps it takes.
pub(crate) struct Schedule {
    /// The shorter side of the first size, in pixels.
    pub(crate) smallest: f64,
    /// Steps at the first and at the last size, unless another number is asked for. Between them the
    /// steps change by equal factors.
    pub(crate) steps: (f64, f64),
}

impl Schedule {
    /// The levels of a result of `size`; `others` are the sizes of the other pictures.
    pub(crate) fn levels(&self, size: Size, others: &[Size], run: &RunOptions) -> Vec<Level> {
        let sides = others.iter().map(|other| other.shorter());
        let shorter = sides.fold(size.shorter(), usize::min);
        let factors = run.scales.factors(shorter, self.smallest);
        let last = (factors.len() - 1).max(1) as f64;
        let (first_steps, last_steps) = self.steps;
        let steps = (0..factors.len()).map(|number| {
            let position = number as f64 / last;
            (first_steps * (last_steps / first_steps).powf(position)).round()
        });
        let steps: Vec<f64> = steps.collect();
        let sum: f64 = steps.iter().sum();
        let share = run.evaluations.map_or(1.0, |asked| asked as f64 / sum);
        let mut before = 0.0;
        let levels = factors.iter().zip(steps).map(|(factor, steps)| {
            let begun = (before * share).round() as usize;
            before += steps;
            Level {
                size: size.scaled(*factor),
                factor: *factor,
                steps: (before * share).round() as usize - begun,
            }
        });
        levels.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(evaluations: Option<usize>, shorter: usize) -> Vec<Level> {
        let schedule = Schedule {
            smallest: 48.0,
            steps: (120.0, 30.0),
        };
        let options = RunOptions {
            evaluations,
            ..RunOptions::default()
        };
        schedule.levels(Size::new(256, 192), &[Size::square(shorter)], &options)
    }

    #[test]
    fn steps_fall_by_equal_factors_as_sizes_grow() {
        let found = levels(None, 192);
        let sides: Vec<usize> = found.iter().map(|level| level.size.height).collect();
        assert_eq!(sides, [48, 68, 96, 136, 192]);
        let steps: Vec<usize> = found.iter().map(|level| level.steps).collect();
        assert_eq!(steps, [120, 85, 60, 42, 30]);
    }

    #[test]
    fn any_number_of_evaluations_is_shared_out() {
        for asked in [1, 2, 7, 337, 1000, 1_000_000_007] {
            let steps: usize = levels(Some(asked), 192)
                .iter()
                .map(|level| level.steps)
                .sum();
            assert_eq!(asked, steps);
        }
        // Everything at one size, where there is no room for two.
        let single = levels(Some(50), 20);
        assert_eq!((single.len(), single[0].steps), (1, 50));
    }
}
