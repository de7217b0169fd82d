//! The settings of a connection: [`Config`], with [`Limits`] and [`Timeouts`]. All have safe defaults, and no limit or
//! timeout can be switched off.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Debug};
use core::time::Duration;

use crate::engine::error_page::{ErrorPage, WriteErrorPage};
use crate::engine::log::{LogFormat, LogRecord};
use crate::engine::{Client, FindClient, error_page, log};
use crate::sync::{Arc, share};
use crate::wire::{self, RequestHead};

/// The settings of a connection. A server shares one `Arc<Config>` among its connections;
/// [`Connection::new`](crate::Connection::new) takes that or a `Config`.
///
/// Start from the [default](Config::default) and change what should differ, field by field or with the `with_` methods.
///
/// ```
/// use sanserve_core::{Config, Limits, Protocol, log};
///
/// let config = Config::default()
///     .with_protocol(Protocol::Http11)
///     .with_log_format(log::combined)
///     .with_limits(Limits::default().with_content(10 << 20)); // 10 MiB, then 413
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The protocol version that the server speaks: with HTTP/1.0 every connection serves one request, HTTP/1.1 keeps
    /// it open. HTTP/1.0 by default, as in `http.server`.
    pub protocol: Protocol,
    /// The value of the `Server` field. `sanserve/` and the version of this crate by default.
    pub server: Cow<'static, str>,
    /// Writes the page of an error. [`error_page::python`] by default; [`error_page::page`] is styled like our
    /// listings. It is called twice, first to measure the page, and must write the same both times.
    pub error_page: WriteErrorPage,
    /// The media type of [`error_page`](Self::error_page). `text/html;charset=utf-8` by default.
    pub error_content_type: Cow<'static, str>,
    /// Further fields of all error replies, such as those that restrict what a browser does with the page. The fields
    /// that an error reply has of its own must not be among them. None by default.
    pub error_headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Writes the log lines. [`log::python`] by default.
    pub log_format: LogFormat,
    /// Returns the offset of local time from UTC in seconds, for the time in log lines. 0 by default.
    pub local_offset: LocalOffset,
    /// How much a connection accepts from the peer.
    pub limits: Limits,
    /// How long a connection waits.
    pub timeouts: Timeouts,
    /// Whether a reply that keeps the connection open announces for how long: `Keep-Alive: timeout=54` (RFC 2068
    /// §19.7.1.1), which is nine tenths of [`Timeouts::idle`] in whole seconds, so that a client that sends its next
    /// request at the last moment still finds the connection open. `Connection: keep-alive` is sent with it, as it has
    /// to name the field (RFC 9110 §7.6.1). Off by default, as in CPython.
    pub keep_alive: bool,
    /// Whether the reply to a HEAD request whose request line is too long or malformed includes the error page. CPython
    /// sends it, because it does not know the method at that point; clients do not expect it (RFC 9110 §9.3.2). Off by
    /// default.
    pub page_for_bad_head: bool,
    /// Finds the client of a request that a proxy has forwarded, as [`TrustedProxies`](crate::TrustedProxies) does. Not
    /// set by default: the peer is the client. It is not called for a head that cannot be parsed.
    pub find_client: Option<FindClient>,
}

/// A function that returns the offset of local time from UTC in seconds (positive east of Greenwich) at a time given in
/// seconds since 1970.
pub type LocalOffset = Arc<dyn Fn(i64) -> i32 + Send + Sync>;

impl Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Functions are not `Debug`.
        out.debug_struct("Config")
            .field("protocol", &self.protocol)
            .field("server", &self.server)
            .field("error_content_type", &self.error_content_type)
            .field("error_headers", &self.error_headers)
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .field("keep_alive", &self.keep_alive)
            .field("page_for_bad_head", &self.page_for_bad_head)
            .finish_non_exhaustive()
    }
}

/// The protocol version that a server announces and adheres to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// `HTTP/1.0`: one request per connection; the connection closes after the reply.
    #[default]
    Http10,
    /// `HTTP/1.1`: connections are kept open, and replies may be chunked.
    Http11,
}

impl Protocol {
    /// Returns the version as it is written in a status line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Http10 => "HTTP/1.0",
            Protocol::Http11 => "HTTP/1.1",
        }
    }
}

/// How much a connection accepts from the peer. No limit can be switched off.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The head of a request. By default a request line of more than 65,536 bytes gets 414, and more than 65,536 bytes
    /// of fields or more than 100 fields get 431.
    pub head: wire::Limits,
    /// The content of a request that a handler or a CGI script may read, in bytes; more gets 413. 1 GiB (1,073,741,824)
    /// by default.
    pub content: u64,
    /// The unread content of a request that is discarded to keep the connection open, in bytes. If there is more, the
    /// connection closes. 65,536 by default.
    pub drain: u64,
    /// The number of requests on one connection. The reply to the last one announces that the connection closes. 1,000
    /// by default.
    pub requests: u32,
    /// The size of the output buffer in bytes. A file that fits is sent in one write together with the head of the
    /// reply. 32 KiB (32,768) by default; at least 512.
    pub outbox: usize,
}

/// How long a connection waits. No timeout can be switched off.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timeouts {
    /// The wait for the first byte of a request, after which the connection closes without a reply. 60 s by default.
    pub idle: Duration,
    /// The time after which an idle connection frees its buffers and [can be parked](crate::Connection::can_park). 50
    /// ms by default.
    pub park: Duration,
    /// The time from the first byte of a request head to its last, after which the reply is 408. 30 s by default.
    pub head: Duration,
    /// The time that request content and replies may take, plus one second for every [`rate`](Self::rate) bytes that
    /// have been transferred. 30 s by default.
    pub grace: Duration,
    /// The minimum transfer rate in bytes per second, see [`grace`](Self::grace). 500 by default.
    pub rate: u32,
    /// The size of the client's receive buffer in bytes, whose content its system has acknowledged before the client
    /// reads it. 256 KiB (262,144) by default. Where the adapter reports acknowledgements
    /// ([`Connection::delivered`](crate::Connection::delivered)), a client that reads at least at [`rate`](Self::rate)
    /// and has no larger buffer is never considered too slow, and a client that stops reading has up to this many bytes
    /// divided by the rate in addition to [`grace`](Self::grace), 554 s by default, and at most twice that after it was
    /// quick.
    pub receive_buffer: u32,
    /// How long a connection that is about to close waits for the peer to close first. If part of the last reply is
    /// still unacknowledged after that time, and the peer is not too slow by [`grace`](Self::grace), the connection
    /// waits for this time again. So it closes at most this long after the peer has acknowledged everything. 2 s by
    /// default.
    pub linger: Duration,
    /// The time for an answer of the file system, after which the reply is 504, if the adapter can abandon the call.
    /// For a CGI process it starts again with each byte on standard output, but not with a line on standard error. 30 s
    /// by default.
    pub ask: Duration,
    /// The time in which a CGI process, or a file that takes long to produce, must yield bytes after the peer has
    /// closed its side of the connection; then the work is ended. Until something is sent, a client that has gone
    /// cannot be told from one that still reads. 2 s by default.
    pub half_closed: Duration,
    /// The time for the next bytes of a file or CGI process that keeps reporting, each time within [`ask`](Self::ask),
    /// that it is still working ([`Got::Working`](crate::Got::Working)); then 504. One hour (3,600 s) by default.
    pub work: Duration,
}

/// Methods that set one field each, and can be chained.
macro_rules! setters {
    ($($field:ident: $type:ty => $setter:ident;)*) => {$(
        #[doc = concat!("Returns these settings with another [`", stringify!($field), "`](Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $setter(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }
    )*};
}

impl Config {
    setters! {
        protocol: Protocol => with_protocol;
        limits: Limits => with_limits;
        timeouts: Timeouts => with_timeouts;
        keep_alive: bool => with_keep_alive;
        page_for_bad_head: bool => with_page_for_bad_head;
    }

    /// Returns these settings with another [`server`](Self::server).
    #[must_use]
    pub fn with_server(mut self, server: impl Into<Cow<'static, str>>) -> Self {
        self.server = server.into();
        self
    }

    /// Returns these settings with another [`error_page`](Self::error_page).
    #[must_use]
    pub fn with_error_page(
        mut self,
        error_page: impl Fn(&ErrorPage<'_>, &mut dyn fmt::Write) -> fmt::Result + Send + Sync + 'static,
    ) -> Self {
        self.error_page = share(Box::new(error_page));
        self
    }

    /// Returns these settings with another [`error_content_type`](Self::error_content_type).
    #[must_use]
    pub fn with_error_content_type(mut self, media_type: impl Into<Cow<'static, str>>) -> Self {
        self.error_content_type = media_type.into();
        self
    }

    /// Returns these settings with other [`error_headers`](Self::error_headers).
    #[must_use]
    pub fn with_error_headers(
        mut self,
        error_headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    ) -> Self {
        self.error_headers = error_headers;
        self
    }

    /// Returns these settings with another [`log_format`](Self::log_format).
    #[must_use]
    pub fn with_log_format(
        mut self,
        log_format: impl Fn(&LogRecord<'_>, &mut dyn fmt::Write) -> fmt::Result + Send + Sync + 'static,
    ) -> Self {
        self.log_format = share(Box::new(log_format));
        self
    }

    /// Returns these settings with this [`find_client`](Self::find_client).
    #[must_use]
    pub fn with_find_client(
        mut self,
        find_client: impl Fn(&RequestHead, &str, &mut Client) + Send + Sync + 'static,
    ) -> Self {
        self.find_client = Some(share(Box::new(find_client)));
        self
    }

    /// Returns these settings with another [`local_offset`](Self::local_offset).
    #[must_use]
    pub fn with_local_offset(
        mut self,
        local_offset: impl Fn(i64) -> i32 + Send + Sync + 'static,
    ) -> Self {
        self.local_offset = share(Box::new(local_offset));
        self
    }
}

impl Limits {
    setters! {
        head: wire::Limits => with_head;
        content: u64 => with_content;
        drain: u64 => with_drain;
        requests: u32 => with_requests;
        outbox: usize => with_outbox;
    }
}

impl Timeouts {
    setters! {
        idle: Duration => with_idle;
        park: Duration => with_park;
        head: Duration => with_head;
        grace: Duration => with_grace;
        rate: u32 => with_rate;
        receive_buffer: u32 => with_receive_buffer;
        linger: Duration => with_linger;
        ask: Duration => with_ask;
        half_closed: Duration => with_half_closed;
        work: Duration => with_work;
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            protocol: Protocol::default(),
            server: Cow::Borrowed(concat!("sanserve/", env!("CARGO_PKG_VERSION"))),
            error_page: share(Box::new(error_page::python)),
            error_content_type: Cow::Borrowed("text/html;charset=utf-8"),
            error_headers: Vec::new(),
            log_format: share(Box::new(log::python)),
            local_offset: share(Box::new(|_| 0)),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            keep_alive: false,
            page_for_bad_head: false,
            find_client: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head: wire::Limits::new(),
            content: 1 << 30,
            drain: 65_536,
            requests: 1_000,
            outbox: 32 * 1024,
        }
    }
}

impl Timeouts {
    /// Returns the idle timeout to announce to clients, in seconds; 0 for none.
    pub(crate) fn promised_idle(&self) -> u64 {
        let seconds = self.idle.as_secs();
        seconds - seconds.div_ceil(10)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            idle: Duration::from_secs(60),
            park: Duration::from_millis(50),
            head: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            rate: 500,
            receive_buffer: 256 * 1024,
            linger: Duration::from_secs(2),
            ask: Duration::from_secs(30),
            half_closed: Duration::from_secs(2),
            work: Duration::from_secs(3600),
        }
    }
}
