//! How long and through which sizes a run goes.

use std::time::Duration;

use clap::{Args, Command};
use ranvgg::{RunOptions, Scales};

use crate::output::with_default;
use crate::values;

/// How long and through which sizes a run goes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Run")]
pub(crate) struct Run {
    /// Seed of the starting noise: another one, another picture of the same kind
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,

    /// Most octaves from the coarsest size to the final one, each half the next; 1 runs at the final
    /// size alone [default: by size]
    #[arg(long, value_name = "N", value_parser = values::scales)]
    pub(crate) scales: Option<usize>,

    /// Evaluations of the loss in the whole run
    #[arg(long, value_name = "N", value_parser = values::evaluations)]
    pub(crate) evaluations: Option<usize>,

    /// Most seconds that the run may take [default: no limit]
    #[arg(long, value_name = "S", value_parser = values::seconds)]
    pub(crate) seconds: Option<Duration>,
}

/// Tells the default of --evaluations.
pub(crate) fn described(command: Command, evaluations: &str) -> Command {
    with_default(command, "evaluations", evaluations)
}

impl Run {
    pub(crate) fn options(&self, mut options: RunOptions) -> RunOptions {
        options.seed = self.seed;
        if let Some(evaluations) = self.evaluations {
            options.evaluations = Some(evaluations);
        }
        options.time_limit = self.seconds;
        if let Some(most) = self.scales {
            options.scales = match options.scales {
                Scales::Octaves { smallest, .. } => Scales::Octaves { most, smallest },
                _ => Scales::Octaves { most, smallest: 48 },
            };
        }
        options
    }
}
