//! What there is to log, and how a line of it looks: [`python`], [`combined`], [`json`], or yours.
//!
//! The engine says what happened when it happens; a format writes a line about it or passes it over.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::{self, Debug, Display, Write};
use core::time::Duration;

use crate::fs::{Credentials, FsError};
use crate::text::date;
use crate::text::escape::{Json, Log, Quoted, Word, logged};
use crate::wire::RequestHead;

/// Something to log, with all that a line may want to tell of it.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "adapters that log for themselves write it as a literal"
)]
pub struct LogRecord<'a> {
    /// The peer's address, as the adapter gave it.
    pub client_address: &'a str,
    /// The request; what was read of it, if it could not be understood.
    pub request: &'a RequestHead,
    /// Seconds since 1970, if the machine knows the date.
    pub unix: Option<i64>,
    /// How many seconds local time is ahead of UTC at that moment.
    pub offset: i32,
    /// Whether a [`Guard`](crate::Guard) has found the credentials of the request right.
    pub authenticated: bool,
    /// What happened.
    pub event: LogEvent<'a>,
}

impl LogRecord<'_> {
    /// Who asks, if a [`Guard`](crate::Guard) has let him in.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        let given = self
            .authenticated
            .then(|| Credentials::in_head(self.request));
        Some(given??.user().into())
    }
}

/// What happened.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum LogEvent<'a> {
    /// A reply begins: CPython's moment to log a request.
    Request {
        /// The status of the reply, or what a handler gave for it.
        status: &'a dyn Display,
        /// Its size; `-` if nobody knows it yet.
        size: &'a dyn Display,
    },
    /// A reply is over: the moment of everybody else.
    Reply {
        /// Its status.
        status: u16,
        /// Bytes of content that were sent, without the framing of chunks.
        bytes: u64,
        /// Since the head of the request was there.
        time: Duration,
        /// Whether that was all of it. If not, the connection broke off.
        complete: bool,
        /// Why the connection closes after it; `None` if it stays open.
        close: Option<CloseReason>,
        /// What went wrong, if anything did: the messages of the [`Error`](LogEvent::Error), the
        /// [`Failure`](LogEvent::Failure) and the [`Refused`](LogEvent::Refused) of this request, so that one line can tell all of it.
        failure: Option<&'a str>,
    },
    /// The reply is an error page that says this.
    Error {
        /// Its status.
        status: u16,
        /// What happened, in a few words.
        message: &'a dyn Display,
    },
    /// Why a request is refused or its reply breaks off, beside what an error page says; a
    /// [`Reply`](LogEvent::Reply) follows.
    Failure(&'a dyn Display),
    /// The request was just answered as if something were not there or could not be, and this is why. The client does not learn
    /// it. In [`json`] it is part of the reply's object; [`python`] and [`combined`] pass it over. A format of your own can make a
    /// [`Message`](Self::Message) of it, and say which setting of yours changes it.
    Refused(Refusal),
    /// Anything else: what a handler, a program or the engine has to say.
    Message(&'a dyn Display),
}

impl Debug for LogEvent<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogEvent::Request { status, size } => out
                .debug_struct("Request")
                .field("status", &format_args!("{status}"))
                .field("size", &format_args!("{size}"))
                .finish(),
            LogEvent::Reply { status, bytes, .. } => out
                .debug_struct("Reply")
                .field("status", status)
                .field("bytes", bytes)
                .finish_non_exhaustive(),
            LogEvent::Error { status, message } => out
                .debug_struct("Error")
                .field("status", status)
                .field("message", &format_args!("{message}"))
                .finish(),
            LogEvent::Failure(text) => write!(out, "Failure({text})"),
            LogEvent::Refused(rule) => out.debug_tuple("Refused").field(rule).finish(),
            LogEvent::Message(text) => write!(out, "Message({text})"),
        }
    }
}

/// Why a connection closes after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The server speaks HTTP/1.0.
    Http10,
    /// The client asked for it, or speaks HTTP/1.0 and did not ask to keep the connection.
    Requested,
    /// The handler asked for it.
    Handler,
    /// The request or its reply went wrong, or the connection cannot be used further: content of unknown length follows, or was not read.
    Error,
    /// It was the last request of [`Limits::requests`](crate::Limits::requests).
    RequestLimit,
    /// The server ends.
    Shutdown,
    /// Plain HTTP came where TLS was expected.
    WithoutTls,
}

/// The rule by which a request is refused, in a 403, 404 or 409 that does not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A name in the path begins with a dot, see [`FileSettings::hidden`](crate::FileSettings::hidden).
    Hidden,
    /// No file can have a name in the path: see [`Path::is_name`](crate::Path::is_name), and
    /// [`FsError::InvalidName`] for what the file system refuses.
    Name,
    /// A link leads out of the tree.
    OutsideRoot,
    /// It is neither a file nor a directory.
    NotRegular,
    /// The server may not read it.
    Permission,
    /// It is a script directory but for its letter case, or is translated into one.
    Scripts,
}

impl Refusal {
    /// What an error of the file system comes to, if it is more than that there is nothing.
    pub(crate) fn of(error: FsError) -> Option<Refusal> {
        match error {
            FsError::InvalidName => Some(Refusal::Name),
            FsError::OutsideRoot => Some(Refusal::OutsideRoot),
            FsError::NotRegularFile => Some(Refusal::NotRegular),
            FsError::Forbidden => Some(Refusal::Permission),
            _ => None,
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Refusal::Hidden => "a name in the path begins with a dot",
            Refusal::Name => "no file here can have that name",
            Refusal::OutsideRoot => "a symbolic link leads out of the directory",
            Refusal::NotRegular => "neither a regular file nor a directory",
            Refusal::Permission => "no permission to read it",
            Refusal::Scripts => "another spelling of a script directory",
        })
    }
}

/// Writes about a record: whole lines, each ended by a newline, or nothing. What the peer sent may
/// hold anything but a line break; that no control character gets through is up to the format. The formats
/// here quote at most 4,096 bytes of a text that the client sent if something in it has to be escaped, with `...`
/// behind them.
///
/// ```
/// use sanserve_core::{Config, log::LogEvent};
///
/// let config = Config::default().with_log_format(|record, out| match record.event {
///     LogEvent::Reply { status, bytes, time, .. } => {
///         writeln!(out, "{} {status} {bytes} {time:?}", record.client_address)
///     }
///     _ => Ok(()),
/// });
/// ```
pub type LogFormat = Arc<dyn Fn(&LogRecord<'_>, &mut dyn Write) -> fmt::Result + Send + Sync>;

/// The lines of `http.server`: a request when its reply begins, an error before that.
///
/// # Errors
/// Those of the writer.
pub fn python(record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    match record.event {
        LogEvent::Reply { .. } | LogEvent::Refused(_) => Ok(()),
        LogEvent::Request { status, size } => {
            let (line, rest) = logged(record.request.request_line());
            message(
                record,
                out,
                format_args!("\"{line}{rest}\" {status} {size}"),
            )
        }
        LogEvent::Error {
            status,
            message: text,
        } => message(record, out, format_args!("code {status}, message {text}")),
        LogEvent::Failure(text) | LogEvent::Message(text) => {
            message(record, out, format_args!("{text}"))
        }
    }
}

fn message(record: &LogRecord<'_>, out: &mut dyn Write, text: fmt::Arguments<'_>) -> fmt::Result {
    let local = local(record);
    let time = local.as_ref().map_or("-", ascii);
    out.write_str(record.client_address)?;
    out.write_str(" - - [")?;
    out.write_str(time)?;
    out.write_str("] ")?;
    Log(out).write_fmt(text)?;
    out.write_char('\n')
}

/// The combined log format of Apache and nginx: a line for each reply, when it is over. It has no place for anything else,
/// so failures that no error page tells, such as a wrong password, and messages get lines as in [`python`].
///
/// # Errors
/// Those of the writer.
pub fn combined(record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    let (status, bytes) = match record.event {
        LogEvent::Reply { status, bytes, .. } => (status, bytes),
        LogEvent::Failure(_) | LogEvent::Message(_) => return python(record, out),
        LogEvent::Request { .. } | LogEvent::Error { .. } | LogEvent::Refused(_) => return Ok(()),
    };
    out.write_str(record.client_address)?;
    out.write_str(" - ")?;
    match record.user().as_deref() {
        None | Some("") => out.write_char('-')?,
        Some(user) => Word(out).write_str(user)?,
    }
    out.write_str(" [")?;
    match local(record) {
        Some(local) => {
            let (day, clock) = local.split_at(11);
            let (sign, minutes) = match record.offset / 60 {
                behind @ ..0 => ('-', -behind),
                ahead => ('+', ahead),
            };
            let (hours, minutes) = (minutes / 60, minutes % 60);
            let (day, clock) = (ascii(day), ascii(&clock[1..]));
            write!(out, "{day}:{clock} {sign}{hours:02}{minutes:02}")?;
        }
        None => out.write_char('-')?,
    }
    out.write_str("] \"")?;
    quoted(out, Some(record.request.request_line()))?;
    write!(out, "\" {status} ")?;
    match bytes {
        0 => out.write_char('-')?,
        _ => write!(out, "{bytes}")?,
    }
    for name in ["Referer", "User-Agent"] {
        out.write_str(" \"")?;
        quoted(out, record.request.field(name))?;
        out.write_char('"')?;
    }
    out.write_char('\n')
}

/// Text as between quotes, or `-` for none.
fn quoted(out: &mut dyn Write, text: Option<&str>) -> fmt::Result {
    match text {
        None | Some("") => out.write_char('-'),
        Some(text) => {
            let (text, rest) = logged(text);
            Quoted(out).write_str(text)?;
            out.write_str(rest)
        }
    }
}

/// An object a line: one for each reply when it is over, with what went wrong as `error`, and one for each message that is
/// not about the outcome of a request. Times are UTC, durations in seconds; members that have no value are left out.
///
/// # Errors
/// Those of the writer.
pub fn json(record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    if !matches!(record.event, LogEvent::Reply { .. } | LogEvent::Message(_)) {
        return Ok(());
    }
    out.write_char('{')?;
    if let Some(unix) = record.unix {
        write!(out, "\"time\":\"{}\",", ascii(&date::format_utc(unix)))?;
    }
    out.write_str("\"client\":\"")?;
    Json(out).write_str(record.client_address)?;
    out.write_char('"')?;
    member(out, "user", record.user().as_deref())?;
    let request = record.request;
    member(out, "request", Some(request.request_line()))?;
    match record.event {
        LogEvent::Reply {
            status,
            bytes,
            time,
            complete,
            failure,
            close: _,
        } => {
            let (seconds, micros) = (time.as_secs(), time.subsec_micros());
            write!(out, ",\"status\":{status},\"bytes\":{bytes}")?;
            write!(out, ",\"seconds\":{seconds}.{micros:06}")?;
            if !complete {
                out.write_str(",\"complete\":false")?;
            }
            member(out, "error", failure)?;
            member(out, "referer", request.field("Referer"))?;
            member(out, "user_agent", request.field("User-Agent"))?;
        }
        LogEvent::Message(text) => {
            out.write_str(",\"message\":\"")?;
            write!(Json(out), "{text}")?;
            out.write_char('"')?;
        }
        LogEvent::Request { .. }
        | LogEvent::Error { .. }
        | LogEvent::Failure(_)
        | LogEvent::Refused(_) => {}
    }
    out.write_str("}\n")
}

fn member(out: &mut dyn Write, name: &str, value: Option<&str>) -> fmt::Result {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(());
    };
    let (value, rest) = logged(value);
    write!(out, ",\"{name}\":\"")?;
    Json(out).write_str(value)?;
    out.write_str(rest)?;
    out.write_char('"')
}

/// `01/Jan/1970 00:00:00`, by the clock on the wall.
fn local(record: &LogRecord<'_>) -> Option<[u8; 20]> {
    let local = record.unix? + i64::from(record.offset);
    Some(date::format_log(local))
}

fn ascii(date: &(impl AsRef<[u8]> + ?Sized)) -> &str {
    str::from_utf8(date.as_ref()).expect("a date is ASCII")
}
