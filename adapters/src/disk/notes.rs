//! [`Notes`]: what a program complains about, and how it ended, for the log.

/// Lines that wait to be logged.
#[derive(Debug)]
pub(super) struct Notes {
    text: Vec<u8>,
    /// How many bytes the program may still say.
    room: usize,
    cut: bool,
}

impl Notes {
    pub(super) fn new() -> Notes {
        Notes {
            text: Vec::new(),
            room: STDERR_MAX,
            cut: false,
        }
    }

    /// Takes what the program wrote to its standard error, as far as there is room. Whoever floods
    /// it is cut short.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(self.room);
        self.text.extend_from_slice(&bytes[..n]);
        self.room -= n;
        if n < bytes.len() && !self.cut {
            self.cut = true;
            self.add("(and more on standard error)");
        }
    }

    /// Adds a line.
    pub(super) fn add(&mut self, line: &str) {
        if self.text.last().is_some_and(|&byte| byte != b'\n') {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
    }

    /// The lines that are complete, if there are any.
    pub(super) fn lines(&mut self) -> Option<String> {
        let end = self.text.iter().rposition(|&byte| byte == b'\n')? + 1;
        let lines: Vec<u8> = self.text.drain(..end).collect();
        Some(String::from_utf8_lossy(&lines).into_owned())
    }

    /// All that is left, if anything is.
    pub(super) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.text);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

/// So much is passed on of what a program writes to its standard error.
const STDERR_MAX: usize = 16 * 1024;
