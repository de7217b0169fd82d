//! Sends error replies with their pages: [`Exchange::send_error`].

use core::fmt::Display;

use super::Exchange;
use crate::engine::log::LogEvent;
use crate::engine::{ErrorPage, Next};
use crate::text::status;

impl Exchange<'_> {
    /// Replies with an error page. `message` replaces the standard phrase of the status, on the page and in the status
    /// line. The connection closes afterwards. A 503 asks the client to wait for a few seconds before it tries again.
    pub fn send_error(&mut self, status: u16, message: impl Display) -> Next {
        self.close_connection();
        self.error(status, &message, status::explanation(status), &mut |_| ())
    }

    /// Does the same as [`send_error`](Self::send_error), with `explanation` in place of the status's standard one.
    pub fn send_error_with(
        &mut self,
        status: u16,
        message: impl Display,
        explanation: &str,
    ) -> Next {
        self.close_connection();
        self.error(status, &message, explanation, &mut |_| ())
    }

    /// Sends the fields that all error replies have.
    pub(crate) fn send_error_headers(&mut self) {
        let config = self.config;
        for (name, value) in &config.error_headers {
            self.send_header(name, value);
        }
    }

    /// Does the same as [`send_error_with`](Self::send_error_with) with further fields, which `more` sends. The
    /// connection stays open unless something else closes it.
    pub(crate) fn error(
        &mut self,
        status: u16,
        message: &dyn Display,
        explanation: &str,
        more: &mut dyn FnMut(&mut Self),
    ) -> Next {
        self.record_failure(LogEvent::Error { status, message }, message);
        self.start(status, message);
        // RFC 9110 §10.2.3. When there are resources again is not known, but a client should not try again at once.
        if status == 503 {
            self.send_trusted("Retry-After: ", RETRY_AFTER);
        }
        more(self);
        self.send_error_headers();
        if self.reply.close.is_some() || self.has_unread_content {
            self.send_header("Connection", "close");
        }
        let page = ErrorPage {
            status,
            message,
            explanation,
            target: self.path(),
        };
        let config = self.config;
        let write_page = &config.error_page;
        let content = status >= 200 && !matches!(status, 204 | 205 | 304);
        // The page is written once, before the fields that need its length, and moved behind them.
        let start = self.outbox.len();
        if content {
            write_page(&page, self.outbox).expect("a buffer takes everything");
        }
        let len = self.outbox.len() - start;
        if content {
            self.send_text("Content-Type: ", &config.error_content_type);
            self.send_length(len as u64);
        }
        self.end_headers();
        if content && self.reply.fault.is_none() {
            // A simple reply has no head, and lost the page with it.
            match self.reply.simple {
                true => write_page(&page, self.outbox).expect("a buffer takes everything"),
                false => self.outbox.move_to_end(start, len),
            }
            match self.answers_head() {
                true => self.outbox.truncate(self.outbox.len() - len),
                false => self.reply.count(len),
            }
        }
        Next::Done
    }
}

/// The number of seconds after which a client may repeat a request for which there were no resources.
const RETRY_AFTER: &[u8] = b"5";
