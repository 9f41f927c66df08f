//! The loop of objectives that are another estimate at each step: Adam from coarse to fine.

use std::time::Instant;

use burn::tensor::Device;

use super::{
    Control, Counts, KeptPixels, Observer, Outcome, Point, Preparation, Progress, Record,
    RunOptions, Term, deadline, enlarged,
};
use crate::error::{Error, Result};
use crate::imaging::{Format, Raster, Size};
use crate::optim::{Adam, AdamOptions, StopReason, falling_rate};
use crate::random::{self, Purpose};
use crate::resampled::Planes;

/// The rates of the first steps of a size, and of its last one, in units of the colour range.
const RATES: (f64, f64) = (0.02, 0.004);

/// The share of a size's steps at the first rate; it falls to the last in the rest.
const HOLD: f64 = 0.7;

/// Amplitude of the noise that is added to an enlarged picture, in standard deviations of the
/// exemplars' colours. An enlarged picture has no fine grain; without noise it would get the same grain
/// everywhere.
const GRAIN: f64 = 0.15;

/// Width of the margin that is made around the picture and cut off at the end. Fewer patches cover a
/// pixel at the border than inside; the outermost belongs to one patch and stays noise.
pub(crate) const MARGIN: usize = 5;

/// One size of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    pub(crate) size: Size,
    /// This size as a factor of the last one.
    pub(crate) factor: f64,
    pub(crate) steps: usize,
}

/// What a run by Adam goes through.
pub(crate) struct StochasticPlan {
    /// Coarse to fine.
    pub(crate) levels: Vec<Level>,
    /// What it starts from.
    pub(crate) start: Raster,
    /// The files that could hold the result.
    pub(crate) formats: Vec<Format>,
    /// Pixels that stay as they are, of the last size.
    pub(crate) kept: Option<KeptPixels>,
    /// Whether the picture repeats without end. If not, the objective sees it with `MARGIN` pixels on
    /// every side.
    pub(crate) wraps: bool,
    /// The standard deviation of colours.
    pub(crate) deviation: f64,
    /// What the objective's terms are called.
    pub(crate) terms: Vec<&'static str>,
}

/// Estimates an objective at an image in a step of the given number: its terms, and the gradient of
/// their sum.
pub(crate) type Estimate = Box<dyn Fn(&Planes, u32) -> (Vec<f64>, Planes)>;

/// Runs as planned. `objective` makes what is minimised at a level that begins with the
/// picture that it is given, margin and all. All of it happens in host memory; the outcome's tensors
/// are on `device`.
pub(crate) fn run_stochastic(
    device: &Device,
    plan: StochasticPlan,
    options: &RunOptions,
    observer: &mut dyn Observer,
    mut objective: impl FnMut(Level, &Raster) -> Estimate,
) -> Result<Outcome> {
    let begun = Instant::now();
    let StochasticPlan {
        levels,
        start,
        formats,
        kept,
        wraps,
        deviation,
        terms,
    } = plan;
    let margin = if wraps { 0 } else { MARGIN };
    let evaluations = levels.iter().map(|level| level.steps).sum();
    // With its margin, from the first size on.
    let mut canvas = start.with_margin(margin);
    let mut counts = Counts::default();
    let mut records = Vec::new();
    let mut stop = StopReason::Evaluations;
    for (scale, &level) in levels.iter().enumerate() {
        let Level { size, steps, .. } = level;
        let share = share_of_time(&levels[scale..]);
        let until = options
            .time_limit
            .map(|limit| deadline(limit, begun.elapsed(), share));
        let scales = levels.len();
        observer.prepare(&Preparation {
            scale,
            scales,
            size,
        });
        let started = Instant::now();
        // The stop reason is that of the last size.
        stop = StopReason::Evaluations;
        canvas = brought_to(&canvas, size, margin);
        if scale > 0 {
            let noise = (options.seed, Purpose::Grain, scale as u32);
            add_noise(&mut canvas, GRAIN * deviation, noise);
        }
        let free = kept.as_ref().map(|kept| put(kept, &mut canvas, margin));
        let estimate = objective(level, &canvas);
        let channels = canvas.channels();
        let Size { width, height } = canvas.size();
        let bounds = options.bounds;
        let mut adam = Adam::new(
            canvas.values().to_vec(),
            AdamOptions {
                bounds,
                ..AdamOptions::default()
            },
        )?;
        counts.preparing += started.elapsed();
        let mut asked = false;
        for step in 0..steps {
            let image = Planes::from_pixels(channels, height, width, adam.ask());
            let (values, gradient) = estimate(&image, counts.evaluations as u32);
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::NotFinite {
                    what: format!("the objective at size {size}"),
                    value: *value as f32,
                });
            }
            let named = terms.iter().zip(&values);
            let named: Vec<Term<'_>> = named
                .map(|(name, value)| Term {
                    name,
                    value: *value,
                })
                .collect();
            let mut gradient = gradient.to_pixels();
            if let Some(free) = &free {
                let pixels = gradient.chunks_exact_mut(channels).zip(free.values());
                pixels.for_each(|(pixel, free)| pixel.iter_mut().for_each(|g| *g *= free));
            }
            adam.tell(&gradient, falling_rate(RATES, HOLD, step, steps))?;
            counts.evaluations += 1;
            counts.iterations += 1;
            let elapsed = begun.elapsed();
            records.push(Record {
                scale,
                evaluation: counts.evaluations,
                elapsed,
                terms: values.clone(),
            });
            let progress = Progress {
                scale,
                scales,
                size,
                evaluation: counts.evaluations,
                evaluations,
                elapsed,
                terms: &named,
                point: Point::Pixels {
                    values: adam.ask(),
                    margin,
                },
                channels,
            };
            if observer.observe(&progress) == Control::Stop {
                asked = true;
                break;
            }
            // After two, so that every size takes a step whatever the clock says.
            if step > 0 && until.is_some_and(|until| elapsed >= until) {
                stop = StopReason::Time;
                break;
            }
        }
        canvas = Raster::new(canvas.size(), channels, adam.into_point());
        if asked {
            stop = StopReason::Asked;
            break;
        }
    }
    if let Some(last) = levels.last() {
        // Stopped before the last size: the picture has the size asked for all the same.
        canvas = brought_to(&canvas, last.size, margin);
        if let Some(kept) = &kept {
            put(kept, &mut canvas, margin);
        }
    }
    let picture = canvas.without_margin(margin);
    Ok(Outcome::new(
        (picture, formats),
        device.clone(),
        (stop, None),
        counts,
        begun.elapsed(),
        terms.into_iter().map(str::to_owned).collect(),
        records,
    ))
}

/// A picture with its margin brought to another size, the margin as wide as before.
fn brought_to(canvas: &Raster, size: Size, margin: usize) -> Raster {
    if margin == 0 {
        return enlarged(canvas, size, true);
    }
    let old = canvas.size();
    let inner = |side: usize| (side - 2 * margin) as f64;
    let scaled = |side: usize, wanted: usize| {
        let side = side as f64 * wanted as f64 / inner(side);
        (side.round() as usize).max(1)
    };
    let whole = Size::new(
        scaled(old.width, size.width),
        scaled(old.height, size.height),
    );
    let wanted = size.with_margin(margin);
    let offset = |whole: usize, wanted: usize| (whole as isize - wanted as isize) / 2;
    let corner = (
        offset(whole.width, wanted.width),
        offset(whole.height, wanted.height),
    );
    canvas.resized(whole).window(corner, wanted)
}

/// Puts the pixels that stay into a picture with its margin: 1 for those that are made, 0 for those
/// that stay.
fn put(kept: &KeptPixels, canvas: &mut Raster, margin: usize) -> Raster {
    let mut picture = canvas.without_margin(margin);
    let mut free = kept.put(&mut picture);
    let Size { width, height } = picture.size();
    let whole = canvas.size();
    // The margin around is free.
    free = Raster::from_pixels(whole, |pixel| {
        let (y, x) = (pixel / whole.width, pixel % whole.width);
        let inside =
            (margin..margin + height).contains(&y) && (margin..margin + width).contains(&x);
        let value = match inside {
            true => free.values()[(y - margin) * width + x - margin],
            false => 1.0,
        };
        [value]
    });
    let channels = canvas.channels();
    let mut rows = picture.values().chunks_exact(channels * width);
    for (y, row) in canvas.rows_mut().enumerate().skip(margin) {
        if y < margin + height
            && let Some(from) = rows.next()
        {
            row[margin * channels..(margin + width) * channels].copy_from_slice(from);
        }
    }
    free
}

pub(super) fn add_noise(
    canvas: &mut Raster,
    amplitude: f64,
    (seed, purpose, index): (u64, Purpose, u32),
) {
    let channels = canvas.channels();
    let numbers = random::normal(seed, purpose, index, canvas.size().pixels() * channels);
    let pixels = canvas.pixels_mut().zip(numbers.chunks_exact(channels));
    for (pixel, numbers) in pixels {
        for (value, number) in pixel.iter_mut().zip(numbers) {
            *value += amplitude as f32 * number;
        }
    }
}

/// The share of the time left that the first of some levels takes, by pixels and steps.
fn share_of_time(levels: &[Level]) -> f64 {
    let cost = |level: &Level| (level.size.pixels() * level.steps) as f64;
    let all: f64 = levels.iter().map(cost).sum();
    levels
        .first()
        .map_or(1.0, |first| cost(first) / all.max(1.0))
}
