//! Counts and times of the kernels that a computation launches on GPUs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The launches of one kernel.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Launches {
    /// The kernel's own name.
    pub kernel: String,
    /// The number of launches.
    pub count: u64,
    /// The total time in seconds, if it was measured.
    pub seconds: Option<f64>,
}

/// Runs `work` and returns the kernels that it launched on GPUs. They are sorted by time where times are
/// measured, else by count, the largest first. On CPUs there are none.
///
/// Kernels that other threads launch meanwhile are counted, too. Only one count runs at a time: a second call
/// from another thread waits for the first. `work` must not call this function itself.
///
/// A computation may not be launched until its result is read, so let `work` end with a read. If `timed`,
/// each kernel is waited for. The times are then those of single kernels, and their sum exceeds the time of
/// a run that does not wait.
pub fn launches<T>(timed: bool, work: impl FnOnce() -> T) -> (T, Vec<Launches>) {
    // CubeCL takes one observer at a time.
    static OBSERVER: Mutex<()> = Mutex::new(());
    let _only_observer = OBSERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let record = Arc::new(Record {
        timed,
        kernels: Mutex::default(),
    });
    let result = observed(&record, work);
    let mut launches: Vec<Launches> = record
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

/// The launches so far.
struct Record {
    #[cfg_attr(not(feature = "cube"), allow(dead_code))]
    timed: bool,
    /// The count and the seconds of each kernel.
    kernels: Mutex<BTreeMap<String, (u64, f64)>>,
}

impl Record {
    fn kernels(&self) -> MutexGuard<'_, BTreeMap<String, (u64, f64)>> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(not(feature = "cube"))]
fn observed<T>(_: &Arc<Record>, work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(feature = "cube")]
fn observed<T>(record: &Arc<Record>, work: impl FnOnce() -> T) -> T {
    use burn_cubecl::cubecl::logging::LaunchObservation;

    let observation = LaunchObservation::new(Arc::clone(record) as _);
    let result = work();
    drop(observation);
    result
}

#[cfg(feature = "cube")]
mod observer {
    use burn_cubecl::cubecl::config::{TypeNameFormatLevel, type_name_format};
    use burn_cubecl::cubecl::logging::{Duration, LaunchObserver, TimingMethod, TimingRequest};

    use super::Record;

    fn name(kernel: &str) -> String {
        type_name_format(kernel, TypeNameFormatLevel::Balanced)
    }

    impl LaunchObserver for Record {
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
