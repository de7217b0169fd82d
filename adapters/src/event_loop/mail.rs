//! [`Mail`]: what the threads of the pool leave for a worker.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

use mio::Waker;
use sanserve_core::{Ask, FileSystem, FsError, Got, Waiter};

use crate::fs_call::{FsCompletion, FsRequest};
use crate::system_file;

/// Whom something is for: a place, and a number that tells who has it from who had it before.
pub(super) type Who = (usize, u64);

/// What a thread of the pool is told: what to do, for whom, and where to leave it.
pub(super) struct Job<F> {
    task: FsRequest<F>,
    /// Whether the connection still waits for it.
    wanted: Weak<()>,
    who: Who,
    mail: Arc<Mail<F>>,
}

impl<F: Send + 'static> Job<F> {
    pub(super) fn new(
        task: FsRequest<F>,
        wanted: Weak<()>,
        who: Who,
        mail: Arc<Mail<F>>,
    ) -> Job<F> {
        Job {
            task,
            wanted,
            who,
            mail,
        }
    }

    /// Does it, and tells the worker. A reply that no connection waits for any more is not worked for.
    pub(super) fn run(self, files: &impl FileSystem<File = F>) {
        if self.task.is_for_reply() && self.wanted.strong_count() == 0 {
            return;
        }
        if let FsRequest::Ask(Ask::Verify(given)) = self.task {
            let (wanted, who, mail) = (self.wanted, self.who, self.mail);
            return files.verify_later(&given, Box::new(Verify { wanted, who, mail }));
        }
        let done = system_file::run(self.task, files);
        self.mail.leave(self.who, Done::Call(done));
    }
}

/// A connection whose credentials are being verified.
struct Verify<F> {
    wanted: Weak<()>,
    who: Who,
    mail: Arc<Mail<F>>,
}

impl<F: Send> Waiter for Verify<F> {
    fn is_waiting(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    fn complete(self: Box<Self>, verified: Result<(), FsError>) {
        let answer = FsCompletion::answer(Got::Verified(verified));
        self.mail.leave(self.who, Done::Call(answer));
    }
}

/// Wakes a connection whose handler waits.
pub(super) struct HandlerWaker<F> {
    who: Who,
    mail: Arc<Mail<F>>,
    /// The worker has not looked since it was woken.
    is_woken: AtomicBool,
}

impl<F> HandlerWaker<F> {
    pub(super) fn new(who: Who, mail: Arc<Mail<F>>) -> Arc<HandlerWaker<F>> {
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

impl<F: Send + 'static> Wake for HandlerWaker<F> {
    /// However often it is woken, the worker is notified once.
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            let mail = Arc::clone(&self.mail);
            mail.leave(self.who, Done::Woken(self));
        }
    }
}

/// What is left for a connection.
pub(super) enum Done<F> {
    /// A thread is done with what it had of the connection.
    Call(FsCompletion<F>),
    /// Something woke the handler.
    Woken(Arc<HandlerWaker<F>>),
}

/// What was left for a worker, and how it is woken.
pub(super) struct Mail<F> {
    waker: Arc<Waker>,
    done: Mutex<Vec<(Who, Done<F>)>>,
}

impl<F> Mail<F> {
    pub(super) fn new(waker: Arc<Waker>) -> Mail<F> {
        Mail {
            waker,
            done: Mutex::default(),
        }
    }

    /// Leaves something, and tells the worker.
    fn leave(&self, who: Who, done: Done<F>) {
        self.done().push((who, done));
        let _ = self.waker.wake();
    }

    /// What makes the worker look.
    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Takes out all that there is.
    pub(super) fn take(&self) -> Vec<(Who, Done<F>)> {
        mem::take(&mut self.done())
    }

    fn done(&self) -> MutexGuard<'_, Vec<(Who, Done<F>)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
