//! The time of a run: how much has passed, and how much each scale gets.

use std::time::{Duration, Instant};

/// The time that a run has taken, over all its parts if it was resumed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begun: Instant,
    before: Duration,
}

impl Clock {
    /// Of a run that began at `begun` and took `before` until it was interrupted.
    pub(super) fn new(begun: Instant, before: Duration) -> Self {
        Self { begun, before }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.begun.elapsed()
    }
}

/// What a scale costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) pixels: usize,
    pub(super) evaluations: usize,
}

/// A time limit, shared out among scales.
///
/// A scale costs its pixels times the evaluations that it is allowed and those that preparing it takes
/// as long as.
#[derive(Clone, Debug)]
pub(super) struct TimePlan {
    limit: Option<Duration>,
    costs: Vec<Cost>,
    /// How many evaluations take as long as preparing a scale.
    preparing: f64,
    /// Seconds of one evaluation for each pixel, measured last.
    pace: Option<f64>,
}

/// Fewest evaluations of a scale: the first is at the starting point.
const FEWEST: f64 = 2.0;

impl TimePlan {
    pub(super) fn new(limit: Option<Duration>, costs: Vec<Cost>, preparing: f64) -> Self {
        Self {
            limit,
            costs,
            preparing,
            pace: None,
        }
    }

    /// When a scale that begins now is to end, counted from the beginning of the run. It gets a share
    /// of the time left in proportion to its cost among those that can be afforded.
    pub(super) fn deadline(&self, scale: usize, elapsed: Duration) -> Option<Duration> {
        let cost = |cost: &Cost| cost.pixels as f64 * (cost.evaluations as f64 + self.preparing);
        let left = self.limit?.saturating_sub(elapsed).as_secs_f64();
        let to_come = self.costs.get(scale..).unwrap_or_default();
        let share = to_come.split_first().map_or(1.0, |(first, later)| {
            let later = later.iter().filter(|later| self.least(later) <= left);
            let all = cost(first) + later.map(cost).sum::<f64>();
            cost(first) / all.max(1.0)
        });
        let deadline = elapsed.as_secs_f64() + left * share;
        Some(from_seconds(deadline))
    }

    /// Whether the time left is enough for the fewest evaluations of a scale, at the pace of the scales
    /// before. The first scale begins in any case.
    pub(super) fn affords(&self, scale: usize, elapsed: Duration) -> bool {
        let (Some(limit), true) = (self.limit, scale > 0) else {
            return true;
        };
        let needed = self.costs.get(scale).map_or(0.0, |cost| self.least(cost));
        elapsed < limit && elapsed.as_secs_f64() + needed <= limit.as_secs_f64()
    }

    /// Whether a scale is to end: at its deadline, or at the limit if the next scale cannot be afforded.
    pub(super) fn is_over(
        &self,
        scale: usize,
        deadline: Option<Duration>,
        elapsed: Duration,
    ) -> bool {
        let (Some(limit), Some(deadline)) = (self.limit, deadline) else {
            return false;
        };
        elapsed >= limit || elapsed >= deadline && self.affords(scale + 1, elapsed)
    }

    /// The seconds that preparing a scale and its fewest evaluations take, at the pace of the scales before.
    fn least(&self, cost: &Cost) -> f64 {
        self.pace.unwrap_or(0.0) * cost.pixels as f64 * (self.preparing + FEWEST)
    }

    /// Takes note of how long evaluations of a scale took, without the first.
    pub(super) fn measured(&mut self, scale: usize, evaluations: usize, taken: Duration) {
        if let (Some(cost), true) = (self.costs.get(scale), evaluations > 0) {
            let work = cost.pixels.max(1) as f64 * evaluations as f64;
            self.pace = Some(taken.as_secs_f64() / work);
        }
    }
}

/// A time of so many seconds, or the longest one that there is.
pub(super) fn from_seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seconds: u64) -> TimePlan {
        let cost = |pixels, evaluations| Cost {
            pixels,
            evaluations,
        };
        let costs = vec![cost(100, 20), cost(400, 10), cost(1600, 5)];
        TimePlan::new(Some(Duration::from_secs(seconds)), costs, 5.0)
    }

    #[test]
    fn scales_share_the_time_by_their_costs() {
        // Of 2500 + 6000 + 16000.
        let seconds = |scale, elapsed| {
            let deadline = plan(245).deadline(scale, Duration::from_secs(elapsed));
            deadline.unwrap().as_secs_f64()
        };
        assert!((seconds(0, 0) - 25.0).abs() < 1e-9);
        assert!((seconds(1, 25) - 85.0).abs() < 1e-9);
        assert!((seconds(2, 85) - 245.0).abs() < 1e-9);
        assert!((seconds(2, 300) - 300.0).abs() < 1e-9);
    }

    #[test]
    fn time_that_later_scales_cannot_use_goes_to_earlier_ones() {
        let mut plan = plan(10);
        plan.measured(0, 20, Duration::from_secs(2));
        // The last scale would take 11.2 s.
        let deadline = plan.deadline(1, Duration::from_secs(2)).unwrap();
        assert_eq!(deadline, Duration::from_secs(10));
    }

    #[test]
    fn a_scale_goes_on_if_the_next_cannot_be_afforded() {
        let mut plan = plan(10);
        let over = |plan: &TimePlan, scale, elapsed| {
            let deadline = Some(Duration::from_secs(2));
            plan.is_over(scale, deadline, Duration::from_secs(elapsed))
        };
        plan.measured(0, 20, Duration::from_secs(2));
        assert!(!over(&plan, 0, 1) && over(&plan, 0, 3) && !over(&plan, 0, 8));
        assert!(!over(&plan, 1, 3) && over(&plan, 1, 10));
        assert!(over(&plan, 2, 2));
    }

    #[test]
    fn a_scale_that_would_end_late_does_not_begin() {
        let mut plan = plan(10);
        assert!(plan.affords(0, Duration::from_secs(11)));
        assert!(plan.affords(1, Duration::from_secs(9)));
        assert!(!plan.affords(1, Duration::from_secs(10)));
        // 0.1 s an evaluation at 100 pixels: 7 of them take 2.8 s at 400.
        plan.measured(0, 20, Duration::from_secs(2));
        assert!(plan.affords(1, Duration::from_secs(7)));
        assert!(!plan.affords(1, Duration::from_secs(8)));
        let unlimited = TimePlan::new(None, Vec::new(), 5.0);
        assert!(unlimited.affords(3, Duration::MAX));
        assert_eq!(unlimited.deadline(0, Duration::ZERO), None);
    }
}
