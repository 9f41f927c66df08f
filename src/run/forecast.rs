//! What a run by resampled filters should take, from a few evaluations before it begins.

use std::time::{Duration, Instant};

use super::observer::Forecast;
use super::on_host::stepper;
use super::stochastic::{Estimate, Level, StochasticPlan};
use crate::error::Result;
use crate::imaging::Raster;
use crate::optim::{Adam, AdamOptions};
use crate::resampled::Optimised;

/// Pixels times steps of the shortest run that is forecast: about ten seconds on two cores.
const SHORTEST: f64 = 4e7;

/// The shortest time limit of a run that is forecast: trying takes up to a second.
const SHORTEST_LIMIT: Duration = Duration::from_secs(30);

/// The pixels of the two sizes that are tried.
const TRIED: [f64; 2] = [128.0 * 128.0, 600.0 * 600.0];

/// The rate of steps, which are forgotten.
const RATE: f64 = 0.02;

/// The forecast of a run, if it is long enough. An evaluation takes a time that grows with the pixels by a constant:
///
/// ```text
/// t(p) = a + b p
/// ```
///
/// Both come from evaluations at two small sizes.
pub(super) fn forecast(
    plan: &StochasticPlan,
    limit: Option<Duration>,
    objective: &mut dyn FnMut(Level, &Raster) -> Box<dyn Estimate>,
) -> Result<Option<Forecast>> {
    let costs: Vec<_> = plan.levels.iter().map(|level| plan.cost(level)).collect();
    let work = costs
        .iter()
        .map(|cost| cost.pixels as f64 * cost.evaluations as f64);
    if work.sum::<f64>() < SHORTEST || limit.is_some_and(|limit| limit < SHORTEST_LIMIT) {
        return Ok(None);
    }
    let Some(last) = plan.levels.last() else {
        return Ok(None);
    };
    let mut tried = Vec::new();
    for pixels in TRIED {
        let factor = (pixels / last.size.pixels() as f64).sqrt().min(1.0);
        let level = Level {
            size: last.size.scaled(factor),
            factor: last.factor * factor,
            steps: 1,
        };
        let picture = plan.start.resized(level.size).with_margin(plan.margin());
        let taken = seconds(&*objective(level, &picture), &picture, plan.wraps)?;
        tried.push((level.size.pixels() as f64, taken));
    }
    let [(few, short), (many, long)] = [tried[0], tried[1]];
    let slope = if many > few {
        (long - short).max(0.0) / (many - few)
    } else {
        long / many
    };
    let constant = (long - slope * many).max(0.0);
    let seconds = costs.iter().map(|cost| {
        // Preparing a size takes about as long as an evaluation.
        (cost.evaluations + 1) as f64 * (constant + slope * cost.pixels as f64)
    });
    let time = Duration::try_from_secs_f64(seconds.sum()).unwrap_or(Duration::MAX);
    Ok(Some(Forecast {
        time: limit.map_or(time, |limit| limit.min(time)),
        memory: plan.memory.estimate,
    }))
}

/// Seconds of a step, after one that takes memory from the system and compiles the kernels of a device.
fn seconds(estimate: &dyn Estimate, picture: &Raster, wraps: bool) -> Result<f64> {
    let adam = Adam::new(picture.values().to_vec(), AdamOptions::default())?;
    let picture = Optimised {
        size: picture.size(),
        whole: picture.size(),
        channels: picture.channels(),
        wraps,
        free: None,
    };
    let mut stepper = stepper(adam, estimate, picture);
    let mut started = Instant::now();
    for step in 0..3 {
        if step == 1 {
            started = Instant::now();
        }
        stepper.step(step, RATE)?;
    }
    Ok(started.elapsed().as_secs_f64() / 2.0)
}
