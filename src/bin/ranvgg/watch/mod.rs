//! `--watch`: a page on this machine that shows a run while it goes on, and stops it.

mod http;
mod server;
mod state;

use std::io::Error as IoError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ranvgg::run::Preparation;
use ranvgg::{Control, Observer, Progress};

use self::http::Server;
use self::state::State;
use crate::signals::Interrupts;

/// The shortest time between two pictures that are taken of a run.
const BETWEEN_PICTURES: Duration = Duration::from_millis(500);

/// A page that shows a run. It is served until this is dropped.
pub(crate) struct Page {
    state: Arc<State>,
    server: Server,
    limit: Option<Duration>,
    pictured: Option<Instant>,
}

/// Serves the page on 127.0.0.1, at `port` or, if that is 0, at one that the system chooses.
pub(crate) fn start(port: u16, interrupts: Interrupts) -> Result<Page, IoError> {
    let state = Arc::new(State::new(interrupts));
    let server = server::start(port, Arc::clone(&state)).map_err(|source| {
        IoError::other(format!("cannot serve the page at port {port}: {source}"))
    })?;
    Ok(Page {
        state,
        server,
        limit: None,
        pictured: None,
    })
}

impl Page {
    /// Where the page is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.server.port())
    }

    /// The longest time that the run may take: the time left is no longer.
    pub(crate) fn with_time_limit(mut self, limit: Option<Duration>) -> Self {
        self.limit = limit;
        self
    }

    /// Takes a picture if somebody looks and the last one is old enough.
    fn take_picture(&mut self, progress: &Progress<'_>) {
        let due = self
            .pictured
            .is_none_or(|taken| taken.elapsed() >= BETWEEN_PICTURES && self.state.is_looked_at());
        if due {
            // A picture that cannot be read now may be at the next evaluation; the run goes on.
            if let Ok(image) = progress.image() {
                self.state.show(image);
            }
            self.pictured = Some(Instant::now());
        }
    }
}

impl Observer for Page {
    fn prepare(&mut self, preparation: &Preparation) {
        self.state.prepare(preparation);
    }

    fn observe(&mut self, progress: &Progress<'_>) -> Control {
        self.state.record(progress, self.limit);
        self.take_picture(progress);
        match self.state.is_stopped() {
            true => Control::Stop,
            false => Control::Continue,
        }
    }
}
