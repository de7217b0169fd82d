//! Logs requests that are refused by a rule: the line names the rule and the option that changes it, and the client
//! gets the reply for a missing file.

use std::fmt::{self, Display, Write};

use sanserve_core::log::{self, LogEvent, LogRecord, Refusal};
use sanserve_core::wire::RequestHead;
use sanserve_core::{Config, Path};

use super::options::{LogFormat, Options};

/// Sets the log format of the options.
pub(super) fn with_log_format(config: Config, options: &Options) -> Config {
    let format: Format = match options.log_format {
        LogFormat::Python => log::python,
        LogFormat::Combined => log::combined,
        // The JSON object of the request has the reason.
        LogFormat::Json => return config.with_log_format(log::json),
    };
    let prefix = options.prefix.clone();
    config.with_log_format(move |record, out| with_hint(format, prefix.as_deref(), record, out))
}

/// A log format of the library.
type Format = fn(&LogRecord<'_>, &mut dyn Write) -> fmt::Result;

fn with_hint(
    format: Format,
    prefix: Option<&str>,
    record: &LogRecord<'_>,
    out: &mut dyn Write,
) -> fmt::Result {
    let LogEvent::Refused(refusal) = record.event else {
        return format(record, out);
    };
    let refusal = RefusalWithHint::new(refusal, record.request, prefix);
    let event = LogEvent::Message(&refusal);
    format(&LogRecord { event, ..*record }, out)
}

/// `refused: a name in the path begins with a dot; --hidden serves it`.
pub(super) struct RefusalWithHint<'a> {
    refusal: Refusal,
    /// Whether the request is a GET or HEAD. No option allows storing files with these names.
    is_read: bool,
    /// The path of `--prefix`, if that of the request is not below it.
    outside: Option<&'a str>,
}

impl<'a> RefusalWithHint<'a> {
    pub(super) fn new(
        refusal: Refusal,
        request: &RequestHead,
        prefix: Option<&'a str>,
    ) -> RefusalWithHint<'a> {
        let is_outside = |prefix: &&str| {
            let path = Path::parse(request.path());
            path.zip(Path::parse(prefix))
                .is_some_and(|(path, prefix)| path.below(&prefix).is_none())
        };
        RefusalWithHint {
            refusal,
            is_read: matches!(request.method(), "GET" | "HEAD"),
            outside: prefix.filter(is_outside),
        }
    }
}

impl Display for RefusalWithHint<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Refusal::Name, Some(prefix)) = (self.refusal, self.outside) {
            return write!(out, "refused: the path is not below --prefix {prefix}");
        }
        write!(out, "refused: {}", self.refusal)?;
        match self.refusal {
            Refusal::Hidden => out.write_str("; --hidden serves it"),
            Refusal::OutsideRoot if self.is_read => out.write_str("; --follow-symlinks serves it"),
            _ => Ok(()),
        }
    }
}
