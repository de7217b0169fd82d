//! [`Next`], which a handler returns: what it needs before it is called again, or that its reply is complete.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

#[cfg(doc)]
use crate::engine::{Event, Exchange};
use crate::fs::{ArchiveRequest, CgiScript, Change, Create, Credentials, Path, UploadRequest};

/// What a handler needs next. Each variant names the [`Event`] with which the handler is resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Read content of the request, up to [`Limits::content`](crate::Limits::content). Resumes with [`Event::Data`], or
    /// with [`Event::End`] if there is no more.
    Body,
    /// Open the file or directory at this path. Resumes with [`Event::Opened`], [`Event::Directory`] or
    /// [`Event::Failed`]. A file that was open before is closed.
    Open(Path),
    /// List the directory at this path. Resumes with [`Event::Listed`] or [`Event::Failed`]. A file that was open
    /// before is closed.
    List(Path),
    /// Prepare to run this CGI script. Resumes with [`Event::Running`] or [`Event::Failed`]. A file that was open
    /// before is closed.
    Run(Box<CgiScript>),
    /// Verify these credentials. Resumes with [`Event::Verified`]. An open file stays open.
    Verify(Box<Credentials>),
    /// Open a directory as one archive file. Resumes with [`Event::Opened`] or [`Event::Failed`]. A file that was open
    /// before is closed.
    Archive(Box<ArchiveRequest>),
    /// Write the request's content to the standard input of the CGI process. Resumes with [`Event::End`].
    Feed,
    /// Begin to create this file. Resumes with [`Event::Created`] or [`Event::Failed`]. A file that was open before is
    /// closed.
    Create(Box<Create>),
    /// Create a directory, or remove a file or an empty directory. Resumes with [`Event::End`] or [`Event::Failed`]. A
    /// file that was open before is closed.
    Change(Box<Change>),
    /// Begin, resume or cancel an upload that can be resumed. Resumes with [`Event::Upload`] or [`Event::Failed`]. A
    /// file that was open before is closed.
    Upload(Box<UploadRequest>),
    /// Append these bytes to the file that is being created. Resumes with [`Event::End`], or with [`Event::Failed`]
    /// with an empty path.
    WriteFile(Vec<u8>),
    /// Commit the file that is being created: its content is complete, so give it its name. Resumes with
    /// [`Event::End`], or with [`Event::Failed`] with an empty path.
    Commit,
    /// Read from the open file or CGI process, from where the last `Read` ended. Resumes with [`Event::Data`], or with
    /// [`Event::End`] at its end.
    Read,
    /// Send this range of the open file, in bytes, as content of the reply. Resumes with [`Event::End`]. For a CGI
    /// process the range is ignored, and everything that is left of its output is sent.
    Send(Range<u64>),
    /// Write this content, of any length, as fast as the peer accepts it. Resumes with [`Event::End`]. For a little
    /// content [`Exchange::write`] is simpler.
    Write(Cow<'static, [u8]>),
    /// Wait until the peer has accepted everything that was written so far. Resumes with [`Event::End`].
    Flush,
    /// Wait for something other than the peer and the file system: the result of another thread, a message for this
    /// client, or just time. Resumes with [`Event::Woken`] when [`Exchange::waker`] is woken, or with
    /// [`Event::TimedOut`] after this duration. Everything that was written so far is sent to the peer first.
    ///
    /// The waker may also be woken spuriously, or for an earlier event: check again, and wait again. Each wait starts a
    /// new timeout, so a handler with a deadline stores it (see [`Exchange::now`](crate::Exchange::now)) and waits for
    /// the remaining time. If the peer closes its side of the connection, the wait ends two seconds after something was
    /// last written to it ([`Timeouts::half_closed`](crate::Timeouts::half_closed)).
    Wait(Duration),
    /// Take the connection over after a 101 reply (RFC 9110 §7.8), or after a 2xx reply to CONNECT: the adapter hands
    /// its transport to the code of the next protocol, and the handler gets no further event. If the adapter cannot do
    /// that, see [`Exchange::can_upgrade`], the reply becomes a 501.
    Upgrade,
    /// Nothing: the reply is complete. Unread content of the request is discarded.
    Done,
}
