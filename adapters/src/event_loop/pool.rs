//! [`Pool`]: runs calls that may block on a disk, on threads of its own. A thread is started when a job finds none
//! idle, up to a few dozen.

use std::collections::VecDeque;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};

/// Threads that all run the same function on the jobs of a queue.
pub(super) struct Pool<'scope, 'env, J> {
    scope: &'scope Scope<'scope, 'env>,
    work: &'env (dyn Fn(J) + Sync),
    queue: Mutex<Queue<J>>,
    more: Condvar,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    threads: usize,
    /// The number of threads that wait for a job.
    free: usize,
    closed: bool,
}

impl<'scope, 'env: 'scope, J: Send + 'scope> Pool<'scope, 'env, J> {
    /// Creates a pool without threads.
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        work: &'env (dyn Fn(J) + Sync),
    ) -> Pool<'scope, 'env, J> {
        Pool {
            scope,
            work,
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                threads: 0,
                free: 0,
                closed: false,
            }),
            more: Condvar::new(),
        }
    }

    /// Queues a job.
    pub(super) fn submit(self: &Arc<Self>, job: J) {
        let mut queue = self.queue();
        queue.jobs.push_back(job);
        if queue.free < queue.jobs.len() && queue.threads < THREADS {
            let thread = Builder::new().name("files".into()).stack_size(STACK);
            // If no further thread can be started, the existing ones do the job; without any, this is fatal.
            let pool = Arc::clone(self);
            match thread.spawn_scoped(self.scope, move || pool.serve()) {
                Ok(_) => queue.threads += 1,
                Err(error) => assert!(queue.threads > 0, "no thread can be started: {error}"),
            }
        }
        drop(queue);
        self.more.notify_one();
    }

    /// Drops the queued jobs, and ends each thread after its current job.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        let left = mem::take(&mut queue.jobs);
        drop(queue);
        drop(left);
        self.more.notify_all();
    }

    fn serve(&self) {
        loop {
            let mut queue = self.queue();
            queue.free += 1;
            let idle = |queue: &mut Queue<J>| queue.jobs.is_empty() && !queue.closed;
            let waited = self.more.wait_while(queue, idle);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
            queue.free -= 1;
            let Some(job) = queue.jobs.pop_front() else {
                return;
            };
            drop(queue);
            // A panic has already been reported by the panic hook, and the connection that waits for the job has a
            // deadline.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| (self.work)(job)));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This many disks may be slow before they delay each other.
const THREADS: usize = 32;

const STACK: usize = 256 * 1024;
