//! [`Exchange`]: a request and the reply to it, as a handler sees them, under Python's names.

mod error;
mod trusted_fields;

use core::fmt::{self, Display, Write};
use core::task::Waker;

use alloc::string::String;

use crate::engine::log::{CloseReason, LogEvent, LogRecord, Refusal};
use crate::engine::reply_state::{Framing, ReplyState, Stage};
use crate::engine::{Buffer, Config, Now, Protocol};
use crate::fs::Credentials;
use crate::text::date::LastDate;
use crate::text::decimal::Digits;
use crate::text::escape::is_plain;
use crate::text::status;
use crate::wire::syntax::is_token;
use crate::wire::{RequestHead, Version};

/// A request and the reply to it. Lent to a [`Handler`](crate::Handler) whenever it is told
/// something; what it lends of the request outlives the call that asked for it.
pub struct Exchange<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) peer: &'a str,
    pub(crate) expects: bool,
    /// Whether there is content that is not thrown away to keep the connection.
    pub(crate) has_unread_content: bool,
    pub(crate) config: &'a Config,
    pub(crate) now: Now,
    pub(crate) reply: &'a mut ReplyState,
    pub(crate) outbox: &'a mut Buffer,
    pub(crate) log: &'a mut String,
    /// What went wrong with the request, until the reply is over.
    pub(crate) failure: &'a mut String,
    pub(crate) waker: &'a Waker,
    pub(crate) is_upgradable: bool,
    pub(crate) date: &'a mut LastDate,
    /// How many bytes of content the handler has written in this call.
    pub(crate) written: usize,
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Exchange")
            .field("client_address", &self.peer)
            .field("request_line", &self.head.request_line())
            .finish_non_exhaustive()
    }
}

impl<'a> Exchange<'a> {
    /// The same reply, to another request.
    pub(crate) fn with_head<'b>(&'b mut self, head: &'b RequestHead) -> Exchange<'b> {
        Exchange {
            head,
            peer: self.peer,
            expects: self.expects,
            has_unread_content: self.has_unread_content,
            config: self.config,
            now: self.now,
            reply: self.reply,
            outbox: self.outbox,
            log: self.log,
            failure: self.failure,
            waker: self.waker,
            is_upgradable: self.is_upgradable,
            date: self.date,
            written: self.written,
        }
    }

    /// The method: `GET`. Case counts.
    #[must_use]
    pub fn command(&self) -> &'a str {
        self.head.method()
    }

    /// The path of the request target, with its query: `/a%20b?query`; see
    /// [`RequestHead::path`](crate::wire::RequestHead::path). As with Python, slashes at its start count as one.
    /// [`Path::parse`](crate::Path::parse) makes it the name of a file.
    #[must_use]
    pub fn path(&self) -> &'a str {
        let path = self.head.path();
        if path.as_bytes().get(1) != Some(&b'/') {
            return path;
        }
        let slashes = path.len() - path.trim_start_matches('/').len();
        &path[slashes.saturating_sub(1)..]
    }

    /// The request line as it came, without its end.
    #[must_use]
    pub fn requestline(&self) -> &'a str {
        self.head.request_line()
    }

    /// The version that the peer speaks.
    #[must_use]
    pub fn request_version(&self) -> Version {
        self.head.version()
    }

    /// The first field of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.head.field(name)
    }

    /// All fields, in the order in which they came.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.head.fields().iter()
    }

    /// The values of all fields of this name, in any case.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.head.get_all(name)
    }

    /// Returns what wakes this connection while its handler [waits](crate::Next::Wait). Clone it for whatever has something to tell the
    /// handler later: a thread, a task, a channel. It may be woken at any time, from any thread.
    #[must_use]
    pub fn waker(&self) -> &'a Waker {
        self.waker
    }

    /// Returns whether the handler may take the connection over by [`Next::Upgrade`](crate::Next::Upgrade).
    #[must_use]
    pub fn can_upgrade(&self) -> bool {
        self.is_upgradable
    }

    /// Returns the user and the password that come with the request by `Basic` authentication (RFC 7617). Whether they are right
    /// is not known yet.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        Credentials::in_head(self.head)
    }

    /// The peer's address, without a port, as the adapter gave it.
    #[must_use]
    pub fn client_address(&self) -> &'a str {
        self.peer
    }

    /// Whether the peer waits for a word before it sends content (RFC 9110 §10.1.1). It gets it
    /// with [`Next::Body`](crate::Next::Body); to refuse, reply with 417 or another error instead.
    #[must_use]
    pub fn expects_100(&self) -> bool {
        self.expects
    }

    /// What the `Server` field says.
    #[must_use]
    pub fn version_string(&self) -> &'a str {
        &self.config.server
    }

    /// The version that this server speaks, as it stands in a status line.
    #[must_use]
    pub fn protocol_version(&self) -> &'static str {
        self.config.protocol.as_str()
    }

    /// The time of this step.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Starts the reply: logs the request, writes the status line with the status's own phrase,
    /// then `Server` and `Date`.
    pub fn send_response(&mut self, status: u16) {
        let phrase = status::known_phrase(status).unwrap_or_default();
        self.log_request(status, "-");
        if self.start_line(status) {
            self.outbox.push(phrase.as_bytes());
            self.outbox.push(b"\r\n");
        }
        self.send_first_fields();
    }

    /// The same with another phrase.
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
            let date = *self.date.format(unix);
            self.send_trusted("Date: ", &date);
        }
    }

    /// Starts the reply with the status line and nothing else, not even a log line. With a status
    /// below 200 it is an interim reply: [`end_headers`](Self::end_headers) ends it, and another
    /// follows.
    pub fn send_response_only(&mut self, status: u16, phrase: impl Display) {
        self.status_line(status, &phrase);
    }

    /// Writes what stands before the phrase, if it is time for that.
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
            // Nearly all of them, and one piece.
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
    /// A name that is no token (RFC 9110 §5.1), a line break, a NUL or a character above U+00FF are
    /// mistakes that the peer gets to see as a 500, and nothing of them. So is a `Content-Length` that is not one number, and any
    /// `Transfer-Encoding`: [`end_headers`](Self::end_headers) decides that.
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

    /// Ends the head and so decides how the content is framed (RFC 9112 §6.3): by the
    /// `Content-Length` that was sent, else in chunks if the peer knows them, else by closing.
    pub fn end_headers(&mut self) {
        if self.reply.stage != Stage::Head {
            return self
                .reply
                .record_fault("called end_headers() outside of a head");
        }
        let modern = self.config.protocol == Protocol::Http11;
        let framing = match self.reply.content_length {
            _ if self.has_no_content() => Framing::Empty,
            Some(length) => Framing::Length(length),
            None if modern && self.request_version() == Version::Http11 => Framing::Chunked,
            None => Framing::Close,
        };
        match framing {
            Framing::Chunked => self.field("Transfer-Encoding", &"chunked"),
            Framing::Close => self.reply.close_for(CloseReason::Error),
            _ => {}
        }
        // Who answers before the content was asked for will hardly ask for it then.
        if self.has_unread_content && self.reply.status >= 200 {
            self.reply.close_for(CloseReason::Error);
        }
        // RFC 9112 §9.6: who closes says so; §9.3: HTTP/1.0 is told that the connection stays.
        let Exchange { reply, config, .. } = self;
        let silent = reply.close.is_none()
            && !config.keep_alive
            && self.request_version() == Version::Http11;
        if modern && !silent && !self.reply.has_connection_field && self.reply.status >= 200 {
            self.send_connection();
        }
        self.outbox.push(b"\r\n");
        self.reply.end_head(framing, self.outbox);
    }

    /// Whether the reply has no content because the request is HEAD.
    fn answers_head(&self) -> bool {
        self.command() == "HEAD" || self.reply.to_head
    }

    /// Whether the reply has no content, whatever its fields say (RFC 9112 §6.3).
    fn has_no_content(&self) -> bool {
        let status = self.reply.status;
        let connects = self.command() == "CONNECT" && matches!(status, 200..=299);
        self.answers_head() || connects || matches!(status, ..200 | 204 | 304)
    }

    /// Says whether the connection stays open, and for how long if [`Config::keep_alive`] is set.
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

    /// Adds content. It is framed as [`end_headers`](Self::end_headers) decided, and dropped where
    /// the reply has none, as after HEAD.
    ///
    /// In one call of [`begin`](crate::Handler::begin) or [`resume`](crate::Handler::resume) a handler may write
    /// [`Limits::outbox`](crate::Limits::outbox) bytes in all and a quarter of that, 40 KiB by default. More is a
    /// mistake that becomes a 500: the connection never holds a large page. Return
    /// [`Next::Write`](crate::Next::Write) for content that is larger, or [`Next::Flush`](crate::Next::Flush) between
    /// the pieces of what is made piece by piece.
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

    /// Returns whether so much was written, [`Limits::outbox`](crate::Limits::outbox) bytes, that the peer should take
    /// it first: return [`Next::Flush`](crate::Next::Flush) before the next [`write`](Self::write).
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.outbox.len().max(self.written) >= self.config.limits.outbox
    }

    /// How many bytes may always be written where [`wants_flush`](Self::wants_flush) does not want to.
    pub(crate) fn write_max_before_flush(&self) -> usize {
        self.config.limits.outbox / 4
    }

    /// Logs the request with the status of its reply and the size of that, or `-`.
    /// [`send_response`](Self::send_response) does it by itself.
    pub fn log_request(&mut self, status: impl Display, size: impl Display) {
        let (status, size) = (&status, &size);
        self.record(LogEvent::Request { status, size });
    }

    /// Logs what went wrong. [`send_error`](Self::send_error) does it by itself.
    pub fn log_error(&mut self, message: impl Display) {
        self.record(LogEvent::Message(&message));
    }

    /// Adds a line to the log, under the peer's address and the time. Control characters in it are
    /// escaped. [`Config::log_format`] decides how it looks.
    pub fn log_message(&mut self, message: impl Display) {
        self.record(LogEvent::Message(&message));
    }

    /// Logs why the reply breaks off. If the log knows already that it is over, this is a line of its own.
    pub(crate) fn log_failure(&mut self, message: &dyn Display) {
        if self.reply.status == 0 || self.reply.logged {
            self.log_message(message);
        } else {
            self.record_failure(LogEvent::Failure(message), message);
        }
    }

    /// Logs the rule by which the request was refused, if that was one.
    pub(crate) fn log_refusal(&mut self, refusal: Option<Refusal>) {
        if let Some(refusal) = refusal {
            self.record_failure(LogEvent::Refused(refusal), &refusal);
        }
    }

    /// Has something logged that went wrong with the request. It is remembered until the reply is over.
    pub(crate) fn record_failure(&mut self, event: LogEvent<'_>, message: &dyn Display) {
        if !self.failure.is_empty() {
            self.failure.push_str("; ");
        }
        let written = write!(self.failure, "{message}");
        written.expect("a string takes everything");
        self.record(event);
    }

    /// Has something logged.
    pub(crate) fn record(&mut self, event: LogEvent<'_>) {
        let unix = self.now.unix;
        let record = LogRecord {
            client_address: self.peer,
            request: self.head,
            unix,
            offset: unix.map_or(0, |unix| (self.config.local_offset)(unix)),
            authenticated: self.reply.authenticated,
            event,
        };
        (self.config.log_format)(&record, self.log).expect("a string takes everything");
    }

    /// Closes the connection after this reply. Call it before [`end_headers`](Self::end_headers),
    /// so that the peer is told.
    pub fn close_connection(&mut self) {
        self.reply.close_for(CloseReason::Handler);
    }
}

/// Writes one byte for each character up to U+00FF: the encoding of a head. A line break, a NUL
/// or a character beyond cannot stand there and is an error.
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
