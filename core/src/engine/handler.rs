//! [`Handler`]: the trait that answers requests, and [`Event`], with which a handler is resumed. [`from_fn`] makes a handler
//! from a function.
//!
//! It corresponds to Python's `BaseHTTPRequestHandler`, but never blocks: each call writes to the [`Exchange`] and
//! returns what the handler needs [`Next`]; when that is available, the handler is called again.

use alloc::boxed::Box;

use crate::engine::{Exchange, Next, https};
use crate::fs::{Entries, FsError, Meta, Path, Right, UploadState};
use crate::sync::Arc;

/// Answers the requests of one connection, one after another. Each connection has a handler of its own, whose state
/// lives in `self`; state that connections share is held by reference or `Arc`.
///
/// Most handlers are simpler as an asynchronous function, see [`from_async_fn`](crate::from_async_fn). This trait is
/// for those that wrap another handler, and for those that must hold as little memory as possible.
///
/// ```
/// use sanserve_core::{Event, Exchange, Handler, Next};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
///         match ex.command() {
///             "POST" => {
///                 ex.send_response(200);
///                 ex.end_headers(); // no Content-Length: chunked, or until the connection closes
///                 Next::Body
///             }
///             other => ex.send_error(501, format_args!("Unsupported method ({other})")),
///         }
///     }
///
///     fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
///         match event {
///             Event::Data(bytes) => {
///                 ex.write(bytes);
///                 Next::Body
///             }
///             _ => Next::Done,
///         }
///     }
/// }
/// ```
pub trait Handler {
    /// Begins the reply to a request whose head has arrived, and returns what is needed next.
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next;

    /// Continues the reply with the result of the last [`Next`]. A handler that always returns [`Next::Done`] does not
    /// need to implement this.
    fn resume(&mut self, _ex: &mut Exchange<'_>, _event: Event<'_>) -> Next {
        Next::Done
    }

    /// Replies to a request that arrived as plain HTTP on an HTTPS port. By default it redirects to the same host and
    /// target over HTTPS (308), or replies 400 if the request names no host. The reply must not disclose anything that
    /// is served, as others can read it. A handler that wraps another one forwards the call; [`Hosts`](crate::Hosts)
    /// does so only for hosts that it knows.
    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        https::redirect(ex)
    }

    /// Frees what is only needed while a request is answered. It is called when the connection has become idle, and
    /// when a reply is abandoned, such as after a deadline. By default it does nothing. A handler that wraps another
    /// one forwards the call.
    fn release(&mut self) {}

    /// Returns the right that a request needs, for a [`Guard`](crate::Guard) around this handler, which asks before it
    /// forwards the request. By default the method decides, see [`Right::for_method`]. A handler that wraps another one
    /// forwards the call.
    fn required_right(&self, ex: &Exchange<'_>) -> Right {
        Right::for_method(ex.command())
    }
}

impl<H: Handler + ?Sized> Handler for Box<H> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (**self).begin(ex)
    }

    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        (**self).begin_without_tls(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        (**self).resume(ex, event)
    }

    fn release(&mut self) {
        (**self).release();
    }

    fn required_right(&self, ex: &Exchange<'_>) -> Right {
        (**self).required_right(ex)
    }
}

/// The result of a [`Next`], with which a handler is resumed. Paths are those of the `Next`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Some bytes of the request's content, or of the open file or CGI process.
    Data(&'a [u8]),
    /// The operation is complete: everything has been read, sent, written, committed, changed or flushed.
    End,
    /// The file is open and can be sent.
    Opened(Path, Meta),
    /// The CGI script is ready to run.
    Running(Path),
    /// The file is being created and can be written to.
    Created(Path),
    /// The upload has begun, was resumed or was cancelled, and this is its state. Unless it is complete, the file can
    /// be written to.
    Upload(Path, UploadState),
    /// The path is that of a directory.
    Directory(Path),
    /// The entries of the directory, in any order.
    Listed(Path, Arc<Entries>),
    /// The waker of the connection was woken, perhaps spuriously.
    Woken,
    /// The time to wait is over.
    TimedOut,
    /// Whether the credentials are valid: [`FsError::Forbidden`] if not, or the reason why they could not be verified.
    Verified(Result<(), FsError>),
    /// The operation on the file or directory failed.
    Failed(Path, FsError),
}

/// Returns a handler that answers each request with one call of `function`, without waiting for anything.
///
/// ```
/// let hello = sanserve_core::from_fn(|ex| {
///     ex.send_response(200);
///     ex.send_header("Content-Length", 6);
///     ex.end_headers();
///     ex.write(b"hello\n");
///     sanserve_core::Next::Done
/// });
/// ```
pub fn from_fn(function: impl FnMut(&mut Exchange<'_>) -> Next) -> impl Handler {
    FromFn(function)
}

struct FromFn<F>(F);

impl<F: FnMut(&mut Exchange<'_>) -> Next> Handler for FromFn<F> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (self.0)(ex)
    }
}
