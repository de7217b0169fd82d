//! Log events and log formats: [`LogEvent`], and the formats [`python`], [`combined`] and [`json`], or one of your own.
//!
//! The engine reports each event as it happens; a format writes a line about it or ignores it.

use alloc::string::String;
use core::fmt::{self, Debug, Display, Write};
use core::time::Duration;

use crate::fs::{Credentials, FsError};
use crate::sync::Arc;
use crate::text::date;
use crate::text::escape::{Json, Log, Quoted, Word, logged};
use crate::wire::RequestHead;

/// An event to log, with its context.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "adapters that log for themselves write it as a literal"
)]
pub struct LogRecord<'a> {
    /// The client's address: that of the peer, as the adapter gave it, or the one that
    /// [`Config::find_client`](crate::Config::find_client) has found.
    pub client_address: &'a str,
    /// The request, or as much of it as could be parsed.
    pub request: &'a RequestHead,
    /// Seconds since 1970, if the machine knows the date.
    pub unix: Option<i64>,
    /// The offset of local time from UTC at that moment, in seconds (positive east of Greenwich).
    pub offset: i32,
    /// Whether a [`Guard`](crate::Guard) has verified the credentials of the request.
    pub authenticated: bool,
    /// What happened.
    pub event: LogEvent<'a>,
}

impl LogRecord<'_> {
    /// Returns the name of the user, if a [`Guard`](crate::Guard) has verified the credentials.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        let credentials = self
            .authenticated
            .then(|| Credentials::in_head(self.request));
        Some(credentials??.user().into())
    }
}

/// What happened.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum LogEvent<'a> {
    /// A reply begins, which is when CPython logs a request.
    Request {
        /// The status of the reply, or the text that the handler gave for it.
        status: &'a dyn Display,
        /// The size of the reply, or `-` if it is not known yet.
        size: &'a dyn Display,
    },
    /// A reply has ended, which is when other servers log a request.
    Reply {
        /// The status of the reply.
        status: u16,
        /// The bytes of content that were sent, without chunked framing.
        bytes: u64,
        /// The time since the complete head of the request had arrived.
        time: Duration,
        /// Whether the whole reply was sent. If not, the connection broke.
        complete: bool,
        /// Why the connection closes after the reply; `None` if it stays open.
        close: Option<CloseReason>,
        /// The messages of the [`Error`](LogEvent::Error), [`Failure`](LogEvent::Failure) and
        /// [`Refused`](LogEvent::Refused) events of this request, if any, so that one line can contain everything.
        failure: Option<&'a str>,
    },
    /// The reply is an error page.
    Error {
        /// The status of the reply.
        status: u16,
        /// A short description of the error.
        message: &'a dyn Display,
    },
    /// Why a request is refused or its reply breaks off, if the error page does not say it. A
    /// [`Reply`](LogEvent::Reply) follows.
    Failure(&'a dyn Display),
    /// The reply hides the reason for a refusal from the client (it looks like a missing file, for example), and this
    /// is the reason. [`json`] includes it in the reply's object; [`python`] and [`combined`] ignore it. A format of
    /// your own can turn it into a [`Message`](Self::Message) that also names the setting to change.
    Refused(Refusal),
    /// The handler made a mistake, for example: `wrote less than Content-Length`. The event that follows, an
    /// [`Error`](Self::Error), a [`Failure`](Self::Failure) or a [`Message`](Self::Message), says so in a sentence,
    /// therefore the formats of this module ignore this one. A format of your own can raise an alert.
    Mistake(&'static str),
    /// Any other message, from a handler, a CGI script or the engine.
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
            LogEvent::Mistake(text) => out.debug_tuple("Mistake").field(text).finish(),
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
    /// The request or its reply failed, or the connection cannot be reused: the content of the reply ends with the
    /// connection, or the content of the request was not read.
    Error,
    /// The limit [`Limits::requests`](crate::Limits::requests) is reached.
    RequestLimit,
    /// The server is shutting down.
    Shutdown,
    /// The request was plain HTTP on an HTTPS port.
    WithoutTls,
}

/// The reason for a 403, 404 or 409 that the reply does not disclose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A name in the path begins with a dot, see [`FileSettings::hidden`](crate::FileSettings::hidden).
    Hidden,
    /// A name in the path is invalid: see [`Path::is_name`](crate::Path::is_name), and [`FsError::InvalidName`] for
    /// names that the file system refuses.
    Name,
    /// A symbolic link leads out of the root.
    OutsideRoot,
    /// The path names neither a file nor a directory.
    NotRegular,
    /// The server has no permission to read it.
    Permission,
    /// The path is a script directory in a different letter case, or is mapped to one.
    Scripts,
}

impl Refusal {
    /// Returns the refusal that corresponds to an error of the file system, if there is one.
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

/// A function that writes a log record: complete lines, each with a newline, or nothing. Text from the peer may contain
/// any character except line breaks, so the format has to escape control characters. If a text from the client needs
/// escapes, the formats of this module quote at most 4,096 bytes of it, followed by `...`.
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

/// Writes the lines of `http.server`: one for a request when its reply begins, and one before it for an error.
///
/// # Errors
/// Returns the errors of the writer.
pub fn python(record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    match record.event {
        LogEvent::Reply { .. } | LogEvent::Refused(_) | LogEvent::Mistake(_) => Ok(()),
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

/// Writes the combined log format of Apache and nginx: one line for each reply, when it has ended. As the format has no
/// field for anything else, messages and failures without an error page, such as a wrong password, get lines as in
/// [`python`].
///
/// # Errors
/// Returns the errors of the writer.
pub fn combined(record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    let (status, bytes) = match record.event {
        LogEvent::Reply { status, bytes, .. } => (status, bytes),
        LogEvent::Failure(_) | LogEvent::Message(_) => return python(record, out),
        LogEvent::Request { .. }
        | LogEvent::Error { .. }
        | LogEvent::Refused(_)
        | LogEvent::Mistake(_) => return Ok(()),
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

/// Writes text to go between quotes, or `-` for none.
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

/// Writes one JSON object per line: one for each reply when it has ended, with failures as the member `error`, and one
/// for each message that is not about the outcome of a request. Times are in UTC, durations in seconds; members without
/// a value are omitted.
///
/// # Errors
/// Returns the errors of the writer.
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
        | LogEvent::Refused(_)
        | LogEvent::Mistake(_) => {}
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

/// Returns the local time as `01/Jan/1970 00:00:00`.
fn local(record: &LogRecord<'_>) -> Option<[u8; 20]> {
    let local = record.unix? + i64::from(record.offset);
    Some(date::format_log(local))
}

fn ascii(date: &(impl AsRef<[u8]> + ?Sized)) -> &str {
    str::from_utf8(date.as_ref()).expect("a date is ASCII")
}
