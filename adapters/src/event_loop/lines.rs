//! [`Lines`]: what is to be logged, passed on by many lines at a time.

/// Lines that wait.
pub(super) struct Lines<'a> {
    text: String,
    log: &'a dyn Fn(&str),
}

impl<'a> Lines<'a> {
    /// Lines for that log.
    pub(super) fn new(log: &'a dyn Fn(&str)) -> Lines<'a> {
        Lines {
            text: String::new(),
            log,
        }
    }

    /// Adds finished lines.
    pub(super) fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
        if self.text.len() > MOST {
            self.flush();
        }
    }

    /// Passes on what is there. To be done before anything is waited for.
    pub(super) fn flush(&mut self) {
        if !self.text.is_empty() {
            (self.log)(&self.text);
            self.text.clear();
        }
    }
}

/// So much is kept at most, in bytes.
const MOST: usize = 16 * 1024;
