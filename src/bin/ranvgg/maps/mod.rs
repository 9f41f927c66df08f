//! `ranvgg maps`: a set of material maps made anew from a given one.

mod arguments;
mod format;
mod found;
mod gltf;
mod kind;
mod normals;
mod output;
mod set;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ranvgg::imaging::Provenance;
use ranvgg::run::StopReason;
use ranvgg::{
    Padding, RandomVgg, RunOptions, Statistics, TextureOptions, Vgg, device, synthesize_texture,
};

pub(crate) use self::arguments::Arguments;
use self::found::Found;
use self::kind::{Green, Kind};
use self::output::Output;
use self::set::Set;
use crate::failure::{Result, Status, chain};
use crate::memory::{self, Need};
use crate::observers::Watch;
use crate::output::Target;
use crate::run::bounded;
use crate::{results, terminal};

pub(crate) fn run(arguments: &Arguments) -> Result<Status> {
    let found = found::find(&arguments.inputs, arguments.normals)?;
    for note in &found.notes {
        arguments.say(note);
    }
    let given = found.green.or(arguments.normals).unwrap_or(Green::Gl);
    let output = output(arguments, &found, arguments.normals.unwrap_or(given))?;
    output.check(&found)?;
    arguments
        .run
        .check_results(&[Target::Files(output.files(&found))])?;
    let set = Set::read(&found)?;
    let stack = set.stack();
    if stack.channels() == 0 {
        return Err("each map has one value throughout: there is nothing to make anew".into());
    }
    let vgg = network(arguments, stack.channels())?;
    let size = arguments.size.unwrap_or(set.size());
    let need = Need::texture(Statistics::Resampled, stack.channels())
        .saved(arguments.run.checkpoint.is_some(), stack.channels())
        .within(arguments.run.memory);
    let bound = memory::check(("a result", size), need, vgg.device(), true)?;
    let mut options = options(arguments, &set);
    let own = bounded(&mut options.run, bound);
    let used = options.exemplar_size(set.size(), size);
    let need = Need::exemplar(Statistics::Resampled, stack.channels());
    memory::check(("an exemplar", used), need, vgg.device(), true)?;
    let files: BTreeSet<&PathBuf> = found.places.values().map(|place| &place.file).collect();
    let settings = (options.run.seed, &serde_json::to_value(&options)?, &own[..]);
    let provenance = results::provenance("maps", (&arguments.inputs, files), &vgg, settings);
    let kinds: Vec<&str> = set.maps.keys().map(|kind| kind.suffix()).collect();
    arguments.say(&format!("maps of {}: {}", set.size(), kinds.join(", ")));
    let mut watch = Watch::start(arguments.quiet, &arguments.run)?;
    let outcome = synthesize_texture(&vgg, stack, &options, &mut watch.observers)?;
    watch.meter.ended();
    let made = finished(set.remade(outcome.maps()), given);
    let provenance = (!arguments.no_metadata).then_some(&provenance);
    if let Err(error) = output.write(&made, provenance) {
        return Err(rescued(&output, &made, provenance, &chain(&*error)).into());
    }
    let folder = output.folder().display();
    arguments.say(&format!(
        "{folder}: {}, {} evaluations in {:.1} s ({})",
        made.size(),
        outcome.evaluations(),
        outcome.elapsed().as_secs_f64(),
        outcome.stop_reason()
    ));
    let failures = results::failures(&outcome);
    if !failures.is_empty() {
        return Err(failures.join("; ").into());
    }
    if outcome.stop_reason() == StopReason::Stopped {
        arguments.say("stopped; the maps so far were written");
    }
    Ok(Status::Complete)
}

/// Keeps a set that could not be written where it should be, in the system's folder for temporary files.
fn rescued(output: &Output, made: &Set, provenance: Option<&Provenance>, reason: &str) -> String {
    let kept = tempfile::Builder::new().prefix("ranvgg-").tempdir();
    let Ok(folder) = kept.map(tempfile::TempDir::keep) else {
        return format!("{reason}; the maps are lost");
    };
    match output.in_folder(folder.clone()).write(made, provenance) {
        Ok(()) => format!("{reason}; the maps are in `{}`", folder.display()),
        Err(_) => format!("{reason}; the maps are lost"),
    }
}

impl Arguments {
    fn say(&self, line: &str) {
        if !self.quiet {
            terminal::say(line);
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
    let formats = arguments.also.clone();
    Ok(Output::new(folder, name, arguments.force, green, formats))
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
        .with_run(arguments.run.options(RunOptions::default()));
    options.exemplar_scale = arguments.exemplar_scale;
    options.periods = !arguments.no_periods;
    options.nearest_weight = arguments.nearest_weight;
    let used = options.exemplar_size(set.size(), size);
    if used != set.size() {
        let given = set.size();
        arguments.say(&format!(
            "maps of {given} brought to {used}; --exemplar-scale 1 keeps their size"
        ));
    }
    options
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
