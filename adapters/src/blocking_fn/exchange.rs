//! [`BlockingExchange`]: a request and the reply to it, as a function that blocks sees them.

use std::fmt::{self, Display};
use std::io::{BufRead, Read, Result, Write};
use std::sync::Arc;

use sanserve_core::wire::RequestHead;
use sanserve_core::{AsyncExchange, HttpError, form_urlencoded};

use super::pipe::{Pipe, Request};

/// A request and the reply to it, for a handler that was made by [`from_blocking_fn`](crate::from_blocking_fn).
///
/// Its names are those of Python's `BaseHTTPRequestHandler`: read the content from [`rfile`](Self::rfile), and write
/// the reply to [`wfile`](Self::wfile), after [`send_response`](Self::send_response),
/// [`send_header`](Self::send_header) and [`end_headers`](Self::end_headers).
pub struct BlockingExchange {
    /// The content of the request.
    pub rfile: ContentReader,
    /// The content of the reply.
    pub wfile: ReplyWriter,
    head: RequestHead,
    path: String,
    client_address: String,
    pipe: Arc<Pipe>,
    has_ended: bool,
}

impl fmt::Debug for BlockingExchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BlockingExchange")
            .field("client_address", &self.client_address)
            .field("request_line", &self.head.request_line())
            .finish_non_exhaustive()
    }
}

impl BlockingExchange {
    pub(super) fn new(ex: &AsyncExchange, pipe: Arc<Pipe>) -> BlockingExchange {
        BlockingExchange {
            rfile: ContentReader {
                pipe: Arc::clone(&pipe),
                piece: Vec::new(),
                at: 0,
                has_ended: false,
            },
            wfile: ReplyWriter {
                pipe: Arc::clone(&pipe),
            },
            head: ex.head().clone(),
            path: ex.path().into(),
            client_address: ex.client_address().into(),
            pipe,
            has_ended: false,
        }
    }

    /// Returns the method, such as `GET`. It is case-sensitive.
    #[must_use]
    pub fn command(&self) -> &str {
        self.head.method()
    }

    /// Returns the path of the request target with its query; see [`Exchange::path`](sanserve_core::Exchange::path).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the names and values in the query of the request target, decoded.
    #[must_use]
    pub fn query(&self) -> form_urlencoded::Parse<'_> {
        let query = self.path.split_once('?').map(|(_, query)| query);
        form_urlencoded::parse(query.unwrap_or_default().as_bytes())
    }

    /// Returns the value of the first field with this name, which is case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    /// Returns the whole head of the request.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// Returns the peer's address without the port.
    #[must_use]
    pub fn client_address(&self) -> &str {
        &self.client_address
    }

    /// Sends a whole reply: its status, its media type, such as `text/plain`, and its content.
    ///
    /// # Errors
    /// If the client has disconnected or missed a deadline.
    pub fn reply(
        &mut self,
        status: u16,
        media_type: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<()> {
        let content = content.as_ref();
        self.send_response(status);
        self.send_header("Content-Type", media_type);
        self.send_header("Content-Length", content.len());
        self.end_headers();
        self.wfile.write_all(content)
    }

    /// Starts the reply; see [`Exchange::send_response`](sanserve_core::Exchange::send_response).
    pub fn send_response(&self, status: u16) {
        self.call(move |ex| ex.send_response(status));
    }

    /// Adds a field to the head; see [`Exchange::send_header`](sanserve_core::Exchange::send_header).
    pub fn send_header(&self, name: &str, value: impl Display) {
        let (name, value) = (name.to_owned(), value.to_string());
        self.call(move |ex| ex.send_header(&name, value));
    }

    /// Ends the head; see [`Exchange::end_headers`](sanserve_core::Exchange::end_headers).
    pub fn end_headers(&self) {
        self.call(AsyncExchange::end_headers);
    }

    /// Closes the connection after this reply.
    pub fn close_connection(&self) {
        self.call(AsyncExchange::close_connection);
    }

    /// Logs a message, with the peer's address and the time.
    pub fn log_message(&self, message: impl Display) {
        let message = message.to_string();
        self.call(move |ex| ex.log_message(message));
    }

    /// Calls `function` in the handler of the connection, for everything that [`AsyncExchange`] has and this does not.
    /// It is called after what was done before, and does not block.
    ///
    /// ```
    /// # use sanserve_server::BlockingExchange;
    /// # fn handle(ex: &BlockingExchange) {
    /// ex.call(|ex| ex.send_date("Last-Modified", 1_600_000_000));
    /// # }
    /// ```
    pub fn call(&self, function: impl FnOnce(&AsyncExchange) + Send + 'static) {
        // If the request is over, the next read or write fails.
        let _ = self.pipe.push(Request::Call(Box::new(function)));
    }

    /// Returns whether the client has disconnected or missed a deadline, so that the reply is no longer needed.
    /// Functions that work for long without reading or writing check it from time to time.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.pipe.is_closed()
    }

    /// Ends the reply.
    pub(super) fn end(&mut self, result: std::result::Result<(), HttpError>) {
        self.has_ended = true;
        let _ = self.pipe.push(Request::End(result));
    }
}

impl Drop for BlockingExchange {
    /// If the function has panicked, the reply is a 500.
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(Err(HttpError::status(500)));
        }
    }
}

/// The content of a request, which is read as it arrives: Python's `rfile`. It ends at the end of the content. More
/// than [`Limits::content`](sanserve_core::Limits::content) bytes become a 413.
///
/// Reading fails if the client has disconnected or missed a deadline.
pub struct ContentReader {
    pipe: Arc<Pipe>,
    /// The piece that was read last, and how many of its bytes have been consumed.
    piece: Vec<u8>,
    at: usize,
    has_ended: bool,
}

impl fmt::Debug for ContentReader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ContentReader").finish_non_exhaustive()
    }
}

impl BufRead for ContentReader {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.at == self.piece.len() && !self.has_ended {
            let piece = self.pipe.read()?;
            self.has_ended = piece.is_none();
            (self.piece, self.at) = (piece.unwrap_or_default(), 0);
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at = self.piece.len().min(self.at + n);
    }
}

impl Read for ContentReader {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let n = self.fill_buf()?.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

/// The content of a reply: Python's `wfile`. Writing blocks while the client does not read; small writes are collected.
/// [`flush`](Write::flush) waits until the client has accepted everything.
///
/// Writing fails if the client has disconnected or missed a deadline.
pub struct ReplyWriter {
    pipe: Arc<Pipe>,
}

impl fmt::Debug for ReplyWriter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ReplyWriter").finish_non_exhaustive()
    }
}

impl Write for ReplyWriter {
    fn write(&mut self, content: &[u8]) -> Result<usize> {
        self.pipe.write(content)
    }

    fn flush(&mut self) -> Result<()> {
        self.pipe.flush()
    }
}
