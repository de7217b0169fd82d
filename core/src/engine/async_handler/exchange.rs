//! [`AsyncExchange`]: a request and the reply to it, as an asynchronous handler sees them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::{self, Display};
use core::future::poll_fn;
use core::ops::Range;
use core::task::{Poll, ready};

use super::HttpError;
use super::shared::Shared;
use crate::engine::{Event, Exchange, Handler, Next, Now};
use crate::fs::{Change, Create, Credentials, Entries, FsError, Meta, Path};
use crate::sync::Arc;
use crate::wire::RequestHead;

/// A request and the reply to it, for a handler that was made by [`from_async_fn`](crate::from_async_fn).
///
/// The methods have the names of [`Exchange`], which are those of Python's `BaseHTTPRequestHandler`. Those that wait
/// for the peer or the file system are asynchronous; the others take effect immediately. Only one operation is in
/// progress at a time: while the peer or the file system is waited for, no other future of the handler is polled.
///
/// It must be used in the future that got it. In another task, methods have no effect and waits do not end.
pub struct AsyncExchange {
    shared: Arc<Shared>,
}

impl fmt::Debug for AsyncExchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AsyncExchange")
            .field("client_address", &self.client_address())
            .field("request_line", &self.head().request_line())
            .finish_non_exhaustive()
    }
}

/// The request.
impl AsyncExchange {
    pub(super) fn new(shared: Arc<Shared>) -> AsyncExchange {
        AsyncExchange { shared }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Returns the method, such as `GET`. It is case-sensitive.
    #[must_use]
    pub fn command(&self) -> &str {
        self.head().method()
    }

    /// Returns the path of the request target with its query, as [`Exchange::path`] does.
    #[must_use]
    pub fn path(&self) -> &str {
        Exchange::path_in(self.head())
    }

    /// Returns the names and values in the query of the request target, as [`Exchange::query`] does.
    #[must_use]
    pub fn query(&self) -> form_urlencoded::Parse<'_> {
        Exchange::query_in(self.head())
    }

    /// Returns the value of the first field with this name, which is case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head().field(name)
    }

    /// Returns the whole head of the request.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.shared.head
    }

    /// Returns the client's address, as [`Exchange::client_address`](crate::Exchange::client_address) does.
    #[must_use]
    pub fn client_address(&self) -> &str {
        self.shared.peer.client_address()
    }

    /// Returns the user and the password of the request, which have not been verified; see [`Exchange::credentials`].
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        Credentials::in_head(self.head())
    }

    /// Returns the current time, as the adapter reads it from its clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        self.with(|ex| ex.now()).unwrap_or_default()
    }

    /// Reads the next piece of the request's content. Returns `None` if there is no more.
    ///
    /// A client that waits for `100 Continue` gets it now. More than [`Limits::content`](crate::Limits::content) bytes
    /// become a 413.
    pub async fn read(&self) -> Option<Vec<u8>> {
        match self.perform(Next::Body).await {
            (Event::Data(_), piece) => Some(piece),
            _ => None,
        }
    }

    /// Reads the whole content of the request, or the rest of it.
    ///
    /// # Errors
    /// An error with status 413 if it is longer than `max` bytes.
    pub async fn read_all(&self, max: usize) -> Result<Vec<u8>, HttpError> {
        let mut content = Vec::new();
        while let Some(piece) = self.read().await {
            match content.len() + piece.len() {
                len if len > max => return Err(HttpError::status(413)),
                _ if content.is_empty() => content = piece,
                _ => content.extend_from_slice(&piece),
            }
        }
        Ok(content)
    }
}

/// The reply.
impl AsyncExchange {
    /// Sends a whole reply: its status, its media type, such as `text/plain`, and its content.
    pub async fn reply(&self, status: u16, media_type: &str, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        self.send_response(status);
        self.send_header("Content-Type", media_type);
        self.send_header("Content-Length", content.len());
        self.end_headers();
        self.write(content).await;
    }

    /// Starts the reply, as [`Exchange::send_response`] does.
    pub fn send_response(&self, status: u16) {
        self.with(|ex| ex.send_response(status));
    }

    /// Starts the reply with this phrase in place of the status's own, as [`Exchange::send_response_with`] does.
    pub fn send_response_with(&self, status: u16, phrase: impl Display) {
        self.with(|ex| ex.send_response_with(status, phrase));
    }

    /// Starts the reply with only the status line. A status below 200 makes it an interim reply, such as 103 (Early
    /// Hints); see [`Exchange::send_response_only`].
    pub fn send_response_only(&self, status: u16, phrase: impl Display) {
        self.with(|ex| ex.send_response_only(status, phrase));
    }

    /// Adds a field to the head, as [`Exchange::send_header`] does.
    pub fn send_header(&self, name: &str, value: impl Display) {
        self.with(|ex| ex.send_header(name, value));
    }

    /// Adds a field whose value is a date, given in seconds since 1970.
    pub fn send_date(&self, name: &str, unix: i64) {
        self.with(|ex| ex.send_date(name, unix));
    }

    /// Ends the head, as [`Exchange::end_headers`] does.
    pub fn end_headers(&self) {
        self.with(|ex| {
            ex.end_headers();
        });
    }

    /// Closes the connection after this reply, as [`Exchange::close_connection`] does.
    pub fn close_connection(&self) {
        self.with(|ex| {
            ex.close_connection();
        });
    }

    /// Logs a message, as [`Exchange::log_message`] does.
    pub fn log_message(&self, message: impl Display) {
        self.with(|ex| ex.log_message(message));
    }

    /// Logs an error, as [`Exchange::log_error`] does.
    pub fn log_error(&self, message: impl Display) {
        self.with(|ex| ex.log_error(message));
    }

    /// Writes content of any length, as fast as the peer accepts it. It is sent when the handler waits for the next
    /// time, or when [`Limits::outbox`](crate::Limits::outbox) bytes have been written.
    pub async fn write(&self, mut content: &[u8]) {
        while !content.is_empty() {
            let written = self.with(|ex| {
                let n = content.len().min(ex.write_max_before_flush());
                let has_room = !ex.wants_flush();
                has_room.then(|| {
                    ex.write(&content[..n]);
                    n
                })
            });
            match written {
                Some(Some(n)) => content = &content[n..],
                _ => self.flush().await,
            }
        }
    }

    /// Waits until the peer has accepted everything that was written.
    pub async fn flush(&self) {
        self.perform(Next::Flush).await;
    }

    /// Lets another handler answer the request, such as [`Files`](crate::Files).
    ///
    /// ```
    /// use sanserve_core::{AsyncExchange, Files, HttpError, from_async_fn};
    ///
    /// async fn route(ex: AsyncExchange, files: Files) -> Result<(), HttpError> {
    ///     match ex.path() {
    ///         "/api/version" => ex.reply(200, "text/plain", "1\n").await,
    ///         _ => ex.delegate(files).await,
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let files = Files::new();
    /// let make_handler = || from_async_fn(|ex| route(ex, files.clone()));
    /// ```
    pub async fn delegate(&self, mut handler: impl Handler) {
        let mut next = self.with(|ex| handler.begin(ex));
        while let Some(needed) = next
            && needed != Next::Done
        {
            let (event, data) = match needed {
                Next::Wait(time) => (self.wait(time).await, Vec::new()),
                needed => self.perform(needed).await,
            };
            let event = match event {
                Event::Data(_) => Event::Data(&data),
                event => event,
            };
            next = self.with(|ex| handler.resume(ex, event));
        }
    }

    /// Returns whether the connection can be [upgraded](Self::upgrade).
    #[must_use]
    pub fn can_upgrade(&self) -> bool {
        self.with(|ex| ex.can_upgrade()).unwrap_or_default()
    }

    /// Takes the connection over, after a 101 reply or a 2xx reply to CONNECT, and returns its stream. The server must
    /// continue this handler with [`AsyncHandler::into_upgraded`](crate::AsyncHandler::into_upgraded), and `S` must be
    /// the type of its streams. If the server does not support it, the reply becomes a 501.
    ///
    /// # Panics
    /// If the stream has another type.
    pub async fn upgrade<S: Any>(&self) -> S {
        self.perform(Next::Upgrade).await;
        let stream = self.shared.take_stream();
        let stream = stream.and_then(|stream| stream.downcast().ok());
        *stream.expect("the server's streams have this type")
    }
}

/// The files of the server. One is open at a time; opening or creating another one closes it.
impl AsyncExchange {
    /// Opens a file, and returns its length and times. It is then [sent](Self::send_file) or [read](Self::read_file).
    ///
    /// # Errors
    /// [`FsError::NotRegularFile`] if it is a directory, and the errors of the file system.
    pub async fn open(&self, path: Path) -> Result<Meta, FsError> {
        match self.perform(Next::Open(path)).await.0 {
            Event::Opened(_, meta) => Ok(meta),
            Event::Directory(_) => Err(FsError::NotRegularFile),
            event => Err(error_of(event)),
        }
    }

    /// Sends this range of the open file, in bytes, as content of the reply: by reference, such as with `sendfile`, if
    /// server and file allow it.
    pub async fn send_file(&self, range: Range<u64>) {
        self.perform(Next::Send(range)).await;
    }

    /// Reads the next piece of the open file. Returns `None` at its end.
    pub async fn read_file(&self) -> Option<Vec<u8>> {
        match self.perform(Next::Read).await {
            (Event::Data(_), piece) => Some(piece),
            _ => None,
        }
    }

    /// Lists a directory.
    ///
    /// # Errors
    /// Those of the file system.
    pub async fn list(&self, path: Path) -> Result<Arc<Entries>, FsError> {
        match self.perform(Next::List(path)).await.0 {
            Event::Listed(_, entries) => Ok(entries),
            event => Err(error_of(event)),
        }
    }

    /// Begins to create a file, which is invisible until it is [committed](Self::commit), and vanishes if the future is
    /// dropped before.
    ///
    /// # Errors
    /// Those of the file system.
    pub async fn create(&self, create: Create) -> Result<(), FsError> {
        match self.perform(Next::Create(Box::new(create))).await.0 {
            Event::Created(_) => Ok(()),
            event => Err(error_of(event)),
        }
    }

    /// Appends these bytes to the file that is being created.
    ///
    /// # Errors
    /// Those of the file system. The file is dropped.
    pub async fn write_file(&self, content: Vec<u8>) -> Result<(), FsError> {
        match self.perform(Next::WriteFile(content)).await.0 {
            Event::End => Ok(()),
            event => Err(error_of(event)),
        }
    }

    /// Gives the file that is being created its name, as its content is complete.
    ///
    /// # Errors
    /// Those of the file system. The file is dropped.
    pub async fn commit(&self) -> Result<(), FsError> {
        match self.perform(Next::Commit).await.0 {
            Event::End => Ok(()),
            event => Err(error_of(event)),
        }
    }

    /// Creates a directory, or removes a file or an empty directory.
    ///
    /// # Errors
    /// Those of the file system. Nothing was changed.
    pub async fn change(&self, change: Change) -> Result<(), FsError> {
        match self.perform(Next::Change(Box::new(change))).await.0 {
            Event::End => Ok(()),
            event => Err(error_of(event)),
        }
    }

    fn with<R>(&self, function: impl FnOnce(&mut Exchange<'_>) -> R) -> Option<R> {
        self.shared.with(function)
    }

    /// Lets the engine perform this, and returns the event, whose bytes are separate.
    async fn perform(&self, next: Next) -> (Event<'static>, Vec<u8>) {
        if next == Next::Body
            && let Some(unread) = self.shared.take_unread()
        {
            return (Event::Data(&[]), unread);
        }
        let mut waiting = Waiting {
            shared: &self.shared,
            has_asked: false,
        };
        let mut next = Some(next);
        poll_fn(|context| {
            if !waiting.has_asked {
                waiting.has_asked = self.shared.ask(&mut next, context);
                return Poll::Pending;
            }
            let done = ready!(self.shared.poll_done(context));
            waiting.has_asked = false;
            Poll::Ready(done)
        })
        .await
    }
}

/// An operation for which a future waits. If it is dropped before, the operation is forgotten.
struct Waiting<'a> {
    shared: &'a Shared,
    has_asked: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.has_asked {
            self.shared.cancel();
        }
    }
}

/// Returns the error of an operation on a file.
fn error_of(event: Event<'_>) -> FsError {
    match event {
        Event::Failed(_, error) => error,
        _ => FsError::Io,
    }
}
