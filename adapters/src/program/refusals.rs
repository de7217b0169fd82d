//! The formats of the log, with a line for each request that is refused by a rule: which one it was, and which option
//! changes it. The client is told that there is nothing.

use std::fmt::{self, Display, Write};

use sanserve_core::log::{self, LogEvent, LogFormat, LogRecord, Refusal};

use super::options;

/// The format that the options ask for.
pub(super) fn log_format(format: options::LogFormat) -> LogFormat {
    match format {
        options::LogFormat::Python => |record, out| worded(log::python, record, out),
        options::LogFormat::Combined => |record, out| worded(log::combined, record, out),
        // It has the reason in the object of the request.
        options::LogFormat::Json => log::json,
    }
}

fn worded(format: LogFormat, record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    let LogEvent::Refused(refusal) = record.event else {
        return format(record, out);
    };
    let event = LogEvent::Message(&Worded(refusal));
    format(&LogRecord { event, ..*record }, out)
}

/// `refused: a name in the path begins with a dot; --hidden serves it`.
struct Worded(Refusal);

impl Display for Worded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "refused: {}", self.0)?;
        match self.0 {
            Refusal::Hidden => out.write_str("; --hidden serves it"),
            Refusal::LeadsOut => out.write_str("; --follow-symlinks serves it"),
            _ => Ok(()),
        }
    }
}
