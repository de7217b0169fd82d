//! [`Handler`]: what answers requests, as `BaseHTTPRequestHandler` does, turned inside out.
//!
//! A handler does not wait. It is told something, writes what it can through the [`Exchange`], and
//! returns what it needs [`Next`]; when that is there, it is told again.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::engine::{Exchange, Next, https};
use crate::fs::{Entries, FsError, Meta, Path};

/// Answers the requests of one connection, one after another. State of the connection lives in
/// `self`; what connections share is whatever `self` holds by reference or `Arc`.
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
    /// A request has come. Answer it, or say what is needed first.
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next;

    /// What was needed is here. A handler that only ever returns [`Next::Done`] needs none.
    fn resume(&mut self, _ex: &mut Exchange<'_>, _event: Event<'_>) -> Next {
        Next::Done
    }

    /// A request has come over plain HTTP to a port for HTTPS. By default the client is sent to the same host and target
    /// over HTTPS: 308, or 400 where the request names no host. Nothing of what is served may be told, since the
    /// request can be read by others. A handler in front of another one passes this on; [`Hosts`](crate::Hosts) does so only
    /// for hosts that it knows.
    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        https::redirect(ex)
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
}

/// What a handler is told. The path is the one it asked for, given back.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Some of the request's content, or of what is open: whichever was needed.
    Data(&'a [u8]),
    /// All is read, sent, given, committed or flushed.
    End,
    /// The file is open and can be sent.
    Opened(Path, Meta),
    /// The program is set up.
    Running(Path),
    /// The file is begun.
    Created(Path),
    /// It is a directory.
    Directory(Path),
    /// What the directory holds, in any order.
    Listed(Path, Arc<Entries>),
    /// The waker of the connection was woken, perhaps for nothing.
    Woken,
    /// The time of the wait is over.
    TimedOut,
    /// Whether the credentials are right: if not, [`FsError::Forbidden`], or why that cannot be said.
    Verified(Result<(), FsError>),
    /// There is no such file or directory, or it cannot be had.
    Failed(Path, FsError),
}

/// A handler made of a function that answers at once.
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
