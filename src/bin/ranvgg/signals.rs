//! Ctrl-C and its kin: what asks a run to end.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ranvgg::{Control, Observer, Progress};
#[cfg(unix)]
use signal_hook::consts::{SIGXCPU, SIGXFSZ};
#[cfg(unix)]
use signal_hook::flag;

use crate::failure::Result;

/// A terminal that closes may send its signal twice. What comes sooner than this is no second wish.
const ECHO: Duration = Duration::from_millis(500);

/// Whether Ctrl-C was pressed since, or the process was asked to end (SIGTERM, SIGHUP, SIGXCPU).
#[derive(Clone)]
pub(crate) struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// Listens from now on. The second time the process leaves at once.
    pub(crate) fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&asked);
        let first: Mutex<Option<Instant>> = Mutex::new(None);
        ctrlc::set_handler(move || {
            flag.store(true, Ordering::SeqCst);
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            match *first {
                None => *first = Some(Instant::now()),
                Some(first) if first.elapsed() < ECHO => {}
                Some(_) => exit(130),
            }
        })?;
        // What a process may compute is nearly used up: a soft limit of the shell or of a batch system.
        #[cfg(unix)]
        flag::register(SIGXCPU, Arc::clone(&asked))?;
        Ok(Self(asked))
    }

    /// Asks a run to end, as Ctrl-C does.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A file beyond the limit of the process (`ulimit -f`) is an error of that file from now on. Left alone, the signal
/// ends the process and leaves half a file.
#[cfg(unix)]
pub(crate) fn outlive_large_files() -> Result<()> {
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn outlive_large_files() -> Result<()> {
    Ok(())
}

/// Stops a run when the process is asked to end.
impl Observer for Interrupts {
    fn observe(&mut self, _: &Progress<'_>) -> Control {
        match self.asked() {
            true => Control::Stop,
            false => Control::Continue,
        }
    }
}
