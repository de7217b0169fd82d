//! [`Shared`]: what an asynchronous handler and its future share: the request, the lent parts of the exchange, and the
//! operation for which the future waits.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::mem;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use spin::mutex::SpinMutex;

use crate::engine::reply_state::ReplyState;
use crate::engine::{Buffer, Config, Event, Exchange, Next, Now, Peer};
use crate::sync::Arc;
use crate::text::date::LastDates;
use crate::wire::RequestHead;

/// What a handler and its future share. The future is polled in the calls of the handler, so the lock is always free;
/// only a future that gives its exchange to another thread could make it wait, for the time of one call.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) head: RequestHead,
    pub(super) peer: Peer,
    cell: SpinMutex<Cell>,
}

#[derive(Default)]
struct Cell {
    /// The parts of the exchange, during a poll of the future.
    lent: Option<Parts>,
    operation: Operation,
    /// Whether an operation waits for another one to end.
    is_blocked: bool,
    /// The bytes that belong to the result of the operation.
    data: Vec<u8>,
    /// Whether these are content of the request.
    is_content: bool,
    /// Content that was read for an operation that was dropped.
    unread: Vec<u8>,
    /// The earliest time for which the future waits.
    until: Option<Duration>,
    /// The wakers of futures that wait, and that are not polled directly by the handler.
    wakers: Vec<Waker>,
    /// The stream of an upgraded connection.
    stream: Option<Box<dyn Any + Send>>,
}

/// The operation for which the future waits. There is one at a time; others wait for it to end.
#[derive(Default)]
enum Operation {
    #[default]
    None,
    /// The handler is to return this. While the engine performs it, the handler is not called.
    Asked(Next),
    /// The result. The bytes of [`Event::Data`] are in [`Cell::data`].
    Done(Event<'static>),
}

/// The parts of an [`Exchange`].
struct Parts {
    reply: ReplyState,
    outbox: Buffer,
    log: String,
    failure: String,
    dates: LastDates,
    config: Arc<Config>,
    waker: Waker,
    now: Now,
    expects: bool,
    has_unread_content: bool,
    is_upgradable: bool,
    written: usize,
}

impl Parts {
    /// Returns an exchange of these parts.
    fn exchange<'a>(&'a mut self, head: &'a RequestHead, peer: &'a Peer) -> Exchange<'a> {
        Exchange {
            head,
            peer,
            expects: self.expects,
            has_unread_content: self.has_unread_content,
            config: &self.config,
            shared_config: &self.config,
            now: self.now,
            reply: &mut self.reply,
            outbox: &mut self.outbox,
            log: &mut self.log,
            failure: &mut self.failure,
            waker: &self.waker,
            is_upgradable: self.is_upgradable,
            dates: &mut self.dates,
            written: self.written,
        }
    }
}

impl Shared {
    /// Prepares for a request. If the future of an earlier one has given its exchange away, it keeps the old value.
    pub(super) fn begin(this: &mut Arc<Shared>, ex: &Exchange<'_>) {
        if Arc::get_mut(this).is_none() {
            *this = Arc::default();
        }
        if let Some(shared) = Arc::get_mut(this) {
            shared.head.clone_from(ex.head);
            shared.peer.copy(ex.peer);
            let cell = shared.cell.get_mut();
            *cell = Cell::default();
        }
    }

    /// Moves the parts of the exchange here, for a poll.
    pub(super) fn lend(&self, ex: &mut Exchange<'_>) {
        self.cell.lock().lent = Some(Parts {
            reply: mem::replace(ex.reply, ReplyState::new(0, Duration::ZERO, None)),
            outbox: mem::take(ex.outbox),
            log: mem::take(ex.log),
            failure: mem::take(ex.failure),
            dates: mem::take(ex.dates),
            config: Arc::clone(ex.shared_config),
            waker: ex.waker.clone(),
            now: ex.now,
            expects: ex.expects,
            has_unread_content: ex.has_unread_content,
            is_upgradable: ex.is_upgradable,
            written: ex.written,
        });
    }

    /// Moves the parts of the exchange back after a poll.
    pub(super) fn take_back(&self, ex: &mut Exchange<'_>) {
        if let Some(parts) = self.cell.lock().lent.take() {
            *ex.reply = parts.reply;
            *ex.outbox = parts.outbox;
            *ex.log = parts.log;
            *ex.failure = parts.failure;
            *ex.dates = parts.dates;
            ex.written = parts.written;
        }
    }

    /// Calls `function` with the exchange during a poll; otherwise the request has ended.
    pub(super) fn with<R>(&self, function: impl FnOnce(&mut Exchange<'_>) -> R) -> Option<R> {
        let mut cell = self.cell.lock();
        let parts = cell.lent.as_mut()?;
        let mut ex = parts.exchange(&self.head, &self.peer);
        let result = function(&mut ex);
        parts.written = ex.written;
        Some(result)
    }

    /// Stores the event with which the handler is resumed, and wakes the futures that wait.
    pub(super) fn resume(&self, event: Event<'_>, has_asked: bool) {
        let mut cell = self.cell.lock();
        cell.until = None;
        if has_asked {
            cell.operation = Operation::Done(cell.own(event));
        }
        let wakers = mem::take(&mut cell.wakers);
        drop(cell);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns what the handler has to return, if the future waits for the engine.
    pub(super) fn take_next(&self) -> Option<Next> {
        let mut cell = self.cell.lock();
        match mem::take(&mut cell.operation) {
            Operation::Asked(next) => Some(next),
            other => {
                cell.operation = other;
                None
            }
        }
    }

    /// Returns whether an operation waits although none is in progress any more.
    pub(super) fn must_poll_again(&self) -> bool {
        let mut cell = self.cell.lock();
        if !matches!(cell.operation, Operation::None) || !mem::take(&mut cell.is_blocked) {
            return false;
        }
        let wakers = mem::take(&mut cell.wakers);
        drop(cell);
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Returns the time until the earliest deadline of the future.
    pub(super) fn time_left(&self, now: Now) -> Duration {
        let until = self.cell.lock().until;
        until.map_or(Duration::MAX, |until| until.saturating_sub(now.tick))
    }

    /// Asks for an operation, unless another one is in progress. Returns whether it does.
    pub(super) fn ask(&self, next: &mut Option<Next>, context: &Context<'_>) -> bool {
        let mut cell = self.cell.lock();
        cell.wake_later(context);
        if !matches!(cell.operation, Operation::None) {
            cell.is_blocked = true;
            return false;
        }
        if let Some(next) = next.take() {
            cell.is_content = next == Next::Body;
            cell.operation = Operation::Asked(next);
        }
        true
    }

    /// Returns the result of the operation, and its data.
    pub(super) fn poll_done(&self, context: &Context<'_>) -> Poll<(Event<'static>, Vec<u8>)> {
        let mut cell = self.cell.lock();
        match mem::take(&mut cell.operation) {
            Operation::Done(event) => Poll::Ready((event, mem::take(&mut cell.data))),
            other => {
                cell.operation = other;
                cell.wake_later(context);
                Poll::Pending
            }
        }
    }

    /// Forgets the operation, whose future is dropped. Content that was read for it remains for the next one.
    pub(super) fn cancel(&self) {
        let mut cell = self.cell.lock();
        cell.operation = Operation::None;
        let data = mem::take(&mut cell.data);
        if cell.is_content {
            cell.unread = data;
        }
    }

    /// Returns content that was read for an operation that was dropped, if there is any.
    pub(super) fn take_unread(&self) -> Option<Vec<u8>> {
        let unread = mem::take(&mut self.cell.lock().unread);
        (!unread.is_empty()).then_some(unread)
    }

    /// Waits until `until`, which is set at the first call, for a time of `wait`.
    pub(super) fn poll_sleep(
        &self,
        wait: Duration,
        until: &mut Option<Duration>,
        context: &Context<'_>,
    ) -> Poll<()> {
        let mut cell = self.cell.lock();
        let Some(now) = cell.lent.as_ref().map(|parts| parts.now.tick) else {
            return Poll::Pending;
        };
        // Even a wait for no time lets the engine go on.
        let is_new = until.is_none();
        let until = *until.get_or_insert(now.saturating_add(wait));
        if until <= now && !is_new {
            return Poll::Ready(());
        }
        cell.until = Some(cell.until.map_or(until, |other| other.min(until)));
        cell.wake_later(context);
        Poll::Pending
    }

    /// Ends the wait for an upgrade.
    pub(super) fn upgrade(&self, stream: Box<dyn Any + Send>) {
        let mut cell = self.cell.lock();
        cell.stream = Some(stream);
        cell.operation = Operation::Done(Event::End);
    }

    /// Returns the stream of an upgraded connection.
    pub(super) fn take_stream(&self) -> Option<Box<dyn Any + Send>> {
        self.cell.lock().stream.take()
    }
}

impl Cell {
    /// Returns the event without its bytes, which are stored.
    fn own(&mut self, event: Event<'_>) -> Event<'static> {
        match event {
            Event::Data(bytes) => {
                self.data.extend_from_slice(bytes);
                Event::Data(&[])
            }
            Event::End => Event::End,
            Event::Opened(path, meta) => Event::Opened(path, meta),
            Event::Running(path) => Event::Running(path),
            Event::Created(path) => Event::Created(path),
            Event::Upload(path, state) => Event::Upload(path, state),
            Event::Directory(path) => Event::Directory(path),
            Event::Listed(path, entries) => Event::Listed(path, entries),
            Event::Woken => Event::Woken,
            Event::TimedOut => Event::TimedOut,
            Event::Verified(result) => Event::Verified(result),
            Event::Failed(path, error) => Event::Failed(path, error),
        }
    }

    /// Wakes this task when the handler is resumed, unless the handler polls it anyway.
    fn wake_later(&mut self, context: &Context<'_>) {
        let waker = context.waker();
        let is_polled = |parts: &Parts| parts.waker.will_wake(waker);
        if !self.lent.as_ref().is_some_and(is_polled) {
            self.wakers.push(waker.clone());
        }
    }
}
