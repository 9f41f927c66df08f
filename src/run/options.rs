//! How long and through which sizes a task runs.

use std::path::PathBuf;
use std::time::Duration;

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::canvas::{add_noise, noise_image};
use super::checkpoint::Checkpoint;
use super::memory::MemoryPlan;
use crate::error::{Error, Result, at_least_one, not_negative};
use crate::imaging::{Raster, Scales, Size};
use crate::optim::{LbfgsOptions, LbfgsSettings};
use crate::random::Purpose;

/// How long and through which sizes a task runs.
///
/// ```
/// use std::time::Duration;
/// use ranvgg::{RunOptions, Scales};
///
/// let options = RunOptions::default()
///     .with_seed(7)
///     .with_scales(Scales::Single)
///     .with_time_limit(Duration::from_secs(30));
/// assert_eq!(options.seed, 7);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_", strip_option)]
#[non_exhaustive]
pub struct RunOptions {
    /// Evaluations of the objective in the whole run, over all scales. More give a lower loss;
    /// below about 100 the result is blurred. Each scale adds the cost of about two for measuring
    /// the weights of its terms. Default: 200 for an inversion. With statistics of a network 300.
    /// With resampled filters 120 at each size of a texture, and 120 at the first to 50 at the last
    /// size of a style.
    pub evaluations: Option<usize>,
    /// The longest time that a run may take, with the time before it was resumed. It ends earlier when
    /// its evaluations are used. Each scale gets the share of the time left that it would take of an
    /// unlimited run, so that the last scale is reached with time left. A scale whose first step would
    /// end too late is left out, and the picture enlarged. The first scale takes one step whatever the
    /// limit. Default: none.
    pub time_limit: Option<Duration>,
    /// Bytes of memory that the run should take at most, on the device and beside it. A run at a size that
    /// takes more evaluates the features of images in blocks
    /// ([`Objective::with_block_side`](crate::objective::Objective::with_block_side)), and L-BFGS keeps
    /// fewer pairs, at least 3. With resampled filters it computes responses again instead of keeping
    /// them, and takes their ranges from a part of a large picture; if that is not enough, Adam keeps its means in
    /// 16 bits, and textures are made in windows (without masks, periods, nearest patches, fillings and checkpoints). All
    /// change the result a little. [`Preparation`](crate::run::Preparation) says what was chosen.
    /// Refused if that is not enough. Not counted are feature maps of contents, statistics of exemplars for
    /// a network, and images that wrap and have no multiple of the strides of the layers. Default: no bound.
    pub memory: Option<u64>,
    /// The sizes it goes through.
    pub scales: Scales,
    /// Seeds the starting noise; another seed gives another picture of the same kind. Default: 0.
    pub seed: u64,
    /// Amplitude of the starting noise around the mean colour, in units of the colour range.
    /// Default: 0.1.
    pub noise: f64,
    /// Keeps colours inside this range while optimising; without it they are clipped at the end.
    /// Default: none.
    pub bounds: Option<(f64, f64)>,
    /// Settings of L-BFGS, where a task uses it.
    pub lbfgs: LbfgsSettings,
    /// Where the run saves its state. Default: none. Serde leaves it out.
    #[serde(skip)]
    pub checkpoint: Option<Checkpoint>,
    /// A [checkpoint](Checkpoint) to go on from, with the same inputs and options. The run ends with the
    /// picture and the records that it would have had without the interruption, bit for bit, on the same
    /// device with the same number of threads.
    ///
    /// Evaluations, the time limit, the checkpoint and the observer may be others. With more evaluations a
    /// finished run goes on at its last scale; finished scales are not made again. At a single size by
    /// L-BFGS that is, bit for bit, a run that had as many from the beginning. Otherwise it is not, since
    /// evaluations are shared out among scales and rates of resampled filters fall with them.
    ///
    /// On another device, for example where the first one is lost, the run goes on from the same state to almost the same
    /// picture. Another version of the crate, task, network, input, or any other option is refused
    /// ([`Error::OtherRun`]). Default: none. Serde leaves it out.
    #[serde(skip)]
    #[setters(into)]
    pub resume: Option<PathBuf>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            evaluations: None,
            time_limit: None,
            memory: None,
            scales: Scales::default(),
            seed: 0,
            noise: 0.1,
            bounds: None,
            lbfgs: LbfgsSettings::default(),
            checkpoint: None,
            resume: None,
        }
    }
}

/// Evaluations of a run by L-BFGS where nothing else is asked for.
const EVALUATIONS: usize = 300;

/// The first step of a scale moves colours by about this much (root mean square).
const FIRST_STEP: f64 = 0.02;

impl RunOptions {
    pub(crate) fn check(&self) -> Result<()> {
        let evaluations = self.evaluations_of_lbfgs();
        at_least_one("evaluations", evaluations)?;
        if self.time_limit == Some(Duration::ZERO) {
            return Err(Error::option("time limit", "0 s", "durations above 0"));
        }
        not_negative("noise", self.noise)?;
        self.scales.check()?;
        self.optimiser(evaluations, 1).check()
    }

    /// What a run by L-BFGS does for its memory at a size.
    pub(super) fn memory_plan(&self, size: Size, channels: usize) -> Result<MemoryPlan> {
        MemoryPlan::new(self.memory, (size, channels), self.lbfgs.history)
    }

    /// Refuses a bound on the memory that is too low for a run by L-BFGS of that size.
    pub(crate) fn check_memory(&self, size: Size, channels: usize) -> Result<()> {
        self.memory_plan(size, channels).map(drop)
    }

    /// Evaluations of a run by L-BFGS.
    pub(super) fn evaluations_of_lbfgs(&self) -> usize {
        self.evaluations.unwrap_or(EVALUATIONS)
    }

    /// The noise that a run starts from.
    pub(crate) fn starting_noise(&self, size: Size, mean: &[f32]) -> Raster {
        noise_image(size, mean, self.noise, (self.seed, Purpose::Noise, 0))
    }

    /// `picture` with noise of that amplitude added.
    pub(crate) fn noisy(&self, picture: &Raster, amplitude: f64) -> Raster {
        let mut noisy = picture.clone();
        add_noise(&mut noisy, amplitude, (self.seed, Purpose::Noise, 0));
        noisy
    }

    /// The optimiser's settings at a scale of so many values.
    pub(super) fn optimiser(&self, evaluations: usize, values: usize) -> LbfgsOptions {
        LbfgsOptions {
            settings: self.lbfgs.clone(),
            evaluations: Some(evaluations),
            first_step: FIRST_STEP * (values as f64).sqrt(),
            bounds: self.bounds,
        }
    }
}

/// Setters of the run options that are used most, on options of a task that hold them as `run`.
macro_rules! run_setters {
    ($options:ty) => {
        impl $options {
            /// Sets [`RunOptions::seed`](crate::RunOptions::seed).
            #[must_use]
            pub fn with_seed(mut self, seed: u64) -> Self {
                self.run.seed = seed;
                self
            }

            /// Sets [`RunOptions::evaluations`](crate::RunOptions::evaluations).
            #[must_use]
            pub fn with_evaluations(mut self, evaluations: usize) -> Self {
                self.run.evaluations = Some(evaluations);
                self
            }

            /// Sets [`RunOptions::time_limit`](crate::RunOptions::time_limit).
            #[must_use]
            pub fn with_time_limit(mut self, limit: std::time::Duration) -> Self {
                self.run.time_limit = Some(limit);
                self
            }

            /// Sets [`RunOptions::scales`](crate::RunOptions::scales).
            #[must_use]
            pub fn with_scales(mut self, scales: crate::imaging::Scales) -> Self {
                self.run.scales = scales;
                self
            }

            /// Sets [`RunOptions::checkpoint`](crate::RunOptions::checkpoint).
            #[must_use]
            pub fn with_checkpoint(mut self, checkpoint: crate::run::Checkpoint) -> Self {
                self.run.checkpoint = Some(checkpoint);
                self
            }

            /// Sets [`RunOptions::resume`](crate::RunOptions::resume).
            #[must_use]
            pub fn with_resume(mut self, checkpoint: impl Into<std::path::PathBuf>) -> Self {
                self.run.resume = Some(checkpoint.into());
                self
            }
        }
    };
}
pub(crate) use run_setters;
