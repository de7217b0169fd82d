//! The formats of the log, with a line for each request that is refused by a rule: which one it was, and which option
//! changes it. The client is told that there is nothing.

use std::fmt::{self, Display, Write};

use sanserve_core::Config;
use sanserve_core::log::{self, LogEvent, LogRecord, Refusal};

use super::options;

/// Sets the format that the options ask for.
pub(super) fn with_log_format(config: Config, format: options::LogFormat) -> Config {
    match format {
        options::LogFormat::Python => {
            config.with_log_format(|record, out| worded(log::python, record, out))
        }
        options::LogFormat::Combined => {
            config.with_log_format(|record, out| worded(log::combined, record, out))
        }
        // It has the reason in the object of the request.
        options::LogFormat::Json => config.with_log_format(log::json),
    }
}

/// A function of the library that writes log lines.
type Format = fn(&LogRecord<'_>, &mut dyn Write) -> fmt::Result;

fn worded(format: Format, record: &LogRecord<'_>, out: &mut dyn Write) -> fmt::Result {
    let LogEvent::Refused(refusal) = record.event else {
        return format(record, out);
    };
    let reads = matches!(record.request.method(), "GET" | "HEAD");
    let event = LogEvent::Message(&Worded { refusal, reads });
    format(&LogRecord { event, ..*record }, out)
}

/// `refused: a name in the path begins with a dot; --hidden serves it`.
struct Worded {
    refusal: Refusal,
    /// Whether the request is for what is there. No option lets files be stored by these names.
    reads: bool,
}

impl Display for Worded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "refused: {}", self.refusal)?;
        match self.refusal {
            Refusal::Hidden => out.write_str("; --hidden serves it"),
            Refusal::OutsideRoot if self.reads => out.write_str("; --follow-symlinks serves it"),
            _ => Ok(()),
        }
    }
}
