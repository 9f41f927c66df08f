//! What watches a run: any number of observers, each of which may stop it.

use ranvgg::run::Preparation;
use ranvgg::{Control, Observer, Progress};

use crate::failure::Result;
use crate::progress::Meter;
use crate::run::Run;
use crate::signals::Interrupts;
use crate::terminal;
use crate::watch;

/// Observers that are told everything in turn.
#[derive(Default)]
pub(crate) struct Observers(Vec<Box<dyn Observer + Send>>);

impl Observers {
    /// One more observer; it sees what those before it have seen.
    pub(crate) fn push(&mut self, observer: impl Observer + Send + 'static) {
        self.0.push(Box::new(observer));
    }
}

impl Observer for Observers {
    fn prepare(&mut self, preparation: &Preparation) {
        for observer in &mut self.0 {
            observer.prepare(preparation);
        }
    }

    fn observe(&mut self, progress: &Progress<'_>) -> Control {
        // All are told, also when the first of them wants to stop.
        let answers = self.0.iter_mut().map(|observer| observer.observe(progress));
        let stopped = answers.filter(|answer| *answer == Control::Stop).count() > 0;
        match stopped {
            true => Control::Stop,
            false => Control::Continue,
        }
    }
}

/// What every command that makes pictures watches with.
pub(crate) struct Watch {
    pub(crate) meter: Meter,
    pub(crate) interrupts: Interrupts,
    pub(crate) observers: Observers,
}

impl Watch {
    /// Watches by a bar and for signals; on a page too, if that is asked for.
    pub(crate) fn start(quiet: bool, run: &Run) -> Result<Self> {
        Self::on(Meter::new(quiet)?, run)
    }

    /// The same for `count` runs side by side. The page shows those that the first one watches.
    pub(crate) fn side_by_side(quiet: bool, run: &Run, count: usize) -> Result<Vec<Self>> {
        let mut meters = Meter::side_by_side(quiet, count)?.into_iter();
        let mut all = Vec::new();
        if let Some(meter) = meters.next() {
            all.push(Self::on(meter, run)?);
        }
        for meter in meters {
            all.push(Self::with(meter, all[0].interrupts.clone()));
        }
        Ok(all)
    }

    fn on(meter: Meter, run: &Run) -> Result<Self> {
        let mut watch = Self::with(meter, Interrupts::listen()?);
        if let Some(port) = run.watch {
            let page = watch::start(port, watch.interrupts.clone())?.with_time_limit(run.seconds);
            // It was asked for, so --quiet does not hide it.
            terminal::say(&format!("watch at {}", page.url()));
            watch.observers.push(page);
        }
        Ok(watch)
    }

    fn with(meter: Meter, interrupts: Interrupts) -> Self {
        let mut observers = Observers::default();
        observers.push(meter.clone());
        observers.push(interrupts.clone());
        Self {
            meter,
            interrupts,
            observers,
        }
    }
}
