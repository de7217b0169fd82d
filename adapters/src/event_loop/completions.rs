//! [`CompletionQueue`]: returns results from the threads of the pool, and wake-ups of handlers, to a worker.
//! [`Job`] is a call that the pool makes.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};

use sanserve_core::{Ask, FileSystem, FsError, Got, Waiter};

use crate::fs_call::{FsCompletion, FsRequest};
use crate::system_file;

/// Identifies a connection: its key in the worker's slab, and a generation that tells it from earlier
/// connections with the same key.
pub(super) type ConnId = (usize, u64);

/// A job for the pool: the request, the connection that made it, and the queue for the result.
pub(super) struct Job<F> {
    request: FsRequest<F>,
    /// Alive as long as the connection waits for the result.
    wanted: Weak<()>,
    id: ConnId,
    queue: Arc<CompletionQueue<F>>,
}

impl<F: Send + 'static> Job<F> {
    pub(super) fn new(
        request: FsRequest<F>,
        wanted: Weak<()>,
        id: ConnId,
        queue: Arc<CompletionQueue<F>>,
    ) -> Job<F> {
        Job {
            request,
            wanted,
            id,
            queue,
        }
    }

    /// Makes the call and pushes its result, unless nothing needs it any more.
    pub(super) fn run(self, files: &impl FileSystem<File = F>) {
        if self.is_needed() {
            self.call(files);
        }
    }

    /// Returns whether the call has to be made. A call that only serves a reply is skipped if no connection waits
    /// for it any more.
    pub(super) fn is_needed(&self) -> bool {
        !self.request.is_for_reply() || self.wanted.strong_count() > 0
    }

    /// Makes the call and pushes its result.
    pub(super) fn call(self, files: &impl FileSystem<File = F>) {
        if let FsRequest::Ask(Ask::Verify(given)) = self.request {
            let (wanted, id, queue) = (self.wanted, self.id, self.queue);
            return files.verify_later(&given, Box::new(Verify { wanted, id, queue }));
        }
        let done = system_file::run(self.request, files);
        self.queue.push(self.id, Completion::Call(done));
    }
}

/// A connection whose credentials are being verified.
struct Verify<F> {
    wanted: Weak<()>,
    id: ConnId,
    queue: Arc<CompletionQueue<F>>,
}

impl<F: Send> Waiter for Verify<F> {
    fn is_waiting(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    fn complete(self: Box<Self>, verified: Result<(), FsError>) {
        let answer = FsCompletion::answer(Got::Verified(verified));
        self.queue.push(self.id, Completion::Call(answer));
    }
}

/// The waker of a connection's handler.
pub(super) struct HandlerWaker<F> {
    id: ConnId,
    /// Weak, because the queue holds the wakers that were called, and a waker may outlive the worker.
    queue: Weak<CompletionQueue<F>>,
    /// Whether the waker was called and the worker has not taken note of it yet.
    is_woken: AtomicBool,
}

impl<F> HandlerWaker<F> {
    pub(super) fn new(id: ConnId, queue: &Arc<CompletionQueue<F>>) -> Arc<HandlerWaker<F>> {
        Arc::new(HandlerWaker {
            id,
            queue: Arc::downgrade(queue),
            is_woken: AtomicBool::new(false),
        })
    }

    /// Takes note that the waker was called, so that the next call counts again.
    pub(super) fn reset(&self) {
        self.is_woken.store(false, Ordering::Release);
    }
}

impl<F: Send + 'static> Wake for HandlerWaker<F> {
    /// Pushes a single completion, however often it is called before the worker takes it.
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel)
            && let Some(queue) = self.queue.upgrade()
        {
            queue.push(self.id, Completion::Woken(self));
        }
    }
}

/// Something that a connection has waited for.
pub(super) enum Completion<F> {
    /// A thread of the pool has finished a call.
    Call(FsCompletion<F>),
    /// The waker of the handler was called.
    Woken(Arc<HandlerWaker<F>>),
}

/// The completions for one worker, and the waker of its poller.
pub(super) struct CompletionQueue<F> {
    waker: Waker,
    completions: Mutex<Vec<(ConnId, Completion<F>)>>,
}

impl<F> CompletionQueue<F> {
    pub(super) fn new(waker: Waker) -> CompletionQueue<F> {
        CompletionQueue {
            waker,
            completions: Mutex::default(),
        }
    }

    /// Adds a completion and wakes the worker.
    fn push(&self, id: ConnId, completion: Completion<F>) {
        self.lock().push((id, completion));
        self.waker.wake_by_ref();
    }

    /// Takes all completions.
    pub(super) fn take(&self) -> Vec<(ConnId, Completion<F>)> {
        mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ConnId, Completion<F>)>> {
        self.completions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
