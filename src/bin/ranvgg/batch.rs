//! Several results, of several inputs or seeds: one that fails does not keep the others from being made. They
//! are spread over the devices that were asked for.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ranvgg::Outcome;
use ranvgg::device::{Attempt, spread};
use serde_json::json;

use crate::failure::{Failure, Result, Status, chain};
use crate::observers::Watch;
use crate::output::{Output, Target};
use crate::run::Run;
use crate::stations::{self, Station};
use crate::terminal;

/// What is made of one input, or of one mixture.
pub(crate) struct Item {
    pub(crate) inputs: Vec<PathBuf>,
    /// Seeds, and where the result of each goes.
    pub(crate) results: Vec<(u64, Target)>,
}

impl Item {
    fn name(&self) -> String {
        let names = self.inputs.iter().map(|path| path.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }
}

/// Where all results go.
pub(crate) fn targets(items: &[Item]) -> impl Iterator<Item = &Target> {
    items
        .iter()
        .flat_map(|item| item.results.iter().map(|(_, target)| target))
}

/// One result to make.
pub(crate) struct Job<'a> {
    pub(crate) item: &'a Item,
    pub(crate) seed: u64,
    pub(crate) target: &'a Target,
    /// Whether it is the item's first.
    pub(crate) first: bool,
    /// Devices that have not failed.
    devices: &'a AtomicUsize,
    /// Which item it is of.
    number: usize,
}

impl Job<'_> {
    /// Refuses the last picture of a run whose device failed on the way, if another one makes the result.
    pub(crate) fn check_device(&self, outcome: &Outcome) -> Result<()> {
        match outcome.failure() {
            Some(error @ ranvgg::Error::Device(_)) if leave_out(self.devices) => {
                Err(Box::new(DeviceFailed(chain(error))))
            }
            _ => Ok(()),
        }
    }
}

/// Leaves out a device, unless it is the last one.
fn leave_out(devices: &AtomicUsize) -> bool {
    let less = |count: usize| (count > 1).then(|| count - 1);
    let order = Ordering::SeqCst;
    devices.fetch_update(order, order, less).is_ok()
}

/// That a device failed during a run, and was left out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct DeviceFailed(String);

/// Makes all results, each on the next station that is free.
///
/// An error ends what is made of its item. If a device failed, another one makes the result. Runs of `resampled`
/// filters work in the host's memory.
pub(crate) fn run(
    items: &[Item],
    (output, run): (&Output, &Run),
    (mut stations, resampled): (Vec<Station>, bool),
    make: impl Fn(&Job<'_>, &Station, &mut Watch) -> Result<()> + Sync,
) -> Result<Status> {
    stations::share_memory(&mut stations, run.memory, resampled);
    let watches = Watch::side_by_side(output.quiet, run, stations.len())?;
    let stations: Vec<(Station, Watch)> = stations.into_iter().zip(watches).collect();
    let (several, spread_out) = (items.len() > 1, stations.len() > 1);
    let Some((_, watch)) = stations.first() else {
        return Err("there is no device to make results on".into());
    };
    let (meter, interrupts) = (watch.meter.clone(), watch.interrupts.clone());
    let devices = AtomicUsize::new(stations.len());
    let ended: Vec<AtomicBool> = items.iter().map(|_| AtomicBool::new(false)).collect();
    let label = |job: &Job<'_>, station: &Station| {
        let mut label = job.item.name();
        if several {
            label = format!("{}/{} {label}", job.number + 1, items.len());
        }
        if spread_out && job.item.results.len() > 1 {
            label = format!("{label} seed {}", job.seed);
        }
        if spread_out {
            label = format!("{label} on {}", station.name);
        }
        label.trim_start().to_owned()
    };
    let work = |(station, watch): &mut (Station, Watch), job: &Job<'_>| {
        if ended[job.number].load(Ordering::SeqCst) {
            return Attempt::Done(Ok(()));
        }
        let label = label(job, station);
        if !label.is_empty() && (several || spread_out) {
            watch.meter.item(&label);
        }
        let error = match make(job, station, watch) {
            Ok(()) => return Attempt::Done(Ok(())),
            Err(error) => error,
        };
        watch.meter.ended();
        let left_out =
            error.is::<DeviceFailed>() || is_of_the_device(&error) && leave_out(&devices);
        if !left_out {
            ended[job.number].store(true, Ordering::SeqCst);
            return Attempt::Done(Err(error));
        }
        Attempt::Failed(Err(on(&station.name, &error)))
    };
    let mut failures: Vec<(usize, Failure)> = Vec::new();
    let left = spread(stations, jobs(items, &devices), work, |job, attempt| {
        match attempt {
            Attempt::Done(Ok(())) => {}
            Attempt::Done(Err(error)) => {
                ended[job.number].store(true, Ordering::SeqCst);
                let known = failures.iter().any(|(number, other)| {
                    *number == job.number && chain(&**other) == chain(&*error)
                });
                if several && !known {
                    let said = chain(&*error);
                    meter.say(&format!("error: {said}"));
                    if output.json {
                        let name = job.item.name();
                        terminal::note(&json!({ "inputs": [name], "error": said }).to_string());
                    }
                }
                if !known {
                    failures.push((job.number, error));
                }
            }
            Attempt::Failed(Err(error)) => {
                let said = chain(&*error);
                meter.say(&format!("{said}; the device is left out from here on"));
            }
            _ => {}
        }
        match interrupts.asked() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    if failures.is_empty() {
        return Ok(match left.is_empty() {
            true => Status::Complete,
            false => Status::Stopped,
        });
    }
    if !several {
        // The command ends with one of them.
        let mut failures = failures.into_iter().map(|(_, error)| error);
        let error = failures.next();
        for other in failures {
            crate::failure::report(&*other);
        }
        return error.map_or(Ok(Status::Failed), Err);
    }
    failures.sort_by_key(|(number, _)| *number);
    failures.dedup_by_key(|(number, _)| *number);
    let (count, all) = (failures.len(), items.len());
    terminal::say(&format!("{count} of {all} inputs failed:"));
    for (number, _) in failures {
        terminal::say(&format!("  {}", items[number].name()));
    }
    Ok(Status::Failed)
}

/// All results, item by item.
fn jobs<'a>(items: &'a [Item], devices: &'a AtomicUsize) -> impl Iterator<Item = Job<'a>> {
    items.iter().enumerate().flat_map(move |(number, item)| {
        let results = item.results.iter().enumerate();
        results.map(move |(place, (seed, target))| Job {
            item,
            seed: *seed,
            target,
            first: place == 0,
            devices,
            number,
        })
    })
}

/// Whether it is the device that failed, not what was to be made on it.
fn is_of_the_device(error: &Failure) -> bool {
    let error = error.downcast_ref::<ranvgg::Error>();
    matches!(error, Some(ranvgg::Error::Device(_)))
}

/// An error with the name of its device.
fn on(device: &str, error: &Failure) -> Failure {
    format!("{device}: {}", chain(&**error)).into()
}
