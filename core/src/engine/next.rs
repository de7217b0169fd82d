//! [`Next`]: what a handler returns.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

#[cfg(doc)]
use crate::engine::{Event, Exchange};
use crate::fs::{ArchiveRequest, CgiScript, Create, Credentials, Path};

/// What a handler needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
    Run(Box<CgiScript>),
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
    WriteFile(Vec<u8>),
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
    /// anew with each wait, so a handler with a deadline keeps it, by [`Exchange::now`](crate::Exchange::now), and waits for what is left of it. If the
    /// peer closes its side of the connection, the wait ends two seconds after something was last written to it
    /// ([`Timeouts::half_closed`](crate::Timeouts::half_closed)).
    Wait(Duration),
    /// To take the connection over, after a reply of 101 (RFC 9110 §7.8), or one to CONNECT with a status of 2xx: the adapter hands its
    /// transport to the code of the next protocol. The handler gets no further event. If the adapter cannot, see [`Exchange::can_upgrade`], the reply
    /// becomes a 501.
    Upgrade,
    /// Nothing: the reply is complete. What is left of the request's content is thrown away.
    Done,
}
