//! [`Mail`]: what the threads of the pool leave for a worker.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

use mio::Waker;
use sanserve_core::{Ask, FileSystem, FsError, Got, Waiter};

use super::files::{Done, Task};
use crate::Open;

/// Whom something is for: a place, and a number that tells who has it from who had it before.
pub(super) type Who = (usize, u64);

/// What a thread of the pool is told: what to do, for whom, and where to leave it.
pub(super) struct Job {
    task: Task,
    /// Whether the connection still waits for it.
    wanted: Weak<()>,
    who: Who,
    mail: Arc<Mail>,
}

impl Job {
    pub(super) fn new(task: Task, wanted: Weak<()>, who: Who, mail: Arc<Mail>) -> Job {
        Job {
            task,
            wanted,
            who,
            mail,
        }
    }

    /// Does it, and tells the worker. A reply that no connection waits for any more is not worked for.
    pub(super) fn run(self, files: &impl FileSystem<File = Open>) {
        if self.task.is_for_reply() && self.wanted.strong_count() == 0 {
            return;
        }
        if let Task::Ask(Ask::Verify(given)) = self.task {
            let (wanted, who, mail) = (self.wanted, self.who, self.mail);
            return files.verify_later(&given, Box::new(Verify { wanted, who, mail }));
        }
        let done = self.task.run(files);
        self.mail.leave(self.who, done);
    }
}

/// A connection whose credentials are being verified.
struct Verify {
    wanted: Weak<()>,
    who: Who,
    mail: Arc<Mail>,
}

impl Waiter for Verify {
    fn is_waiting(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    fn tell(self: Box<Self>, verified: Result<(), FsError>) {
        let answer = Done::Answer(Got::Verified(verified));
        self.mail.leave(self.who, answer);
    }
}

/// Wakes a connection whose handler waits.
pub(super) struct HandlerWaker {
    who: Who,
    mail: Arc<Mail>,
    /// The worker has not looked since it was woken.
    is_woken: AtomicBool,
}

impl HandlerWaker {
    pub(super) fn new(who: Who, mail: Arc<Mail>) -> Arc<HandlerWaker> {
        Arc::new(HandlerWaker {
            who,
            mail,
            is_woken: AtomicBool::new(false),
        })
    }

    /// The worker knows that it was woken: the next time is news again.
    pub(super) fn reset(&self) {
        self.is_woken.store(false, Ordering::Release);
    }
}

impl Wake for HandlerWaker {
    /// However often it is woken, the worker is notified once.
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            let mail = Arc::clone(&self.mail);
            mail.leave(self.who, Done::Woken(self));
        }
    }
}

/// What was left for a worker, and how it is woken.
pub(super) struct Mail {
    waker: Waker,
    done: Mutex<Vec<(Who, Done)>>,
}

impl Mail {
    pub(super) fn new(waker: Waker) -> Mail {
        Mail {
            waker,
            done: Mutex::default(),
        }
    }

    /// Leaves something, and tells the worker.
    fn leave(&self, who: Who, done: Done) {
        self.done().push((who, done));
        self.wake();
    }

    /// Makes the worker look.
    pub(super) fn wake(&self) {
        let _ = self.waker.wake();
    }

    /// Takes out all that there is.
    pub(super) fn take(&self) -> Vec<(Who, Done)> {
        mem::take(&mut self.done())
    }

    fn done(&self) -> MutexGuard<'_, Vec<(Who, Done)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
