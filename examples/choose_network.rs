//! Chooses a random network layer by layer, by how well a picture comes back from each layer.

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use image::imageops::FilterType;
use indicatif::{ProgressBar, ProgressStyle};
use ranvgg::{Architecture, Candidate, Control, GreedyStackBuilder, Layer, RandomVgg};

/// Choose a random network layer by layer (a greedy stack) and write its recipe
#[derive(Parser)]
struct Arguments {
    /// Picture to reconstruct (.png, .jpg, .tif) [default: a cat, from the crate]
    reference: Option<PathBuf>,

    /// Recipe to write, for --recipe of the other programs
    #[arg(short, long, default_value = "network.json", value_name = "OUT")]
    output: PathBuf,

    /// Overwrite the output if it exists
    #[arg(long)]
    force: bool,

    /// Draws of each layer
    #[arg(long, default_value_t = 8)]
    candidates: usize,

    /// Evaluations of each draw's inversion
    #[arg(long, default_value_t = 60)]
    evaluations: usize,

    /// Network: vgg16, vgg19 or alexnet
    #[arg(long, default_value = "vgg19", value_name = "NAME")]
    network: Architecture,

    /// The last layer that is chosen [default: conv5_1, of AlexNet conv5]
    #[arg(long, value_name = "NAME")]
    up_to: Option<Layer>,

    /// Shorter side that the reference is resized to
    #[arg(long, default_value_t = 96, value_parser = clap::value_parser!(u32).range(1..=4096))]
    side: u32,

    /// Seed of the network: another one, other candidates
    #[arg(long, default_value_t = 0)]
    network_seed: u64,

    /// File of all scores, written after each; what it holds already is not computed again
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Device: flex, wgpu, ...; several share the work (see the example list_devices)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    device: Vec<String>,
}

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    check_output(&arguments.output, arguments.force)?;
    let picture = support::open_picture(arguments.reference.as_deref(), "cat.png")?;
    let factor = f64::from(arguments.side) / f64::from(picture.width().min(picture.height()));
    let side = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
    let (width, height) = (side(picture.width()), side(picture.height()));
    let picture = picture.resize_exact(width, height, FilterType::Lanczos3);
    let mut devices = Vec::new();
    for name in &arguments.device {
        devices.push(support::open_device(Some(name))?);
    }
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
    let asked = support::interrupts()?;
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template(
        "{bar:32} {pos}/{len} candidates, {msg}, {eta} left",
    )?);
    let stack = builder.build(&mut |candidate: &Candidate, total: usize| {
        bar.set_length(total as u64);
        bar.inc(1);
        bar.set_message(format!("{} {:.4}", candidate.layer, candidate.score));
        match asked() {
            true => Control::Stop,
            false => Control::Continue,
        }
    })?;
    bar.finish_and_clear();
    for candidate in stack.candidates() {
        println!(
            "{:<8} seed {:<6} score {:.5}  {:.2} dB",
            candidate.layer, candidate.seed, candidate.score, candidate.psnr
        );
    }
    if !stack.is_complete() {
        return Err("stopped; --report keeps scores for the next time".into());
    }
    stack
        .network()
        .save_recipe(&arguments.output, support::if_exists(arguments.force))?;
    println!("{}", arguments.output.display());
    Ok(())
}

/// Refuses an output that could not be written, before any work.
fn check_output(path: &Path, force: bool) -> support::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(format!("there is no folder `{}`", folder.display()).into());
    }
    if path.exists() && !force {
        return Err(format!("`{}` exists already; --force overwrites it", path.display()).into());
    }
    Ok(())
}
