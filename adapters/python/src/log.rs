//! [`Events`]: the log events of the engine for Python, which formats them itself.

use std::fmt::{self, Write};

use sanserve_core::log::{LogEvent, LogRecord};

/// An event as Python gets it: its kind, the request line, the status and a text.
pub(crate) type Event = (&'static str, String, String, String);

/// Separates the parts of an event. It cannot occur in a text, as control characters are no part of a request line.
const SEPARATOR: char = '\u{1e}';

/// Writes an event in a form that [`parse`] reads.
pub(crate) fn format(record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    let line = record.request.request_line();
    let line = line.replace(['\n', SEPARATOR], " ");
    match record.event {
        LogEvent::Request { status, size } => {
            writeln!(
                out,
                "R{SEPARATOR}{line}{SEPARATOR}{status}{SEPARATOR}{size}"
            )
        }
        LogEvent::Error { status, message } => {
            writeln!(
                out,
                "E{SEPARATOR}{line}{SEPARATOR}{status}{SEPARATOR}{message}"
            )
        }
        LogEvent::Failure(text) | LogEvent::Message(text) => {
            writeln!(out, "M{SEPARATOR}{line}{SEPARATOR}{SEPARATOR}{text}")
        }
        _ => Ok(()),
    }
}

/// Parses what [`format`] has written.
pub(crate) fn parse(lines: &str) -> impl Iterator<Item = Event> {
    lines.lines().filter_map(|line| {
        let mut parts = line.splitn(4, SEPARATOR);
        let kind = match parts.next()? {
            "R" => "request",
            "E" => "error",
            _ => "message",
        };
        let mut text = || Some(parts.next()?.to_string());
        Some((kind, text()?, text()?, text()?))
    })
}
