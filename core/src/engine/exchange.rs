//! [`Exchange`]: a request and the reply to it, as a handler sees them. Its methods have the names of Python's
//! `BaseHTTPRequestHandler`.

mod error;
mod trusted_fields;

use alloc::string::String;
use core::fmt::{self, Display, Write};
use core::task::Waker;

use crate::engine::log::{CloseReason, LogEvent, LogRecord, Refusal};
use crate::engine::reply_state::{Framing, ReplyState, Stage};
use crate::engine::{Buffer, Config, Now, Peer, Protocol};
use crate::fs::{Credentials, Right};
use crate::sync::Arc;
use crate::text::date::LastDates;
use crate::text::decimal::Digits;
use crate::text::escape::is_plain;
use crate::text::status;
use crate::wire::syntax::is_token;
use crate::wire::{RequestHead, Version};

/// A request and the reply to it, lent to each call of a [`Handler`](crate::Handler).
///
/// The methods have the names of Python's `BaseHTTPRequestHandler`: [`command`](Self::command) is the method,
/// [`path`](Self::path) the target, and a reply is [`send_response`](Self::send_response),
/// [`send_header`](Self::send_header), [`end_headers`](Self::end_headers) and [`write`](Self::write). A mistake in
/// their use, such as a missing `end_headers`, turns the reply into a 500 that names it.
pub struct Exchange<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) peer: &'a Peer,
    pub(crate) expects: bool,
    /// Whether there is more unread content than is discarded to keep the connection open.
    pub(crate) has_unread_content: bool,
    pub(crate) config: &'a Config,
    /// The same settings, for a handler that keeps them.
    pub(crate) shared_config: &'a Arc<Config>,
    pub(crate) now: Now,
    pub(crate) reply: &'a mut ReplyState,
    pub(crate) outbox: &'a mut Buffer,
    pub(crate) log: &'a mut String,
    /// The failures of this request, for the log event at the end of its reply.
    pub(crate) failure: &'a mut String,
    pub(crate) waker: &'a Waker,
    pub(crate) is_upgradable: bool,
    pub(crate) dates: &'a mut LastDates,
    /// The number of bytes of content that the handler has written in this call.
    pub(crate) written: usize,
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Exchange")
            .field("client_address", &self.client_address())
            .field("request_line", &self.head.request_line())
            .finish_non_exhaustive()
    }
}

impl<'a> Exchange<'a> {
    /// Returns an exchange with the same reply, but another request.
    pub(crate) fn with_head<'b>(&'b mut self, head: &'b RequestHead) -> Exchange<'b> {
        Exchange {
            head,
            peer: self.peer,
            expects: self.expects,
            has_unread_content: self.has_unread_content,
            config: self.config,
            shared_config: self.shared_config,
            now: self.now,
            reply: self.reply,
            outbox: self.outbox,
            log: self.log,
            failure: self.failure,
            waker: self.waker,
            is_upgradable: self.is_upgradable,
            dates: self.dates,
            written: self.written,
        }
    }

    /// Returns the method, such as `GET`. It is case-sensitive.
    #[must_use]
    pub fn command(&self) -> &'a str {
        self.head.method()
    }

    /// Returns the path of the request target with its query, such as `/a%20b?query`; see
    /// [`RequestHead::path`](crate::wire::RequestHead::path). As in Python, several slashes at its start are reduced to
    /// one. [`Path::parse`](crate::Path::parse) turns it into the path of a file.
    #[must_use]
    pub fn path(&self) -> &'a str {
        Exchange::path_in(self.head)
    }

    pub(crate) fn path_in(head: &RequestHead) -> &str {
        let path = head.path();
        if path.as_bytes().get(1) != Some(&b'/') {
            return path;
        }
        let slashes = path.len() - path.trim_start_matches('/').len();
        &path[slashes.saturating_sub(1)..]
    }

    /// Returns the names and values in the query of the request target, decoded. Forms whose media type is
    /// `application/x-www-form-urlencoded` are decoded in the same way, by
    /// [`form_urlencoded::parse`](crate::form_urlencoded::parse).
    #[must_use]
    pub fn query(&self) -> form_urlencoded::Parse<'a> {
        Exchange::query_in(self.head)
    }

    pub(crate) fn query_in(head: &RequestHead) -> form_urlencoded::Parse<'_> {
        let query = head.path().split_once('?').map(|(_, query)| query);
        form_urlencoded::parse(query.unwrap_or_default().as_bytes())
    }

    /// Returns the request line as received, without its line ending.
    #[must_use]
    pub fn requestline(&self) -> &'a str {
        self.head.request_line()
    }

    /// Returns the HTTP version of the request.
    #[must_use]
    pub fn request_version(&self) -> Version {
        self.head.version()
    }

    /// Returns the value of the first field with this name, which is case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.head.field(name)
    }

    /// Returns all fields as names and values, in the order in which they were sent.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.head.fields().iter()
    }

    /// Returns the values of all fields with this name, which is case-insensitive.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.head.get_all(name)
    }

    /// Returns the waker that resumes this handler while it [waits](crate::Next::Wait). Give a clone of it to the
    /// thread, task or channel that the handler waits for. It may be woken at any time, from any thread.
    #[must_use]
    pub fn waker(&self) -> &'a Waker {
        self.waker
    }

    /// Returns whether the handler may take the connection over by [`Next::Upgrade`](crate::Next::Upgrade).
    #[must_use]
    pub fn can_upgrade(&self) -> bool {
        self.is_upgradable
    }

    /// Returns the user and the password that the request contains for `Basic` authentication (RFC 7617). They have not
    /// been verified: return [`Next::Verify`](crate::Next::Verify), or use a [`Guard`](crate::Guard).
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        Credentials::in_head(self.head)
    }

    /// Returns whether the client has this right. Without a [`Guard`](crate::Guard), all clients have all rights. A
    /// guard refuses requests that need a right which the client lacks; a page can ask which others it has, to offer
    /// only what they allow.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        !self.reply.missing_rights.contains(right)
    }

    /// Returns the client's address without the port: that of the peer, as the adapter gave it, or the one that
    /// [`Config::find_client`](crate::Config::find_client) has found.
    #[must_use]
    pub fn client_address(&self) -> &'a str {
        self.peer.client_address()
    }

    /// Returns whether the client uses TLS, if a proxy says so ([`Config::find_client`](crate::Config::find_client)).
    pub(crate) fn forwarded_https(&self) -> Option<bool> {
        self.peer.https()
    }

    /// Returns whether the client waits for a `100 Continue` before it sends content (RFC 9110 §10.1.1). It is sent
    /// when the handler returns [`Next::Body`](crate::Next::Body); to refuse the content, reply with an error instead.
    #[must_use]
    pub fn expects_100(&self) -> bool {
        self.expects
    }

    /// Returns the value of the `Server` field.
    #[must_use]
    pub fn version_string(&self) -> &'a str {
        &self.config.server
    }

    /// Returns the HTTP version of the server, as it is written in a status line.
    #[must_use]
    pub fn protocol_version(&self) -> &'static str {
        self.config.protocol.as_str()
    }

    /// Returns the time of this step.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Starts the reply: logs the request, then writes the status line with the standard phrase of the status, `Server`
    /// and `Date`.
    pub fn send_response(&mut self, status: u16) {
        let phrase = status::known_phrase(status).unwrap_or_default();
        self.log_request(status, "-");
        if self.start_line(status) {
            self.outbox.push(phrase.as_bytes());
            self.outbox.push(b"\r\n");
        }
        self.send_first_fields();
    }

    /// Does the same as [`send_response`](Self::send_response), with another phrase.
    pub fn send_response_with(&mut self, status: u16, phrase: impl Display) {
        self.start(status, &phrase);
    }

    fn start(&mut self, status: u16, phrase: &dyn Display) {
        self.log_request(status, "-");
        self.status_line(status, phrase);
        self.send_first_fields();
    }

    fn send_first_fields(&mut self) {
        self.send_text("Server: ", self.version_string());
        if let Some(unix) = self.now.unix {
            let date = *self.dates.date.format(unix);
            self.send_trusted("Date: ", &date);
        }
    }

    /// Starts the reply with only the status line: no fields, and no log line. A status below 200 makes it an interim
    /// reply, which [`end_headers`](Self::end_headers) completes; the final reply follows.
    pub fn send_response_only(&mut self, status: u16, phrase: impl Display) {
        self.status_line(status, &phrase);
    }

    /// Writes the status line up to the phrase, unless the reply has begun. Returns whether it did.
    fn start_line(&mut self, status: u16) -> bool {
        if self.reply.stage != Stage::Start {
            self.reply.record_fault("called send_response() twice");
            return false;
        }
        (self.reply.stage, self.reply.status) = (Stage::Head, status);
        self.outbox.push(match self.config.protocol {
            Protocol::Http10 => b"HTTP/1.0 ",
            Protocol::Http11 => b"HTTP/1.1 ",
        });
        match status {
            // Nearly all statuses: one write.
            100..1000 => {
                let digit = |unit| b'0' + (status / unit % 10) as u8;
                self.outbox.push(&[digit(100), digit(10), digit(1), b' ']);
            }
            _ => {
                self.outbox.push(Digits::decimal(status.into()).as_bytes());
                self.outbox.push(b" ");
            }
        }
        true
    }

    fn status_line(&mut self, status: u16, phrase: &dyn Display) {
        if !self.start_line(status) {
            return;
        }
        if write!(Latin1(self.outbox), "{phrase}").is_err() {
            self.reply
                .record_fault("gave send_response() an invalid phrase");
        }
        self.outbox.push(b"\r\n");
    }

    /// Adds a field to the head.
    ///
    /// An invalid field is never sent; it turns the reply into a 500. These are invalid: a name that is not a token
    /// (RFC 9110 §5.1), a value with a line break, a NUL or a character above U+00FF, a second or non-numeric
    /// `Content-Length`, and any `Transfer-Encoding`, which [`end_headers`](Self::end_headers) chooses.
    pub fn send_header(&mut self, name: &str, value: impl Display) {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return self
                .reply
                .record_fault("sent a Transfer-Encoding, which end_headers() chooses");
        }
        self.field(name, &value);
    }

    fn field(&mut self, name: &str, value: &dyn Display) {
        if self.reply.stage != Stage::Head {
            return self
                .reply
                .record_fault("called send_header() outside of a head");
        }
        self.outbox.push(name.as_bytes());
        self.outbox.push(b": ");
        let start = self.outbox.len();
        if !is_token(name.as_bytes()) || write!(Latin1(self.outbox), "{value}").is_err() {
            return self
                .reply
                .record_fault("gave send_header() an invalid name or value");
        }
        let value = self.outbox.filled()[start..].trim_ascii();
        if name.eq_ignore_ascii_case("content-length") {
            let digits = value.iter().all(u8::is_ascii_digit);
            let number = str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok());
            match number.filter(|_| digits && self.reply.content_length.is_none()) {
                Some(length) => self.reply.content_length = Some(length),
                None => self
                    .reply
                    .record_fault("sent a Content-Length that is not a number"),
            }
        } else if name.eq_ignore_ascii_case("connection") {
            self.reply.has_connection_field = true;
            if value.eq_ignore_ascii_case(b"close") {
                self.reply.close_for(CloseReason::Handler);
            }
        }
        self.outbox.push(b"\r\n");
    }

    /// Ends the head and chooses the framing of the content (RFC 9112 §6.3): by the `Content-Length` that was sent;
    /// otherwise chunked, if client and server speak HTTP/1.1; otherwise the content ends with the connection.
    pub fn end_headers(&mut self) {
        if self.reply.stage != Stage::Head {
            return self
                .reply
                .record_fault("called end_headers() outside of a head");
        }
        let is_http11 = self.config.protocol == Protocol::Http11;
        let framing = match self.reply.content_length {
            _ if self.has_no_content() => Framing::Empty,
            Some(length) => Framing::Length(length),
            None if is_http11 && self.request_version() == Version::Http11 => Framing::Chunked,
            None => Framing::Close,
        };
        match framing {
            Framing::Chunked => self.field("Transfer-Encoding", &"chunked"),
            Framing::Close => self.reply.close_for(CloseReason::Error),
            _ => {}
        }
        // A handler that replies before it has read the content will hardly read it afterwards.
        if self.has_unread_content && self.reply.status >= 200 {
            self.reply.close_for(CloseReason::Error);
        }
        // RFC 9112 §9.6: announce that the connection closes; §9.3: tell an HTTP/1.0 client that it stays open.
        let Exchange { reply, config, .. } = self;
        let silent = reply.close.is_none()
            && !config.keep_alive
            && self.request_version() == Version::Http11;
        if is_http11 && !silent && !self.reply.has_connection_field && self.reply.status >= 200 {
            self.send_connection();
        }
        self.outbox.push(b"\r\n");
        self.reply.end_head(framing, self.outbox);
    }

    /// Returns whether the reply has no content because the request is HEAD.
    fn answers_head(&self) -> bool {
        self.command() == "HEAD" || self.reply.to_head
    }

    /// Returns whether the reply has no content, regardless of its fields (RFC 9112 §6.3).
    fn has_no_content(&self) -> bool {
        let status = self.reply.status;
        let connects = self.command() == "CONNECT" && matches!(status, 200..=299);
        self.answers_head() || connects || matches!(status, ..200 | 204 | 304)
    }

    /// Announces whether the connection stays open, and for how long if [`Config::keep_alive`] is set.
    fn send_connection(&mut self) {
        let idle = self.config.timeouts.promised_idle();
        let announces = self.config.keep_alive && idle > 0;
        match self.request_version() {
            _ if self.reply.close.is_some() => self.send_header("Connection", "close"),
            Version::Http11 if !announces => {}
            _ => self.send_trusted("Connection: ", b"keep-alive"),
        }
        if announces && self.reply.close.is_none() {
            self.send_trusted("Keep-Alive: timeout=", Digits::decimal(idle).as_bytes());
        }
    }

    /// Adds content, framed as [`end_headers`](Self::end_headers) chose. If the reply has no content, as after HEAD,
    /// the bytes are ignored.
    ///
    /// In one call of [`begin`](crate::Handler::begin) or [`resume`](crate::Handler::resume) a handler may write five
    /// quarters of [`Limits::outbox`](crate::Limits::outbox), 40 KiB by default. Writing more turns the reply into a
    /// 500, so that a connection never buffers a large page. Return [`Next::Write`](crate::Next::Write) for larger
    /// content, or [`Next::Flush`](crate::Next::Flush) between the pieces of content that is generated piece by piece.
    pub fn write(&mut self, bytes: &[u8]) {
        let written = self.written.saturating_add(bytes.len());
        let outbox = self.config.limits.outbox;
        if written > outbox.saturating_add(outbox / 4) {
            return self
                .reply
                .record_fault("wrote more than Limits::outbox: return Next::Write or Next::Flush");
        }
        self.written = written;
        self.reply.write(bytes, self.outbox);
    }

    /// Returns whether [`Limits::outbox`](crate::Limits::outbox) bytes or more wait to be sent. If so, return
    /// [`Next::Flush`](crate::Next::Flush) before the next [`write`](Self::write).
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.outbox.len().max(self.written) >= self.config.limits.outbox
    }

    /// Returns the number of bytes that may be written in one piece while [`wants_flush`](Self::wants_flush) is
    /// `false`.
    pub(crate) fn write_max_before_flush(&self) -> usize {
        self.config.limits.outbox / 4
    }

    /// Logs the request with the status of its reply and the reply's size, or `-`.
    /// [`send_response`](Self::send_response) calls it.
    pub fn log_request(&mut self, status: impl Display, size: impl Display) {
        let (status, size) = (&status, &size);
        self.record(LogEvent::Request { status, size });
    }

    /// Logs an error. [`send_error`](Self::send_error) logs its own.
    pub fn log_error(&mut self, message: impl Display) {
        self.record(LogEvent::Message(&message));
    }

    /// Logs a message, with the peer's address and the time. Control characters are escaped. [`Config::log_format`]
    /// formats the line.
    pub fn log_message(&mut self, message: impl Display) {
        self.record(LogEvent::Message(&message));
    }

    /// Logs why the reply breaks off. If its end has been logged already, this is a message.
    pub(crate) fn log_failure(&mut self, message: &dyn Display) {
        if self.reply.status == 0 || self.reply.logged {
            self.log_message(message);
        } else {
            self.record_failure(LogEvent::Failure(message), message);
        }
    }

    /// Logs the undisclosed reason for which the request was refused, if there is one.
    pub(crate) fn log_refusal(&mut self, refusal: Option<Refusal>) {
        if let Some(refusal) = refusal {
            self.record_failure(LogEvent::Refused(refusal), &refusal);
        }
    }

    /// Logs a failure of the request, and keeps it for the log event at the end of the reply.
    pub(crate) fn record_failure(&mut self, event: LogEvent<'_>, message: &dyn Display) {
        if !self.failure.is_empty() {
            self.failure.push_str("; ");
        }
        let written = write!(self.failure, "{message}");
        written.expect("a string takes everything");
        self.record(event);
    }

    /// Logs an event.
    pub(crate) fn record(&mut self, event: LogEvent<'_>) {
        let unix = self.now.unix;
        let record = LogRecord {
            client_address: self.client_address(),
            request: self.head,
            unix,
            offset: unix.map_or(0, |unix| (self.config.local_offset)(unix)),
            authenticated: self.reply.authenticated,
            event,
        };
        (self.config.log_format)(&record, self.log).expect("a string takes everything");
    }

    /// Closes the connection after this reply. Call it before [`end_headers`](Self::end_headers), which then announces
    /// it.
    pub fn close_connection(&mut self) {
        self.reply.close_for(CloseReason::Handler);
    }
}

/// A writer that encodes text as ISO-8859-1, the encoding of a head. Line breaks, NUL and characters above U+00FF are
/// errors.
pub(crate) struct Latin1<'a>(pub(crate) &'a mut Buffer);

impl Write for Latin1<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_plain(text) {
            self.0.push(text.as_bytes());
            return Ok(());
        }
        if text.contains(|char: char| matches!(char, '\r' | '\n' | '\0') || char > '\u{ff}') {
            return Err(fmt::Error);
        }
        text.chars().for_each(|char| self.0.push(&[char as u8]));
        Ok(())
    }
}
