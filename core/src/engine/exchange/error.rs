//! Sends error replies with their pages: [`Exchange::send_error`].

use core::fmt::Display;

use super::Exchange;
use crate::engine::log::LogEvent;
use crate::engine::{ErrorPage, Next};
use crate::text::escape::Count;
use crate::text::status;

impl Exchange<'_> {
    /// Replies with an error page. `message` replaces the standard phrase of the status, on the page and in the status
    /// line. The connection closes afterwards.
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
        more(self);
        if self.reply.close.is_some() || self.has_unread_content {
            self.send_header("Connection", "close");
        }
        let page = ErrorPage {
            status,
            message,
            explanation,
        };
        let config = self.config;
        let write_page = &config.error_page;
        let content = status >= 200 && !matches!(status, 204 | 205 | 304);
        if content {
            let mut count = Count(0);
            write_page(&page, &mut count).expect("counting does not fail");
            self.send_text("Content-Type: ", &config.error_content_type);
            self.send_length(count.0 as u64);
        }
        self.end_headers();
        if content && !self.answers_head() && self.reply.fault.is_none() {
            // Written directly to the outbox: its length is known, and `Exchange::write` would need it as bytes.
            let start = self.outbox.len();
            write_page(&page, self.outbox).expect("a buffer takes everything");
            self.reply.count(self.outbox.len() - start);
        }
        Next::Done
    }
}
