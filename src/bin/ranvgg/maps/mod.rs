//! `ranvgg maps`: a set of material maps made anew from a given one.

mod arguments;
mod found;
mod gltf;
mod kind;
mod normals;
mod output;
mod progress;
mod set;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ranvgg::imaging::Provenance;
use ranvgg::optim::StopReason;
use ranvgg::{Outcome, Padding, RandomVgg, TextureOptions, Vgg, device, synthesize_texture};

pub(crate) use self::arguments::Arguments;
use self::found::Found;
use self::kind::{Green, Kind};
use self::output::Output;
use self::progress::Bar;
use self::set::Set;
use crate::watch::{self, Both};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match make(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut line = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                line = format!("{line}: {error}");
                source = error.source();
            }
            eprintln!("error: {line}");
            ExitCode::FAILURE
        }
    }
}

fn make(arguments: &Arguments) -> Result<()> {
    let found = found::find(&arguments.inputs, arguments.normals)?;
    for note in &found.notes {
        arguments.say(note);
    }
    let given = found.green.or(arguments.normals).unwrap_or(Green::Gl);
    let output = output(arguments, &found, arguments.normals.unwrap_or(given))?;
    output.check(&found)?;
    let set = Set::read(&found)?;
    let stack = set.stack();
    if stack.channels() == 0 {
        return Err("each map has one value throughout: there is nothing to make anew".into());
    }
    let vgg = network(arguments, stack.channels())?;
    let options = options(arguments, &set);
    let provenance = provenance(&found, &vgg, &options)?;
    let kinds: Vec<&str> = set.maps.keys().map(|kind| kind.suffix()).collect();
    arguments.say(&format!("maps of {}: {}", set.size(), kinds.join(", ")));
    let outcome = observed(arguments, |observer| {
        Ok(synthesize_texture(&vgg, stack, &options, observer)?)
    })?;
    let made = finished(set.remade(outcome.maps()), given);
    output.write(&made, &provenance)?;
    let folder = output.folder().display();
    arguments.say(&format!(
        "{folder}: {}, {} evaluations in {:.1} s ({})",
        made.size(),
        outcome.evaluations(),
        outcome.elapsed().as_secs_f64(),
        outcome.stop_reason()
    ));
    match (outcome.stop_reason(), outcome.failure()) {
        (_, Some(reason)) => Err(format!("the device failed on the way: {reason}").into()),
        (StopReason::Asked, None) => {
            arguments.say("stopped; the maps so far were written");
            Ok(())
        }
        _ => Ok(()),
    }
}

impl Arguments {
    fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }
}

/// Where the set goes.
fn output(arguments: &Arguments, found: &Found, green: Green) -> Result<Output> {
    let name = arguments.name.clone().unwrap_or_else(|| {
        let folder = arguments.inputs[0].file_name();
        match folder {
            _ if !found.name.is_empty() => found.name.clone(),
            Some(folder) if arguments.inputs[0].is_dir() => folder.to_string_lossy().into_owned(),
            _ => "material".into(),
        }
    });
    if name.is_empty() || Path::new(&name).file_name() != Some(name.as_ref()) {
        return Err(format!("--name is `{name}`; allowed: names of files without folders").into());
    }
    let folder = arguments.output.clone();
    let folder = folder.unwrap_or_else(|| PathBuf::from(format!("{name}-made")));
    Ok(Output::new(folder, name, arguments.force, green))
}

fn network(arguments: &Arguments, channels: usize) -> Result<Vgg> {
    let padding = match arguments.no_tile {
        true => Padding::Reflect,
        false => arguments.padding,
    };
    let device = match &arguments.device {
        Some(name) => device::by_name(name)?,
        None => device::best()?,
    };
    let described = RandomVgg::vgg19()
        .with_seed(arguments.network_seed)
        .with_channels(channels)
        .with_padding(padding);
    Ok(described.init(&device)?)
}

fn options(arguments: &Arguments, set: &Set) -> TextureOptions {
    let size = arguments.size.unwrap_or(set.size());
    let mut options = TextureOptions::default()
        .with_size(size)
        .with_seed(arguments.seed);
    options.exemplar_scale = arguments.exemplar_scale;
    options.periods = !arguments.no_periods;
    options.nearest_weight = arguments.nearest_weight;
    options.run.evaluations = arguments.evaluations;
    options.run.time_limit = arguments.seconds;
    let used = options.exemplar_size(set.size(), size);
    if used != set.size() {
        let given = set.size();
        arguments.say(&format!(
            "maps of {given} brought to {used}; --exemplar-scale 1 keeps their size"
        ));
    }
    options
}

fn provenance(found: &Found, vgg: &Vgg, options: &TextureOptions) -> Result<Provenance> {
    let mut made = Provenance::of("maps")
        .with_arguments(std::env::args_os().skip(1))
        .with_options(serde_json::to_value(options)?)
        .with_seed("start", options.run.seed);
    if let Some(recipe) = vgg.recipe() {
        made = made
            .with_seed("network", recipe.seed())
            .with_network(&recipe.to_recipe());
    }
    let files: BTreeSet<&PathBuf> = found.places.values().map(|place| &place.file).collect();
    for file in files {
        made = made.with_input(file)?;
    }
    Ok(made)
}

/// Runs with a bar and, if it is asked for, the page.
fn observed(
    arguments: &Arguments,
    run: impl FnOnce(&mut dyn ranvgg::Observer) -> Result<Outcome>,
) -> Result<Outcome> {
    let mut bar = Bar::new(arguments.quiet)?;
    let outcome = match arguments.watch {
        Some(port) => {
            let mut page = watch::start(port)?.with_time_limit(arguments.seconds);
            // Asked for, hence said even by --quiet.
            eprintln!("watch at {}", page.url());
            run(&mut Both(&mut bar, &mut page))
        }
        None => run(&mut bar),
    };
    bar.end();
    outcome
}

/// The set with normals of unit length whose green points up.
fn finished(mut set: Set, given: Green) -> Set {
    if let Some(map) = set.maps.get_mut(&Kind::Normal) {
        let unit = normals::normalised(map, set.deep_normals);
        *map = match given {
            Green::Gl => unit,
            Green::Dx => normals::flipped(&unit),
        };
    }
    set
}
