//! [`compact!`](compact): includes a style or a script without comments and line breaks.

/// Includes a file as one line: without indentation, and without lines that are a comment (`//` or `/* ... */`). Each
/// statement of a script must end with `;`, since no line break does.
macro_rules! compact {
    ($file:literal) => {{
        const SOURCE: &[u8] = include_bytes!($file);
        const LEN: usize =
            $crate::service::listing::compact::shorten(SOURCE, &mut [0; SOURCE.len()]);
        const COMPACT: [u8; LEN] = {
            let (mut all, mut out) = ([0; SOURCE.len()], [0; LEN]);
            $crate::service::listing::compact::shorten(SOURCE, &mut all);
            out.copy_from_slice(all.split_at(LEN).0);
            out
        };
        match core::str::from_utf8(&COMPACT) {
            Ok(text) => text,
            Err(_) => panic!("a source is UTF-8"),
        }
    }};
}

pub(super) use compact;

/// Writes the compact form of a source, and returns its length.
pub(super) const fn shorten(source: &[u8], out: &mut [u8]) -> usize {
    let (mut at, mut len) = (0, 0);
    while at < source.len() {
        let start = indented(source, at);
        let end = line_end(source, start);
        let is_comment =
            start + 1 < end && source[start] == b'/' && matches!(source[start + 1], b'/' | b'*');
        if !is_comment {
            let mut from = start;
            while from < end {
                out[len] = source[from];
                (from, len) = (from + 1, len + 1);
            }
        }
        at = end + 1;
    }
    len
}

/// Returns where the text of a line begins.
const fn indented(source: &[u8], mut at: usize) -> usize {
    while at < source.len() && source[at] == b' ' {
        at += 1;
    }
    at
}

/// Returns where a line ends.
const fn line_end(source: &[u8], mut at: usize) -> usize {
    while at < source.len() && source[at] != b'\n' {
        at += 1;
    }
    at
}
