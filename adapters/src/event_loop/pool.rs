//! [`Pool`]: threads for what may have to wait for a disk, as many as are needed and no more than a
//! few dozen. They are started by the first work that finds none of them free.

use std::collections::VecDeque;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};

/// Work of one kind, and who does it.
pub(super) struct Pool<'scope, 'env, J> {
    scope: &'scope Scope<'scope, 'env>,
    work: &'env (dyn Fn(J) + Sync),
    queue: Mutex<Queue<J>>,
    more: Condvar,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    threads: usize,
    /// How many of them wait for something to do.
    free: usize,
    closed: bool,
}

impl<'scope, 'env: 'scope, J: Send + 'scope> Pool<'scope, 'env, J> {
    /// A pool without a thread.
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

    /// Has something done, some time.
    pub(super) fn submit(self: &Arc<Self>, job: J) {
        let mut queue = self.queue();
        queue.jobs.push_back(job);
        if queue.free < queue.jobs.len() && queue.threads < THREADS {
            let thread = Builder::new().name("files".into()).stack_size(STACK);
            // Without a further thread it has to wait for one that is there; the first must start.
            let pool = Arc::clone(self);
            match thread.spawn_scoped(self.scope, move || pool.serve()) {
                Ok(_) => queue.threads += 1,
                Err(error) => assert!(queue.threads > 0, "no thread can be started: {error}"),
            }
        }
        drop(queue);
        self.more.notify_one();
    }

    /// Lets the threads end when they are done with what they have begun. Nobody waits for the rest.
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
            // A panic has been reported by its hook, and whoever waits for this has a deadline.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| (self.work)(job)));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many disks may be slow before they keep each other waiting.
const THREADS: usize = 32;

const STACK: usize = 256 * 1024;
