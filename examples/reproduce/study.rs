//! A study: runs that are independent of each other, and a page that shows them.

use image::DynamicImage;
use indicatif::{ProgressBar, ProgressStyle};
use ranvgg::{Control, Progress};

use crate::archive::{Archive, Record};
use crate::options::Context;
use crate::page::Page;
use crate::support;

/// What a study runs with unless told otherwise.
pub(crate) struct Defaults {
    pub(crate) side: u32,
    pub(crate) evaluations: usize,
    pub(crate) draws: usize,
}

pub(crate) trait Study {
    /// The name of its folder.
    fn name(&self) -> &'static str;

    fn defaults(&self) -> Defaults;

    /// What is to be run.
    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>>;

    /// What the runs show: all of them, or as many as there are when it was stopped.
    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page>;
}

/// One run.
pub(crate) struct Unit<'a> {
    /// What distinguishes it from the others, by column of the table.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// About how long it takes, in any unit that all units of a study share.
    pub(crate) cost: u64,
    pub(crate) work: Work<'a>,
}

type Work<'a> = Box<dyn FnOnce(&Watch<'_>) -> support::Result<Made> + 'a>;

/// A figure by evaluation.
pub(crate) type Curve = Vec<(usize, f64)>;

impl<'a> Unit<'a> {
    pub(crate) fn new(
        labels: &[(&'static str, &dyn ToString)],
        cost: u64,
        work: impl FnOnce(&Watch<'_>) -> support::Result<Made> + 'a,
    ) -> Self {
        let labels = labels
            .iter()
            .map(|(column, label)| (*column, label.to_string()));
        Self {
            labels: labels.collect(),
            cost,
            work: Box::new(work),
        }
    }
}

/// What a run makes.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) picture: Option<DynamicImage>,
    pub(crate) figures: Vec<(&'static str, f64)>,
    pub(crate) curve: Curve,
}

/// Watches a run: shows how far it is, and stops it.
pub(crate) struct Watch<'a> {
    bar: &'a ProgressBar,
    /// Where the bar stood before this run, and how much it adds.
    start: u64,
    cost: u64,
    asked: &'a dyn Fn() -> bool,
}

impl Watch<'_> {
    /// Says what part of the run is done.
    pub(crate) fn done(&self, part: f64) -> Control {
        let done = (self.cost as f64 * part.min(1.0)) as u64;
        self.bar.set_position(self.start + done);
        match (self.asked)() {
            true => Control::Stop,
            false => Control::Continue,
        }
    }

    /// An observer of a task of the library.
    pub(crate) fn observer(&self) -> impl FnMut(&Progress<'_>) -> Control + '_ {
        |progress| self.done(progress.evaluation as f64 / progress.evaluations as f64)
    }
}

/// Runs what is not there already, writes the table, the sheet and the page.
pub(crate) fn carry_out(
    study: &dyn Study,
    context: &Context,
    asked: &dyn Fn() -> bool,
) -> support::Result<()> {
    let archive = Archive::open(context)?;
    let units = study.units(context)?;
    let count = units.len();
    let bar = ProgressBar::new(units.iter().map(|unit| unit.cost).sum());
    bar.set_style(ProgressStyle::with_template(
        "{prefix} {bar:32} {percent}%, {msg}, {eta} left",
    )?);
    bar.set_prefix(study.name());
    let mut records = Vec::new();
    let mut stopped = false;
    let mut start = 0;
    for (number, unit) in units.into_iter().enumerate() {
        let Unit { labels, cost, work } = unit;
        if let Some(record) = archive.find(&labels)? {
            records.push(record);
            start += cost;
            bar.set_position(start);
            // What was there already took no time and says nothing of how long the rest takes.
            bar.reset_eta();
            continue;
        }
        if !stopped {
            let labelled: Vec<&str> = labels.iter().map(|(_, label)| label.as_str()).collect();
            bar.set_message(format!(
                "run {}/{count}: {}",
                number + 1,
                labelled.join(" ")
            ));
            let watch = Watch {
                bar: &bar,
                start,
                cost,
                asked,
            };
            let made = work(&watch)?;
            stopped = asked();
            if !stopped {
                records.push(archive.keep(labels, made)?);
            }
        }
        start += cost;
    }
    bar.finish_and_clear();
    let done = records.len();
    archive.write_table(&records)?;
    let page = study.page(context, &records)?;
    page.write(&context.folder)?;
    if stopped {
        let name = study.name();
        return Err(format!(
            "stopped after {done} of {count} runs of `{name}`; the same command goes on from there"
        )
        .into());
    }
    Ok(())
}
