//! The threads that compute on a processor: rayon's pool, which a process builds once.

use std::error::Error as _;
use std::sync::OnceLock;

use rayon::ThreadPoolBuilder;

use crate::error::{Error, Result, caught};

/// How many there are. They are started now if they were not.
///
/// Where the system refuses them (`ulimit -u`, a limit of a container), rayon would panic at each use.
///
/// # Errors
///
/// [`Error::Threads`] with what the system said.
pub(crate) fn threads() -> Result<usize> {
    static REFUSED: OnceLock<Option<String>> = OnceLock::new();
    let start = || {
        let error = ThreadPoolBuilder::new().build_global().err()?;
        // An error without a source says that there is a pool already.
        error.source().map(ToString::to_string)
    };
    // A thread of another pool computes on that one.
    if rayon::current_thread_index().is_none()
        && let Some(reason) = REFUSED.get_or_init(start)
    {
        return Err(Error::Threads(reason.clone()));
    }
    // Another part of the process may have been refused them before.
    caught(rayon::current_num_threads).map_err(Error::Threads)
}
