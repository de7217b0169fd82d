//! Adds fields to a reply without validation, because their names and values are known to be valid.

use super::Exchange;
use crate::engine::reply_state::Stage;
use crate::text::date;
use crate::text::decimal::Digits;
use crate::text::escape::is_plain;
use crate::wire::syntax::is_token;

impl Exchange<'_> {
    /// Adds a field whose value is a date (RFC 9110 §5.6.7), given in seconds since 1970.
    pub fn send_date(&mut self, name: &str, unix: i64) {
        if !is_token(name.as_bytes()) {
            return self.reply.record_fault("gave send_date() an invalid name");
        }
        if self.reply.stage == Stage::Head {
            self.outbox.push(name.as_bytes());
        }
        self.send_trusted(": ", &date::format(unix));
    }

    /// Adds a field that is known to be valid and has no effect on the connection or the framing. `name` includes the
    /// colon and a space.
    #[inline]
    pub(crate) fn send_trusted(&mut self, name: &str, value: &[u8]) {
        if self.reply.stage != Stage::Head {
            return self
                .reply
                .record_fault("called send_header() outside of a head");
        }
        for part in [name.as_bytes(), value, b"\r\n"] {
            self.outbox.push(part);
        }
    }

    /// Adds a field whose name is known to be valid and has no effect on the connection or the framing; the value is
    /// validated. `name` includes the colon and a space.
    pub(crate) fn send_text(&mut self, name: &str, value: &str) {
        if is_plain(value) {
            self.send_trusted(name, value.as_bytes());
        } else {
            self.field(&name[..name.len() - ": ".len()], &value);
        }
    }

    /// Adds `Content-Length`. Must be called only once for each reply.
    pub(crate) fn send_length(&mut self, length: u64) {
        self.send_trusted("Content-Length: ", Digits::decimal(length).as_bytes());
        self.reply.content_length = Some(length);
    }
}
