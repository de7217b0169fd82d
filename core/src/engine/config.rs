//! Everything that can be set about a connection: plain numbers with safe defaults.
//!
//! There is no way to say "no limit" or "no deadline" by leaving something out.

use core::fmt;
use core::time::Duration;

use crate::engine::error_page::ErrorPage;
use crate::engine::log::LogFormat;
use crate::engine::{error_page, log};
use crate::wire;

/// What a connection is told when it is made. `Copy`, so that it needs no lock and no lifetime.
///
/// ```
/// use sanserve_core::{Config, Limits, Protocol, log};
///
/// let config = Config {
///     protocol: Protocol::Http11,
///     log_format: log::combined,
///     limits: Limits { content: 10 << 20, ..Limits::default() }, // 10 MiB, then 413
///     ..Config::default()
/// };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The version that is spoken: with HTTP/1.0, the default of `http.server`, every connection
    /// serves one request; HTTP/1.1 keeps it open.
    pub protocol: Protocol,
    /// The value of the `Server` field.
    pub server: &'static str,
    /// Writes the page of an error; CPython's if nothing is said, [`error_page::page`] is one in the
    /// dress of our listings. It is called twice, first to
    /// measure it, and must write the same both times.
    pub error_page: fn(&ErrorPage<'_>, &mut dyn fmt::Write) -> fmt::Result,
    /// The media type of that page.
    pub error_content_type: &'static str,
    /// How log lines look; as CPython's if nothing is said.
    pub log_format: LogFormat,
    /// How many seconds local time is ahead of UTC at that moment, for the time in log lines.
    pub local_offset: fn(unix: i64) -> i32,
    /// How much is taken from the peer.
    pub limits: Limits,
    /// How long the peer is waited for.
    pub timeouts: Timeouts,
    /// Whether a reply after which the connection stays open says for how long: `Keep-Alive: timeout=54` (RFC 2068
    /// §19.7.1.1), nine tenths of [`Timeouts::idle`] in whole seconds, so that a client which sends its next request at the last moment
    /// does not meet the end of the connection. `Connection: keep-alive` comes with it, since that has to name the
    /// field (RFC 9110 §7.6.1). It is off by default, as in CPython.
    pub keep_alive: bool,
    /// Whether the error page is also sent in answer to HEAD where the request line is too long or cannot be understood. CPython
    /// does so, since it does not know the method then; a client does not expect it (RFC 9110 §9.3.2). It is not by
    /// default.
    pub page_for_bad_head: bool,
}

/// The protocol version that a server announces and keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// `HTTP/1.0`: the reply ends with the connection.
    #[default]
    Http10,
    /// `HTTP/1.1`: connections are kept open, contents may come in chunks.
    Http11,
}

impl Protocol {
    /// As it stands in a status line.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Http10 => "HTTP/1.0",
            Protocol::Http11 => "HTTP/1.1",
        }
    }
}

/// How much is taken from the peer, in bytes where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The head of a request: a request line of more than 65,536 bytes gets 414, more than 65,536 bytes of fields or
    /// more than 100 fields get 431.
    pub head: wire::Limits,
    /// Content of a request that a handler reads or a program is given; more gets 413.
    pub content: u64,
    /// Content of a request that nobody read, thrown away to keep the connection. Where there is
    /// more, the connection closes.
    pub drain: u64,
    /// Requests on one connection; the last one is told that it is the last.
    pub requests: u32,
    /// What is collected for the peer before it has to take some of it. A file that fits in leaves
    /// in one write with its head.
    pub outbox: usize,
}

/// How long the peer is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the first byte of a request; then the connection closes without a word.
    pub idle: Duration,
    /// An idle connection gives back its buffers after this time.
    pub rest: Duration,
    /// For a whole head, from its first byte on, however it drips; then 408.
    pub head: Duration,
    /// For content and for replies: this much time, and one second more for every `rate` bytes
    /// that have been moved.
    pub grace: Duration,
    /// The least rate in bytes a second, see `grace`.
    pub rate: u32,
    /// How much the system of a client may have acknowledged before its program reads it, in bytes: its receive
    /// buffer, 256 KiB by default. Where the adapter can say what was acknowledged
    /// ([`Connection::delivered`](crate::Connection::delivered)), a client that reads at least `rate` and has
    /// no larger buffer is never taken for too slow, and one that stops reading has up to this many bytes
    /// divided by `rate` in addition to `grace`: 554 s in all by default.
    pub receive_buffer: u32,
    /// For the peer to take notice that the connection closes, after the whole reply was acknowledged. As long as part of it was
    /// not, the connection stays as it does for a reader, see `grace`.
    pub linger: Duration,
    /// For an answer of the file system, where the adapter can let go of it; then 504. A program has this time
    /// again after each byte on its standard output, but not after a line on its standard error.
    pub ask: Duration,
    /// For the output of a program, or for bytes of a file that takes long work, when the peer has closed its side
    /// of the connection; then that is ended. 2 s by default. A client that has gone looks the same as one that still reads, until something is sent.
    pub half_closed: Duration,
    /// For the next bytes of a file or a program that reports again and again that it is at work
    /// ([`Got::Note`](crate::Got::Note)), each time within `ask`; then 504. One hour by default.
    pub work: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            protocol: Protocol::default(),
            server: concat!("sanserve/", env!("CARGO_PKG_VERSION")),
            error_page: error_page::python,
            error_content_type: "text/html;charset=utf-8",
            log_format: log::python,
            local_offset: |_| 0,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            keep_alive: false,
            page_for_bad_head: false,
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
    /// Returns the seconds for which a client may count on an idle connection, 0 if on none.
    pub(crate) fn promised_idle(&self) -> u64 {
        let seconds = self.idle.as_secs();
        seconds - seconds.div_ceil(10)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            idle: Duration::from_secs(60),
            rest: Duration::from_millis(50),
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
