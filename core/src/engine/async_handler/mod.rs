//! [`from_async_fn`]: makes a handler from an asynchronous function, which reads and writes in straight lines. It needs
//! no runtime.
//!
//! The handler polls the future of the function in its ordinary calls, with the waker of the connection. During a poll,
//! the parts of the [`Exchange`] are lent to the future through a [`Shared`] cell, so that what it writes goes directly
//! to the buffers of the connection. When the future waits for the engine, it leaves a [`Next`] in that cell; when it
//! waits for anything else, the handler returns [`Next::Wait`].

use alloc::boxed::Box;
use core::any::Any;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

pub use self::exchange::AsyncExchange;
pub use self::http_error::HttpError;
use self::shared::Shared;
use crate::engine::{Event, Exchange, Handler, Next};
use crate::sync::Arc;

mod exchange;
mod http_error;
mod shared;
mod time;

/// Returns a handler that answers each request by the future that `function` returns.
///
/// The function gets an [`AsyncExchange`], which has the request and writes the reply. It may await whatever the
/// exchange offers, which works on every server and needs no runtime, and any other future that wakes its waker: on
/// tokio, for example, tokio's channels and sockets.
///
/// - An `Err` becomes the reply, see [`HttpError`]. So does a reply that is missing or incomplete: a 500 that names the
///   mistake.
/// - If the peer disconnects, sends malformed content, or misses a deadline, the future is not polled again, but
///   dropped. So no function of the exchange returns an error of the peer, and a guard in the future cleans up.
/// - A server that moves its connections to other threads, such as that of tokio, requires a future that is `Send`.
///
/// Further requests on the same connection use the same memory. It is freed when the connection is idle.
///
/// ```
/// use sanserve_core::{AsyncExchange, HttpError, from_async_fn};
///
/// /// Sends the content of a POST back as it arrives.
/// async fn echo(ex: AsyncExchange) -> Result<(), HttpError> {
///     if ex.command() != "POST" {
///         return Err(HttpError::new(501, "Only POST is supported"));
///     }
///     ex.send_response(200);
///     ex.end_headers();
///     while let Some(piece) = ex.read().await {
///         ex.write(&piece).await;
///     }
///     Ok(())
/// }
///
/// let make_handler = || from_async_fn(echo); // for a server, or for `Connection::new`
/// ```
pub fn from_async_fn<F, T>(function: F) -> AsyncHandler<F, T>
where
    F: FnMut(AsyncExchange) -> T,
    T: Future<Output = Result<(), HttpError>>,
{
    AsyncHandler {
        function,
        request: None,
        has_asked: false,
    }
}

/// A handler that answers requests with futures; see [`from_async_fn`].
pub struct AsyncHandler<F, T> {
    function: F,
    request: Option<Request<T>>,
    /// Whether the next event is the answer to what the future asked for.
    has_asked: bool,
}

/// The future that answers the current request, and what it shares with the handler. The memory of both is kept for the
/// next request.
struct Request<T> {
    future: Pin<Box<Option<T>>>,
    shared: Arc<Shared>,
}

/// The longest time for which a future is not polled. Nothing depends on it: a wait that ends early is harmless.
const WAIT_MAX: Duration = Duration::from_secs(3600);

impl<F, T> fmt::Debug for AsyncHandler<F, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AsyncHandler").finish_non_exhaustive()
    }
}

impl<F, T> Handler for AsyncHandler<F, T>
where
    F: FnMut(AsyncExchange) -> T,
    T: Future<Output = Result<(), HttpError>>,
{
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let Request { future, shared } = self.request.get_or_insert_with(|| Request {
            future: Box::pin(None),
            shared: Arc::default(),
        });
        future.set(None);
        Shared::begin(shared, ex);
        future.set(Some((self.function)(AsyncExchange::new(Arc::clone(
            shared,
        )))));
        self.has_asked = false;
        self.poll(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Some(Request { shared, .. }) = &self.request {
            shared.resume(event, self.has_asked);
        }
        self.poll(ex)
    }

    fn release(&mut self) {
        self.request = None;
    }
}

impl<F, T> AsyncHandler<F, T>
where
    T: Future<Output = Result<(), HttpError>>,
{
    /// Polls the future, and returns what it needs next.
    fn poll(&mut self, ex: &mut Exchange<'_>) -> Next {
        let Some(Request { future, shared }) = &mut self.request else {
            return Next::Done;
        };
        let (mut context, mut polled) = (Context::from_waker(ex.waker()), Poll::Pending);
        loop {
            shared.lend(ex);
            if let Some(future) = future.as_mut().as_pin_mut() {
                polled = future.poll(&mut context);
            }
            shared.take_back(ex);
            if polled.is_ready() || !shared.must_poll_again() {
                break;
            }
        }
        let next = match polled {
            Poll::Ready(Ok(())) => Next::Done,
            Poll::Ready(Err(error)) => error.reply(ex),
            Poll::Pending => {
                let asked = shared.take_next();
                self.has_asked = asked.is_some();
                asked.unwrap_or_else(|| Next::Wait(shared.time_left(ex.now()).min(WAIT_MAX)))
            }
        };
        if ex.reply.is_ended_by(&next) {
            future.set(None);
        }
        next
    }

    /// Continues the future after the connection was handed over to the next protocol: its
    /// [`upgrade`](AsyncExchange::upgrade) returns this stream. Call it in the function that the server calls for an
    /// upgraded connection, and await what it returns.
    ///
    /// The exchange can no longer be used, since HTTP has ended.
    ///
    /// # Errors
    /// That of the future. No client sees it.
    pub async fn into_upgraded(self, stream: impl Any + Send) -> Result<(), HttpError> {
        let Some(Request { mut future, shared }) = self.request else {
            return Ok(());
        };
        shared.upgrade(Box::new(stream));
        match future.as_mut().as_pin_mut() {
            Some(future) => future.await,
            None => Ok(()),
        }
    }
}
