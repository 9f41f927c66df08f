//! `ranvgg network choose`: a greedy stack, layer by layer.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ranvgg::{Architecture, Candidate, Control, GreedyStackBuilder, Layer, RandomVgg};

use crate::config::Config;
use crate::failure::{Result, Status};
use crate::memory::{self, Need};
use crate::output::{check_apart, check_file, if_exists};
use crate::pictures::{self, CAT};
use crate::progress::Lines;
use crate::signals::Interrupts;
use crate::stations::open_devices;
use crate::terminal;
use crate::values::{self, InSize};

/// Choose a random network layer by layer, and write its recipe
///
/// Of several draws of each layer, the one is kept from which a picture comes back best (a greedy
/// stack).
#[derive(Args)]
pub(crate) struct Arguments {
    /// Picture to reconstruct (.png, .jpg, .tif) [default: a cat, from the program]
    #[arg(value_name = "PICTURE")]
    reference: Option<PathBuf>,

    /// Recipe to write, for --recipe of the other commands
    #[arg(short, long, default_value = "network.json", value_name = "OUT")]
    output: PathBuf,

    /// Overwrite the output if it exists [default: it is refused]
    #[arg(long)]
    force: bool,

    /// Draws of each layer
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = values::candidates)]
    candidates: usize,

    /// Evaluations of each draw's inversion
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = values::evaluations)]
    evaluations: usize,

    /// Architecture of the network
    #[arg(long, default_value = "vgg19", value_name = "NAME", value_parser = values::name::<Architecture>())]
    network: Architecture,

    /// The last layer that is chosen [default: conv5_1, of AlexNet conv5]
    #[arg(long, value_name = "NAME")]
    up_to: Option<Layer>,

    /// Size that the picture is brought to, in pixels: N for the shorter side, or WxH
    #[arg(long, default_value = "96", value_name = "N|WxH", value_parser = values::in_size)]
    in_size: InSize,

    /// Seed of the network: another one, other draws
    #[arg(long, default_value_t = 0, value_name = "N")]
    network_seed: u64,

    /// File of all scores, written after each; what it holds already is not computed again [default:
    /// none]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Devices to compute on, separated by commas; several share the work; all is every GPU, or the best
    /// device where there is none [default: the best]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    device: Vec<String>,

    /// Print nothing but errors, and show no progress
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    _config: Config,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Status> {
    check_file(&arguments.output, arguments.force)?;
    if let Some(report) = &arguments.report {
        check_file(report, true)?;
    }
    let given = arguments.reference.as_deref().map(|it| ("the picture", it));
    let report = arguments.report.as_deref().map(|it| ("--report", it));
    let written = ("the output", arguments.output.as_path());
    check_apart(given.into_iter().chain(report).chain([written]))?;
    let picture = pictures::open_or(arguments.reference.as_deref(), CAT)?;
    let devices = open_devices(&arguments.device)?;
    let size = pictures::brought_size(&picture, Some(arguments.in_size))?;
    for device in &devices {
        memory::check(("a picture", size), Need::NETWORK.whole(), device, false)?;
    }
    let picture = pictures::resized(picture, Some(arguments.in_size))?;
    let network = RandomVgg::new(arguments.network).with_seed(arguments.network_seed);
    let mut builder = GreedyStackBuilder::new(network, picture)
        .with_candidates(arguments.candidates)
        .with_evaluations(arguments.evaluations)
        .with_devices(devices);
    if let Some(deepest) = arguments.up_to {
        builder = builder.up_to(deepest);
    }
    if let Some(report) = &arguments.report {
        builder = builder.with_report(report);
    }
    let interrupts = Interrupts::listen()?;
    let bar = match arguments.quiet {
        true => ProgressBar::hidden(),
        false => ProgressBar::no_length(),
    };
    let mut lines = Lines::new(arguments.quiet);
    bar.set_style(ProgressStyle::with_template(
        "{bar:32} {pos}/{len} draws, {msg}, {eta} left",
    )?);
    let stack = builder.build(&mut |candidate: &Candidate, total: usize| {
        bar.set_length(total as u64);
        bar.inc(1);
        let message = format!("{} {:.4}", candidate.layer, candidate.score);
        if lines.due() {
            terminal::say(&format!("{}/{total} draws, {message}", bar.position()));
        }
        bar.set_message(message);
        match interrupts.asked() {
            true => Control::Stop,
            false => Control::Continue,
        }
    })?;
    bar.finish_and_clear();
    if stack.is_complete() {
        stack
            .network()
            .save_recipe(&arguments.output, if_exists(arguments.force))?;
    }
    if !arguments.quiet {
        for candidate in stack.candidates() {
            terminal::note(&format!(
                "{:<8} seed {:<6} score {:.5}  {:.2} dB",
                candidate.layer, candidate.seed, candidate.score, candidate.psnr
            ));
        }
    }
    if !stack.is_complete() {
        terminal::say(
            "stopped, and no recipe is written; --report FILE keeps scores for the next time",
        );
        return Ok(Status::Stopped);
    }
    if !arguments.quiet {
        terminal::note(&arguments.output.display().to_string());
    }
    Ok(Status::Complete)
}
