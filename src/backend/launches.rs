//! What a computation costs a GPU: the kernels that are sent to it, and their times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The launches of one kernel.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Launches {
    /// The kernel, as it names itself.
    pub kernel: String,
    /// How often it was sent.
    pub count: u64,
    /// Seconds that it took in all, if they were measured.
    pub seconds: Option<f64>,
}

/// Runs `work` and tells which kernels it sent to GPUs, those that took longest or came most often
/// first. Whatever else the process sends meanwhile is counted too.
///
/// One such count at a time: a second one, of another thread, waits for the first to end, and `work`
/// is not to begin one itself.
///
/// What is not read may not have been sent: let `work` end with a read. If `timed`, every kernel
/// is waited for, so that times are those of kernels alone, and their sum more than that of a run
/// which does not wait. On CPUs there are none.
pub fn launches<T>(timed: bool, work: impl FnOnce() -> T) -> (T, Vec<Launches>) {
    // CubeCL has one place for an observer.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = Arc::new(Seen {
        timed,
        kernels: Mutex::default(),
    });
    let result = observed(&seen, work);
    let mut launches: Vec<Launches> = seen
        .kernels()
        .iter()
        .map(|(kernel, (count, seconds))| Launches {
            kernel: kernel.clone(),
            count: *count,
            seconds: timed.then_some(*seconds),
        })
        .collect();
    let order = |launches: &Launches| (launches.seconds.unwrap_or(0.0), launches.count);
    launches.sort_by(|a, b| {
        order(b)
            .partial_cmp(&order(a))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    (result, launches)
}

struct Seen {
    #[cfg_attr(not(feature = "cube"), allow(dead_code))]
    timed: bool,
    /// How often each kernel was launched, and its seconds.
    kernels: Mutex<BTreeMap<String, (u64, f64)>>,
}

impl Seen {
    fn kernels(&self) -> MutexGuard<'_, BTreeMap<String, (u64, f64)>> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(not(feature = "cube"))]
fn observed<T>(_: &Arc<Seen>, work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(feature = "cube")]
fn observed<T>(seen: &Arc<Seen>, work: impl FnOnce() -> T) -> T {
    use burn_cubecl::cubecl::logging::LaunchObservation;

    let watching = LaunchObservation::new(Arc::clone(seen) as _);
    let result = work();
    drop(watching);
    result
}

#[cfg(feature = "cube")]
mod observer {
    use burn_cubecl::cubecl::config::{TypeNameFormatLevel, type_name_format};
    use burn_cubecl::cubecl::logging::{Duration, LaunchObserver, TimingMethod, TimingRequest};

    use super::Seen;

    fn name(kernel: &str) -> String {
        type_name_format(kernel, TypeNameFormatLevel::Balanced)
    }

    impl LaunchObserver for Seen {
        fn launched(&self, kernel: &'static str) {
            self.kernels().entry(name(kernel)).or_default().0 += 1;
        }

        fn timing(&self) -> TimingRequest {
            match self.timed {
                true => TimingRequest::Resolved,
                false => TimingRequest::None,
            }
        }

        fn timed(&self, kernel: &'static str, duration: Duration, _: TimingMethod) {
            self.kernels().entry(name(kernel)).or_default().1 += duration.as_secs_f64();
        }
    }
}
