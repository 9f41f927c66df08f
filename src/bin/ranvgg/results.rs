//! One result, written. Sets of maps are written by `maps::output`.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};
use ranvgg::imaging::{self, Provenance};
use ranvgg::{Outcome, Vgg};
use serde_json::{Map, Value, json};

use crate::failure::{Result, chain};
use crate::output::{Output, Target, if_exists, suffixed};
use crate::progress::Meter;
use crate::recall::Flag;
use crate::{recall, terminal};

/// A result, and what there is to tell of it.
pub(crate) struct Made<'a> {
    pub(crate) command: &'static str,
    pub(crate) inputs: &'a [PathBuf],
    pub(crate) vgg: &'a Vgg,
    /// Flags that are other ones for this result than for the whole command.
    pub(crate) own: Vec<Flag>,
    pub(crate) seed: u64,
    pub(crate) outcome: &'a Outcome,
    /// The task's options.
    pub(crate) options: Value,
    /// How near the result is to its input, where that is the question.
    pub(crate) psnr: Option<f64>,
}

/// Writes a result, and then says how the run went.
pub(crate) fn write(
    output: &Output,
    target: &Target,
    made: &Made<'_>,
    meter: &Meter,
) -> Result<()> {
    meter.ended();
    let outcome = made.outcome;
    let mut failures: Vec<String> = Vec::new();
    let mut written = Vec::new();
    match target {
        Target::StandardOutput => {
            let image = image(output, outcome);
            match terminal::write_picture(&png(&image)?) {
                Ok(()) => written.push(PathBuf::from("-")),
                Err(error) => {
                    let file = Path::new("picture.png");
                    let (said, beside) = rescued(&image, file, &error.to_string());
                    failures.push(said);
                    written.extend(beside);
                }
            }
        }
        Target::Files(files) => {
            output.make_folder();
            let provenance = (!output.no_metadata).then(|| {
                let read = recall::files_read();
                let files = made.inputs.iter().chain(&read);
                let (inputs, options) = (made.inputs, &made.options);
                provenance(
                    made.command,
                    (inputs, files),
                    made.vgg,
                    (made.seed, options, &made.own),
                )
            });
            let images = match files.len() {
                1 => vec![image(output, outcome)],
                _ => outcome.maps(),
            };
            for (image, file) in images.iter().zip(files) {
                let saved = match &provenance {
                    Some(made) => imaging::save_with(image, file, if_exists(output.force), made),
                    None => imaging::save(image, file, if_exists(output.force)),
                };
                match saved {
                    Ok(()) => written.push(file.clone()),
                    Err(error) => {
                        let (said, beside) = rescued(image, file, &chain(&error));
                        failures.push(said);
                        written.extend(beside);
                    }
                }
            }
        }
    }
    if output.json {
        terminal::note(&described(made, &written).to_string());
    }
    if !output.quiet {
        summarise(made, &written, meter);
    }
    failures.extend(self::failures(outcome));
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("; ").into()),
    }
}

/// How a result was made. `inputs` are those of the command line, `files` those that are compared when it
/// is made again; one that is gone by now is found missing then.
pub(crate) fn provenance<'a>(
    command: &str,
    (inputs, files): (&[PathBuf], impl IntoIterator<Item = &'a PathBuf>),
    vgg: &Vgg,
    (seed, options, own): (u64, &Value, &[Flag]),
) -> Provenance {
    let mut all = Provenance::of(command)
        .with_arguments(recall::line_of(inputs, seed, own))
        .with_options(options.clone())
        .with_seed("start", seed);
    if let Some(recipe) = vgg.recipe() {
        all = all
            .with_seed("network", recipe.seed())
            .with_network(&recipe.to_recipe());
    }
    for file in files {
        if let Ok(with) = all.clone().with_input(file) {
            all = with;
        }
    }
    all
}

/// What went wrong in a run that gave a result all the same.
pub(crate) fn failures(outcome: &Outcome) -> Vec<String> {
    let run = outcome.failure();
    let run = run.map(|reason| format!("the run failed on the way: {}", chain(reason)));
    let checkpoint = outcome.checkpoint_failure();
    let checkpoint =
        checkpoint.map(|reason| format!("the checkpoint was not saved: {}", chain(reason)));
    run.into_iter().chain(checkpoint).collect()
}

fn image(output: &Output, outcome: &Outcome) -> DynamicImage {
    match output.sixteen {
        true => outcome.image16(),
        false => outcome.image(),
    }
}

fn png(image: &DynamicImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// Keeps a picture that could not be written where it should be: beside it, else where there is room.
/// What happened, and the place.
fn rescued(image: &DynamicImage, file: &Path, reason: &str) -> (String, Option<PathBuf>) {
    let name = Path::new(file.file_name().unwrap_or_default());
    let places = [
        file.to_owned(),
        name.to_owned(),
        std::env::temp_dir().join(name),
    ];
    for place in places {
        for number in 1..100 {
            let free = suffixed(&place, &number.to_string());
            if free.exists() {
                continue;
            }
            if imaging::save(image, &free, ranvgg::IfExists::Refuse).is_ok() {
                return (
                    format!("{reason}; the picture is in `{}`", free.display()),
                    Some(free),
                );
            }
            break;
        }
    }
    (format!("{reason}; the picture is lost"), None)
}

fn summarise(made: &Made<'_>, written: &[PathBuf], meter: &Meter) {
    let (outcome, image) = (made.outcome, made.outcome.image());
    for file in written {
        meter.say(&format!(
            "{}: {}x{}, {} evaluations in {:.1} s, {:.1} s of them preparing ({})",
            file.display(),
            image.width(),
            image.height(),
            outcome.evaluations(),
            outcome.elapsed().as_secs_f64(),
            outcome.preparing().as_secs_f64(),
            outcome.stop_reason(),
        ));
    }
    if let Some(psnr) = made.psnr {
        meter.say(&format!("PSNR {psnr:.2} dB"));
    }
}

/// A result for machines.
fn described(made: &Made<'_>, written: &[PathBuf]) -> Value {
    let (outcome, image) = (made.outcome, made.outcome.image());
    let paths = |paths: &[PathBuf]| -> Vec<String> {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    };
    let last = outcome.records().last();
    let values = last.map_or(&[][..], |record| &record.terms);
    let names = outcome.term_names().iter().cloned();
    let terms: Map<String, Value> = names.zip(values.iter().map(|value| json!(value))).collect();
    let mut object = json!({
        "command": made.command,
        "inputs": paths(made.inputs),
        "outputs": paths(written),
        "width": image.width(),
        "height": image.height(),
        "seed": made.seed,
        "network": made.vgg.architecture().to_string(),
        "network_seed": made.vgg.recipe().map(ranvgg::RandomVgg::seed),
        "device": ranvgg::device::name_of(made.vgg.device()),
        "evaluations": outcome.evaluations(),
        "seconds": outcome.elapsed().as_secs_f64(),
        "preparing_seconds": outcome.preparing().as_secs_f64(),
        "stop_reason": outcome.stop_reason().to_string(),
        "loss": last.map(ranvgg::run::Record::loss),
        "terms": terms,
    });
    if let Some(psnr) = made.psnr {
        object["psnr"] = json!(psnr);
    }
    object
}
