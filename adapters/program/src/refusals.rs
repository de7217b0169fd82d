//! Logs requests that are refused by a rule: the line names the rule and the option that changes it, and the client
//! gets the reply for a missing file.

use std::fmt::{self, Display, Write};

use sanserve_core::Config;
use sanserve_core::log::{self, LogEvent, LogRecord, Refusal};

use super::options;

/// Sets the log format of the options.
pub(super) fn with_log_format(config: Config, format: options::LogFormat) -> Config {
    match format {
        options::LogFormat::Python => {
            config.with_log_format(|record, out| with_hint(log::python, record, out))
        }
        options::LogFormat::Combined => {
            config.with_log_format(|record, out| with_hint(log::combined, record, out))
        }
        // The JSON object of the request has the reason.
        options::LogFormat::Json => config.with_log_format(log::json),
    }
}

/// A log format of the library.
type Format = fn(&LogRecord<'_>, &mut dyn Write) -> fmt::Result;

fn with_hint(format: Format, record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    let LogEvent::Refused(refusal) = record.event else {
        return format(record, out);
    };
    let is_read = matches!(record.request.method(), "GET" | "HEAD");
    let event = LogEvent::Message(&RefusalWithHint { refusal, is_read });
    format(&LogRecord { event, ..*record }, out)
}

/// `refused: a name in the path begins with a dot; --hidden serves it`.
struct RefusalWithHint {
    refusal: Refusal,
    /// Whether the request is a GET or HEAD. No option allows storing files with these names.
    is_read: bool,
}

impl Display for RefusalWithHint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "refused: {}", self.refusal)?;
        match self.refusal {
            Refusal::Hidden => out.write_str("; --hidden serves it"),
            Refusal::OutsideRoot if self.is_read => out.write_str("; --follow-symlinks serves it"),
            _ => Ok(()),
        }
    }
}
