//! What the run's thread and the server's share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use image::DynamicImage;
use ranvgg::Progress;
use ranvgg::run::Preparation;
use serde::Serialize;

use crate::signals::Interrupts;

/// How long after its last request a page counts as open.
const LOOKED_AT: Duration = Duration::from_secs(3);

/// Evaluations by which the time of the next ones is measured.
const RECENT: usize = 10;

pub(super) struct State {
    /// What Ctrl-C sets too: a stop is one of all that is to be made.
    interrupts: Interrupts,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    preparing: bool,
    scale: usize,
    scales: usize,
    size: String,
    evaluations: usize,
    elapsed: Duration,
    left: Option<Duration>,
    terms: Vec<String>,
    records: Vec<Record>,
    times: Vec<Duration>,
    picture: Option<Arc<DynamicImage>>,
    pictures: u64,
    looked: Option<Instant>,
}

/// The loss by term after an evaluation.
#[derive(Clone, Serialize)]
struct Record {
    evaluation: usize,
    scale: usize,
    terms: Vec<f64>,
}

/// What the page asks for.
#[derive(Serialize)]
pub(super) struct Report {
    preparing: bool,
    scale: usize,
    scales: usize,
    size: String,
    evaluation: usize,
    evaluations: usize,
    elapsed: f64,
    left: Option<f64>,
    stopping: bool,
    picture: u64,
    terms: Vec<String>,
    /// Records from the number asked for on.
    records: Vec<Record>,
}

impl State {
    pub(super) fn new(interrupts: Interrupts) -> Self {
        Self {
            interrupts,
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked left at worst an old number.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn prepare(&self, preparation: &Preparation) {
        let mut inner = self.inner();
        if preparation.scale == 0 {
            // Another result begins.
            inner.records.clear();
            inner.times.clear();
        }
        inner.preparing = true;
        inner.scale = preparation.scale;
        inner.scales = preparation.scales;
        inner.size = preparation.size.to_string();
    }

    pub(super) fn record(&self, progress: &Progress<'_>, limit: Option<Duration>) {
        let mut inner = self.inner();
        inner.preparing = false;
        inner.scale = progress.scale;
        inner.scales = progress.scales;
        inner.size = progress.size.to_string();
        inner.evaluations = progress.evaluations;
        inner.elapsed = progress.elapsed;
        inner.times.push(progress.elapsed);
        inner.left = left(&inner.times, progress, limit);
        if inner.terms.is_empty() {
            inner.terms = progress.terms.iter().map(|term| term.name.into()).collect();
        }
        inner.records.push(Record {
            evaluation: progress.evaluation,
            scale: progress.scale,
            terms: progress.terms.iter().map(|term| term.value).collect(),
        });
    }

    pub(super) fn show(&self, image: DynamicImage) {
        let mut inner = self.inner();
        inner.picture = Some(Arc::new(image));
        inner.pictures += 1;
    }

    pub(super) fn picture(&self) -> Option<Arc<DynamicImage>> {
        self.inner().picture.clone()
    }

    pub(super) fn is_looked_at(&self) -> bool {
        let looked = self.inner().looked;
        looked.is_some_and(|looked| looked.elapsed() < LOOKED_AT)
    }

    pub(super) fn stop(&self) {
        self.interrupts.ask();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.interrupts.asked()
    }

    /// How the run goes, with records from number `from` on.
    pub(super) fn report(&self, from: usize) -> Report {
        let mut inner = self.inner();
        inner.looked = Some(Instant::now());
        let records = inner.records.get(from..).unwrap_or_default().to_vec();
        Report {
            preparing: inner.preparing,
            scale: inner.scale,
            scales: inner.scales,
            size: inner.size.clone(),
            evaluation: inner.records.last().map_or(0, |record| record.evaluation),
            evaluations: inner.evaluations,
            elapsed: inner.elapsed.as_secs_f64(),
            left: inner.left.map(|left| left.as_secs_f64()),
            stopping: self.is_stopped(),
            picture: inner.pictures,
            terms: inner.terms.clone(),
            records,
        }
    }
}

/// The time that the evaluations left take at the pace of the last ones, or the time allowed.
/// Evaluations at later scales take longer, hence it is a lower bound until the last.
fn left(times: &[Duration], progress: &Progress<'_>, limit: Option<Duration>) -> Option<Duration> {
    let recent = &times[times.len().saturating_sub(RECENT + 1)..];
    let (first, last) = (recent.first()?, recent.last()?);
    let steps = recent.len() - 1;
    if steps == 0 {
        return None;
    }
    let pace = last.saturating_sub(*first) / steps as u32;
    let evaluations = progress.evaluations.saturating_sub(progress.evaluation);
    let left = pace.saturating_mul(evaluations as u32);
    Some(match limit {
        Some(limit) => left.min(limit.saturating_sub(progress.elapsed)),
        None => left,
    })
}
