//! [`ThreadPool`]: threads for functions that block.

use std::collections::VecDeque;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Threads that run functions which may block, for [`from_blocking_fn`](crate::from_blocking_fn). Clones share them.
///
/// A thread is started when none is idle, up to a maximum, beyond which requests wait for their turn. An idle thread
/// ends after ten seconds.
#[derive(Clone, Debug)]
pub struct ThreadPool {
    shared: Arc<Shared>,
}

struct Shared {
    threads_max: usize,
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn FnOnce() + Send>>,
    threads: usize,
    idle: usize,
}

const IDLE_MAX: Duration = Duration::from_secs(10);

impl ThreadPool {
    /// Returns a pool of at most this many threads.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    pub fn new(threads_max: usize) -> ThreadPool {
        assert!(threads_max > 0, "a pool needs at least one thread");
        ThreadPool {
            shared: Arc::new(Shared {
                threads_max,
                queue: Mutex::default(),
                more: Condvar::new(),
            }),
        }
    }

    /// Runs a job as soon as a thread is free.
    pub(super) fn submit(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.shared.queue();
        queue.jobs.push_back(Box::new(job));
        if queue.idle < queue.jobs.len() && queue.threads < self.shared.threads_max {
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().name("blocking handler".into());
            // If no further thread can be started, one of the others runs the job. Without any, it is dropped, and
            // its request gets a 500.
            match thread.spawn(move || shared.serve()) {
                Ok(_) => queue.threads += 1,
                Err(_) if queue.threads > 0 => {}
                Err(_) => {
                    let jobs = mem::take(&mut queue.jobs);
                    drop(queue);
                    return drop(jobs);
                }
            }
        }
        drop(queue);
        self.shared.more.notify_one();
    }
}

impl Shared {
    fn serve(&self) {
        let mut queue = self.queue();
        loop {
            queue.idle += 1;
            let is_idle = |queue: &mut Queue| queue.jobs.is_empty();
            let waited = self.more.wait_timeout_while(queue, IDLE_MAX, is_idle);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            queue.idle -= 1;
            let Some(job) = queue.jobs.pop_front() else {
                queue.threads -= 1;
                return;
            };
            drop(queue);
            // The panic hook has reported the panic, and the request is answered when its exchange is dropped.
            let _ = panic::catch_unwind(AssertUnwindSafe(job));
            queue = self.queue();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared")
            .field("threads_max", &self.threads_max)
            .finish_non_exhaustive()
    }
}
