//! [`Handler`]: what answers requests, as `BaseHTTPRequestHandler` does, turned inside out.
//!
//! A handler does not wait. It is told something, writes what it can through the [`Exchange`], and
//! returns what it needs [`Next`]; when that is there, it is told again.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use crate::engine::{Exchange, https};
use crate::fs::{ArchiveRequest, Create, Credentials, Entries, FsError, Meta, Path, Program};

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

/// What a handler needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Content of the request, up to [`Limits::content`](crate::Limits::content). Told:
    /// [`Event::Data`] with some of it, or [`Event::End`].
    Body,
    /// The file of that name, opened. Told: [`Event::Opened`], [`Event::Directory`] or
    /// [`Event::Failed`]. It takes the place of the one that was open before.
    Open(Path),
    /// What a directory holds. Told: [`Event::Listed`] or [`Event::Failed`].
    List(Path),
    /// That program, set up. Told: [`Event::Running`] or [`Event::Failed`]. It takes the place of
    /// the file that was open before.
    Run(Box<Program>),
    /// To know whether these are right. Told: [`Event::Verified`]. What is open stays.
    Verify(Box<Credentials>),
    /// That directory as one file, opened. Told: [`Event::Opened`] or [`Event::Failed`]. It takes the
    /// place of the one that was open before.
    Archive(Box<ArchiveRequest>),
    /// To pass the request's content to the program. Told: [`Event::End`].
    Feed,
    /// That file, begun. Told: [`Event::Created`] or [`Event::Failed`]. It takes the place of what was
    /// open before.
    Create(Box<Create>),
    /// To pass these bytes to the file that was begun. Told: [`Event::End`], or [`Event::Failed`] without a path.
    Give(Vec<u8>),
    /// To give the file that was begun its name: it is complete. Told: [`Event::End`], or [`Event::Failed`] without a path.
    Commit,
    /// Some of what is open, from where the last `Read` ended. Told: [`Event::Data`] or
    /// [`Event::End`].
    Read,
    /// To send that part of the open file as content of the reply. Told: [`Event::End`].
    /// Of a program, all that is left to read, whatever the range says.
    Send(Range<u64>),
    /// To write this content, however large it is, as the peer takes it. Told: [`Event::End`].
    ///
    /// What is small is written by [`Exchange::write`].
    Write(Cow<'static, [u8]>),
    /// That the peer takes what was written so far, before more is. Told: [`Event::End`].
    Flush,
    /// To wait for something else than the peer and the files: a result that another thread works out, a message for this
    /// client, or the time itself. Told: [`Event::Woken`] when [`Exchange::waker`] is woken, or [`Event::TimedOut`] after this time.
    /// What was written so far goes to the peer first.
    ///
    /// The waker may also be woken for nothing, or for something that came before: look again, and wait again. The time begins
    /// anew with each wait, so a handler with a deadline keeps it, by [`Exchange::now`], and waits for what is left of it. If the
    /// peer closes its side of the connection, the wait ends two seconds after something was last written to it ([`Patience::half_closed`](crate::Patience::half_closed)).
    Wait(Duration),
    /// To take the connection over, after a reply of 101 (RFC 9110 §7.8), or one to CONNECT with a status of 2xx: the adapter hands its
    /// transport to whoever speaks the next protocol. Nothing is told. If the adapter cannot, see [`Exchange::can_upgrade`], the reply
    /// becomes a 501.
    Upgrade,
    /// Nothing: the reply is complete. What is left of the request's content is thrown away.
    Done,
}

/// What a handler is told. The path is the one it asked for, given back.
#[derive(Debug)]
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
