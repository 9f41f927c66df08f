//! How long and through which sizes a run goes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command};
use ranvgg::run::Checkpoint;
use ranvgg::{RunOptions, Scales};

use crate::failure::Result;
use crate::output::{Target, check_apart, folder_of, with_default};
use crate::recall::{self, Flag};
use crate::values;

/// How long and through which sizes a run goes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Run")]
pub(crate) struct Run {
    /// Seed of the starting noise: another one, another picture of the same kind
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,

    /// Most octaves from the coarsest size to the final one; 1 runs at the final size alone [default: by
    /// size]
    #[arg(long, value_name = "N", value_parser = values::scales)]
    pub(crate) scales: Option<usize>,

    /// Evaluations of the loss in the whole run
    #[arg(long, value_name = "N", value_parser = values::evaluations)]
    pub(crate) evaluations: Option<usize>,

    /// Most seconds that the run may take [default: no limit]
    #[arg(long, value_name = "S", value_parser = values::seconds)]
    pub(crate) seconds: Option<Duration>,

    /// Most memory that the run should take, such as 500M or 2GiB: what is larger is worked on in blocks or in windows, and
    /// less is kept. Runs side by side in one memory share it [default: no bound, or three quarters of what is free if
    /// the run would take more]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes)]
    pub(crate) memory: Option<u64>,

    /// Save the state of the run to FILE, from which `ranvgg resume FILE` goes on [default: none]
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Least seconds from one save to the next
    #[arg(long, value_name = "S", default_value = "60", value_parser = values::seconds)]
    pub(crate) checkpoint_every: Duration,

    /// Go on from the checkpoint of the same command; `ranvgg resume` finds the command by itself
    /// [default: none]
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    /// Show the run on a page of this machine, at PORT or at one that the system chooses; other users of
    /// the machine can see it too. Of several devices it shows the first [default: no page]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub(crate) watch: Option<u16>,
}

/// Tells the default of --evaluations.
pub(crate) fn described(command: Command, evaluations: &str) -> Command {
    with_default(command, "evaluations", evaluations)
}

/// Gives a run that has no bound on its memory this one. Returns the flag of it, which is stored with the run: made again, or
/// gone on with, it has the same bound, and so the same pixels, however much memory is free then.
pub(crate) fn bounded(options: &mut RunOptions, bound: Option<u64>) -> Vec<Flag> {
    let Some(bound) = bound.filter(|_| options.memory.is_none()) else {
        return Vec::new();
    };
    options.memory = Some(bound);
    let flags = vec![("memory", bound.to_string())];
    if let Some(checkpoint) = &mut options.checkpoint {
        recall::settle(&flags);
        checkpoint.note = recall::note();
    }
    flags
}

impl Run {
    pub(crate) fn options(&self, mut options: RunOptions) -> RunOptions {
        options.seed = self.seed;
        if let Some(evaluations) = self.evaluations {
            options.evaluations = Some(evaluations);
        }
        options.time_limit = self.seconds;
        options.memory = self.memory;
        options.checkpoint = self.checkpoint.as_ref().map(|file| {
            Checkpoint::new(file)
                .with_every(self.checkpoint_every)
                .with_note(recall::note())
        });
        options.resume.clone_from(&self.resume);
        if let Some(most) = self.scales {
            options.scales = match options.scales {
                Scales::Octaves { smallest, .. } => Scales::Octaves { most, smallest },
                _ => Scales::Octaves { most, smallest: 48 },
            };
        }
        options
    }

    /// Refuses a checkpoint of several results: it holds one run. Refuses one that a result would replace.
    pub(crate) fn check_results<'a>(
        &self,
        results: impl IntoIterator<Item = &'a Target>,
    ) -> Result<()> {
        let flag = match (&self.checkpoint, &self.resume) {
            (Some(_), _) => "--checkpoint",
            (None, Some(_)) => "--resume",
            (None, None) => return Ok(()),
        };
        let results: Vec<&Target> = results.into_iter().collect();
        let [result] = results[..] else {
            return Err(format!("{flag} is of one run; allowed: commands with one result").into());
        };
        let (Target::Files(files), Some(checkpoint)) = (result, &self.checkpoint) else {
            return Ok(());
        };
        let checkpoint = ("--checkpoint", checkpoint.as_path());
        for file in files {
            check_apart([checkpoint, ("the output", file)])?;
            let folder = folder_of(file);
            // One that is still to be made; a checkpoint that is a folder is refused as such.
            if !folder.is_dir() {
                check_apart([checkpoint, ("the folder of the output", folder)])?;
            }
        }
        Ok(())
    }
}
