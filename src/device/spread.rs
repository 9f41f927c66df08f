//! Jobs spread over several devices.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;

/// How an attempt at a job ended, in [`spread`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempt<T> {
    /// The job is done, with this result.
    Done(T),
    /// The device failed, as this result says. It takes no more jobs, and another device takes the job.
    Failed(T),
}

/// Does jobs on several devices side by side, each on the next device that is free. A device does one
/// job at a time; one that is given twice does two.
///
/// `devices` are whatever jobs are done with: [`Device`](burn::tensor::Device)s, or networks on them. `work`
/// runs on a thread for each device, and on the caller's own where there is only one. `take` is told on the
/// caller's thread what came of each attempt, as soon as it ended. When it breaks, no further job is begun;
/// those under way end, and `take` is told of them.
///
/// A device whose attempt is [`Attempt::Failed`] is left out from then on, and its job is the next that is begun.
/// The last device is never left out: its failures are results.
///
/// Returns the jobs that were not done.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use std::ops::ControlFlow;
///
/// use ranvgg::device::{self, Attempt};
/// use ranvgg::{Error, RandomVgg, TextureOptions, image, synthesize_texture};
///
/// let exemplar = image::DynamicImage::new_rgb8(16, 16);
/// let mut networks = Vec::new();
/// for device in device::all()? {
///     networks.push(RandomVgg::vgg19().init(&device)?);
/// }
/// let left = device::spread(
///     networks,
///     0..4,
///     |vgg, seed| {
///         let options = TextureOptions::default().with_seed(*seed).with_evaluations(2);
///         match synthesize_texture(vgg, exemplar.clone(), &options, &mut ()) {
///             Err(error @ Error::Device(_)) => Attempt::Failed(Err(error)),
///             result => Attempt::Done(result),
///         }
///     },
///     |seed, attempt| {
///         match attempt {
///             Attempt::Done(Ok(outcome)) => println!("{seed}: {}", outcome.image().width()),
///             Attempt::Done(Err(error)) | Attempt::Failed(Err(error)) => eprintln!("{seed}: {error}"),
///             _ => {}
///         }
///         ControlFlow::Continue(())
///     },
/// );
/// assert!(left.is_empty());
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
///
/// # Panics
///
/// With the panic of `work`, after the other devices have ended their jobs; and if the system refuses the thread of a
/// device, of which there are none for a single one.
pub fn spread<D, J, T>(
    devices: impl IntoIterator<Item = D>,
    jobs: impl IntoIterator<Item = J>,
    work: impl Fn(&mut D, &J) -> Attempt<T> + Sync,
    mut take: impl FnMut(&J, Attempt<T>) -> ControlFlow<()>,
) -> Vec<J>
where
    D: Send,
    J: Send,
    T: Send,
{
    let mut devices: Vec<D> = devices.into_iter().collect();
    let mut waiting: VecDeque<J> = jobs.into_iter().collect();
    if let [device] = &mut devices[..] {
        while let Some(job) = waiting.pop_front() {
            let (Attempt::Done(result) | Attempt::Failed(result)) = work(device, &job);
            if take(&job, Attempt::Done(result)).is_break() {
                break;
            }
        }
        return waiting.into();
    }
    let work = &work;
    thread::scope(|scope| {
        let (sender, attempts) = mpsc::channel();
        let mut inboxes = Vec::new();
        for (number, mut device) in devices.into_iter().enumerate() {
            let (inbox, jobs) = mpsc::channel::<J>();
            inboxes.push(inbox);
            let sender = sender.clone();
            scope.spawn(move || {
                for job in jobs {
                    let attempt = catch_unwind(AssertUnwindSafe(|| work(&mut device, &job)));
                    if sender.send((number, job, attempt)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut free: VecDeque<usize> = (0..inboxes.len()).collect();
        let (mut busy, mut left, mut over) = (0, inboxes.len(), false);
        loop {
            while !over
                && !waiting.is_empty()
                && let Some(number) = free.pop_front()
                && let Some(job) = waiting.pop_front()
            {
                // Threads end after this loop, so the job arrives.
                if inboxes[number].send(job).is_ok() {
                    busy += 1;
                }
            }
            if busy == 0 {
                return waiting.into();
            }
            let Ok((number, job, attempt)) = attempts.recv() else {
                return waiting.into();
            };
            busy -= 1;
            let attempt = attempt.unwrap_or_else(|panic| resume_unwind(panic));
            let attempt = match attempt {
                Attempt::Failed(result) if left == 1 => Attempt::Done(result),
                other => other,
            };
            let moved = matches!(attempt, Attempt::Failed(_));
            over |= take(&job, attempt).is_break();
            if moved {
                left -= 1;
                waiting.push_front(job);
            } else {
                free.push_back(number);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn go_on<J, T>(_: &J, _: Attempt<T>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn devices_work_side_by_side_and_one_job_at_a_time() {
        // Three jobs wait for one another, which they can only on three devices.
        let all_here = Barrier::new(3);
        let at_work = [const { AtomicUsize::new(0) }; 3];
        let mut done = Vec::new();
        let left = spread(
            0..3usize,
            0..9,
            |device, job| {
                assert_eq!(at_work[*device].fetch_add(1, Ordering::SeqCst), 0);
                all_here.wait();
                at_work[*device].fetch_sub(1, Ordering::SeqCst);
                Attempt::Done(job * job)
            },
            |job, attempt| {
                done.push((*job, attempt));
                ControlFlow::Continue(())
            },
        );
        assert!(left.is_empty());
        done.sort_by_key(|(job, _)| *job);
        let expected: Vec<_> = (0..9).map(|job| (job, Attempt::Done(job * job))).collect();
        assert_eq!(done, expected);
    }

    #[test]
    fn a_job_of_a_device_that_fails_goes_to_another_one() {
        // Device 1 fails late, when device 0 has nothing left to do and waits.
        let mut heard = Vec::new();
        let left = spread(
            [0, 1],
            0..4,
            |device, job| match *device {
                1 => {
                    thread::sleep(Duration::from_millis(200));
                    Attempt::Failed((1, *job))
                }
                _ => Attempt::Done((*device, *job)),
            },
            |_, attempt| {
                heard.push(attempt);
                ControlFlow::Continue(())
            },
        );
        assert!(left.is_empty());
        let failed = heard.iter().position(|it| *it == Attempt::Failed((1, 1)));
        assert_eq!(failed, Some(3), "{heard:?}");
        let mut done: Vec<_> = heard
            .into_iter()
            .filter(|it| matches!(it, Attempt::Done(_)))
            .collect();
        done.sort_by_key(|it| match it {
            Attempt::Done((_, job)) | Attempt::Failed((_, job)) => *job,
        });
        assert_eq!(done, [0, 1, 2, 3].map(|job| Attempt::Done((0, job))));
    }

    #[test]
    fn failures_of_the_last_device_are_results() {
        for devices in [vec![0], vec![0, 1]] {
            let mut results = Vec::new();
            let mut moved = 0;
            let left = spread(
                devices.clone(),
                0..3,
                |_, job| Attempt::Failed(*job),
                |_, attempt| {
                    match attempt {
                        Attempt::Done(job) => results.push(job),
                        Attempt::Failed(_) => moved += 1,
                    }
                    ControlFlow::Continue(())
                },
            );
            results.sort_unstable();
            assert_eq!((left, results), (vec![], vec![0, 1, 2]));
            assert_eq!(moved, devices.len() - 1);
        }
    }

    #[test]
    fn after_a_break_no_job_begins() {
        for count in [1, 2] {
            let begun = AtomicUsize::new(0);
            let both = Barrier::new(count);
            let left = spread(
                0..count,
                0..6usize,
                |_, _| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    both.wait();
                    Attempt::Done(())
                },
                |_, _| ControlFlow::Break(()),
            );
            assert_eq!(begun.into_inner(), count);
            assert_eq!(left, (count..6).collect::<Vec<usize>>());
        }
        let none = spread([0, 1], Vec::<u8>::new(), |_, _| Attempt::Done(()), go_on);
        assert!(none.is_empty());
    }

    #[test]
    fn without_a_device_all_jobs_are_left() {
        let none: [u8; 0] = [];
        assert_eq!(spread(none, 0..2, |_, _| Attempt::Done(()), go_on), [0, 1]);
    }

    #[test]
    #[should_panic(expected = "job 2")]
    fn a_panic_of_a_job_arrives() {
        spread(
            [0, 1],
            0..4,
            |_, job| {
                assert!(*job != 2, "job {job}");
                Attempt::Done(())
            },
            go_on,
        );
    }
}
