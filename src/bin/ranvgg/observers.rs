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
pub(crate) struct Observers(Vec<Box<dyn Observer>>);

impl Observers {
    /// One more observer; it sees what those before it have seen.
    pub(crate) fn push(&mut self, observer: impl Observer + 'static) {
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
        let meter = Meter::new(quiet)?;
        let interrupts = Interrupts::listen()?;
        let mut observers = Observers::default();
        observers.push(meter.clone());
        observers.push(interrupts.clone());
        if let Some(port) = run.watch {
            let page = watch::start(port, interrupts.clone())?.with_time_limit(run.seconds);
            // It was asked for, so --quiet does not hide it.
            terminal::say(&format!("watch at {}", page.url()));
            observers.push(page);
        }
        Ok(Self {
            meter,
            interrupts,
            observers,
        })
    }
}
