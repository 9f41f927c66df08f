//! Several inputs, one after another: one that fails does not keep the others from being made.

use std::path::PathBuf;

use serde_json::json;

use crate::failure::{self, Result, Status, chain};
use crate::observers::Watch;
use crate::output::{Output, Target};
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

/// Makes every item. `make` says whether it made all results of an item or was stopped before.
pub(crate) fn run(
    items: &[Item],
    output: &Output,
    watch: &mut Watch,
    mut make: impl FnMut(&Item, &mut Watch) -> Result<bool>,
) -> Result<Status> {
    if let [item] = items {
        return Ok(match make(item, watch)? {
            true => Status::Complete,
            false => Status::Stopped,
        });
    }
    let mut failures = Vec::new();
    let mut stopped = false;
    for (number, item) in items.iter().enumerate() {
        stopped |= watch.interrupts.asked();
        if stopped {
            break;
        }
        let name = item.name();
        watch
            .meter
            .item(&format!("{}/{} {name}", number + 1, items.len()));
        match make(item, watch) {
            Ok(complete) => stopped |= !complete,
            Err(error) => {
                watch.meter.ended();
                failure::report(&*error);
                if output.json {
                    let error = chain(&*error);
                    terminal::note(&json!({ "inputs": [&name], "error": error }).to_string());
                }
                failures.push(name);
            }
        }
    }
    if !failures.is_empty() {
        let (count, all) = (failures.len(), items.len());
        terminal::say(&format!("{count} of {all} inputs failed:"));
        for name in failures {
            terminal::say(&format!("  {name}"));
        }
        return Ok(Status::Failed);
    }
    Ok(match stopped {
        true => Status::Stopped,
        false => Status::Complete,
    })
}
