//! [`StderrLog`]: turns the standard error of a CGI process into lines for the log, up to a limit.

/// Lines to be logged.
#[derive(Debug)]
pub(super) struct StderrLog {
    text: Vec<u8>,
    /// The number of bytes that are still accepted from the process.
    remaining: usize,
    truncated: bool,
}

impl StderrLog {
    pub(super) fn new() -> StderrLog {
        StderrLog {
            text: Vec::new(),
            remaining: STDERR_MAX,
            truncated: false,
        }
    }

    /// Adds output of the process, up to a limit.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(self.remaining);
        self.text.extend_from_slice(&bytes[..n]);
        self.remaining -= n;
        if n < bytes.len() && !self.truncated {
            self.truncated = true;
            self.push_line("(and more on standard error)");
        }
    }

    /// Adds a line.
    pub(super) fn push_line(&mut self, line: &str) {
        if self.text.last().is_some_and(|&byte| byte != b'\n') {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
    }

    /// Takes the complete lines, if there are any.
    pub(super) fn lines(&mut self) -> Option<String> {
        let end = self.text.iter().rposition(|&byte| byte == b'\n')? + 1;
        let lines: Vec<u8> = self.text.drain(..end).collect();
        Some(String::from_utf8_lossy(&lines).into_owned())
    }

    /// Takes everything that is left.
    pub(super) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.text);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

/// The maximum number of bytes logged for a process.
const STDERR_MAX: usize = 16 * 1024;
