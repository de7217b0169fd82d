//! Makes internal redirects: requests that a server derives from another one and answers in its place.

use alloc::vec::Vec;

use super::RequestHead;
use super::request_line::Line;
use super::syntax::is_among;

impl RequestHead {
    /// Returns this request with another path and query: with the method `HEAD` if this one is `HEAD`, otherwise `GET`;
    /// without the fields that describe its content; and with the host that this request is for as `Host`. The [request
    /// line](Self::request_line), which is logged, is that of this request. CGI calls this a local redirect (RFC 3875
    /// §6.2.2).
    ///
    /// Returns `None` if `path` is not valid in a request target.
    #[must_use]
    pub fn internal_redirect(&self, path: &str) -> Option<RequestHead> {
        let method = match self.method() {
            "HEAD" => "HEAD",
            _ => "GET",
        };
        let is_path = path.starts_with('/') && path.chars().all(|char| char <= '\u{ff}');
        is_path.then_some(())?;
        let mut head = RequestHead::new();
        for text in [self.request_line(), method, path] {
            head.text.push_str(text);
        }
        let (line, end) = (self.line_len, head.text.len());
        let start = end - path.len();
        head.line_len = line;
        head.line = Line {
            method: line..start,
            target: start..end,
            version: self.version(),
        };
        head.find_path().ok()?;
        head.fields
            .parse(&self.lines_without_content(), usize::MAX)
            .ok()?;
        head.keep_alive = self.keep_alive();
        Some(head)
    }

    /// Returns whether this request is the result of [`internal_redirect`](Self::internal_redirect).
    #[must_use]
    pub fn is_internal_redirect(&self) -> bool {
        self.line.target.start > self.line_len
    }

    fn lines_without_content(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        // The new target names no host.
        let host = self.authority().map(|host| ("Host", host));
        let is_kept = |name: &str| !is_of_content(name) && !name.eq_ignore_ascii_case("Host");
        let others = self.fields.iter().filter(|(name, _)| is_kept(name));
        for (name, value) in host.into_iter().chain(others) {
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend(value.chars().map(|char| char as u8));
            lines.extend_from_slice(b"\r\n");
        }
        lines.extend_from_slice(b"\r\n");
        lines
    }
}

/// Returns whether a field describes the content of its request, or its framing.
fn is_of_content(name: &str) -> bool {
    let start = name.as_bytes().get(..8);
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
        || is_among(name, &["Expect", "Trailer", "Transfer-Encoding"])
}
