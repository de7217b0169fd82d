//! Writes the log of a world in Python's format, with a line for each mistake of the handler, and finds these lines.

use std::fmt;
use std::fmt::Write;

use sanserve_core::Config;
use sanserve_core::log::{LogEvent, LogRecord, python};

/// The start of the line for a mistake. Every other line starts with the address of a peer.
const PREFIX: &str = "mistake: ";

/// Sets this format.
pub(super) fn set(config: Config) -> Config {
    config.with_log_format(write)
}

fn write(record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    match record.event {
        LogEvent::Mistake(mistake) => writeln!(out, "{PREFIX}{mistake}"),
        _ => python(record, out),
    }
}

/// Returns the mistakes in a log.
pub(super) fn mistakes(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter_map(|line| line.strip_prefix(PREFIX))
}
