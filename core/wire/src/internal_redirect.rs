//! A request that the server makes of another: for another path, without content.

use alloc::vec::Vec;

use super::Head;
use super::request_line::Line;
use super::syntax::is_among;

impl Head {
    /// Returns the same request for another path and query of this server: GET, or HEAD where this one is HEAD. The fields
    /// that speak of its content are left out, and `Host` is the host that this one is for. Its request line, which is
    /// logged, stays that of this one.
    ///
    /// `None` if that is not a path that a request can name.
    pub(crate) fn local(&self, path: &str) -> Option<Head> {
        let command = match self.command() {
            "HEAD" => "HEAD",
            _ => "GET",
        };
        path.starts_with('/').then_some(())?;
        let mut head = Head::new();
        for text in [self.request_line(), command, path] {
            head.text.push_str(text);
        }
        let (line, end) = (self.line_len, head.text.len());
        let start = end - path.len();
        head.line_len = line;
        head.line = Line {
            command: line..start,
            target: start..end,
            version: self.version(),
        };
        head.find_path().ok()?;
        head.fields.parse(&self.lines_without_content()).ok()?;
        head.persists = self.persists();
        Some(head)
    }

    /// Whether it was made so.
    pub(crate) fn is_local(&self) -> bool {
        self.line.target.start > self.line_len
    }

    fn lines_without_content(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        // The new target names no host.
        let host = self.authority().map(|host| ("Host", host));
        let is_kept = |name: &str| !is_of_content(name) && !name.eq_ignore_ascii_case("Host");
        let others = self.fields().filter(|(name, _)| is_kept(name));
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

/// Whether a field speaks of the content of its request, or of how that is sent.
fn is_of_content(name: &str) -> bool {
    let start = name.as_bytes().get(..8);
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
        || is_among(name, &["Expect", "Trailer", "Transfer-Encoding"])
}
