//! [`LogBuffer`]: collects log lines, so that the log is called once for many of them.

/// Log lines that were not passed on yet.
pub(super) struct LogBuffer<'a> {
    text: String,
    log: &'a dyn Fn(&str),
}

impl<'a> LogBuffer<'a> {
    /// Creates an empty buffer in front of a log.
    pub(super) fn new(log: &'a dyn Fn(&str)) -> LogBuffer<'a> {
        LogBuffer {
            text: String::new(),
            log,
        }
    }

    /// Adds finished lines.
    pub(super) fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
        if self.text.len() > LOG_BUFFER_MAX {
            self.flush();
        }
    }

    /// Passes on all lines. Must be called before the worker blocks.
    pub(super) fn flush(&mut self) {
        if !self.text.is_empty() {
            (self.log)(&self.text);
            self.text.clear();
        }
    }
}

/// The buffer is flushed when it is longer than this, in bytes.
const LOG_BUFFER_MAX: usize = 16 * 1024;
