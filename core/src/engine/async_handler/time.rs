//! The clock of an asynchronous handler: [`AsyncExchange::sleep`] and [`AsyncExchange::timeout`].

use core::future::poll_fn;
use core::mem;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use super::AsyncExchange;
use crate::engine::Event;

impl AsyncExchange {
    /// Waits for this time. Everything that was written is sent first.
    pub async fn sleep(&self, time: Duration) {
        let mut until = None;
        poll_fn(|context| self.shared().poll_sleep(time, &mut until, context)).await;
    }

    /// Waits until the connection is woken, or for this time. Returns which of both happened.
    pub(super) async fn wait(&self, time: Duration) -> Event<'static> {
        let (mut until, mut is_waiting) = (None, false);
        let either = poll_fn(|context| {
            let is_late = self
                .shared()
                .poll_sleep(time, &mut until, context)
                .is_ready();
            match mem::replace(&mut is_waiting, true) {
                true if is_late => Poll::Ready(Event::TimedOut),
                true => Poll::Ready(Event::Woken),
                false => Poll::Pending,
            }
        });
        either.await
    }

    /// Awaits `work` for at most this time. Returns `None` if it takes longer, and drops it.
    ///
    /// It limits the wait for something else than this exchange, such as a message of another client. A wait for the
    /// peer or the file system is not interrupted: it has deadlines already, see [`Timeouts`](crate::Timeouts).
    pub async fn timeout<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut sleep) = (pin!(work), pin!(self.sleep(time)));
        let both = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
        });
        both.await
    }
}
