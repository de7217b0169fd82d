//! Bytes in transcripts and reports: exact, with repetitions written as such, or brief.

use std::fmt::{self, Write};

use crate::text::show;

/// Formats bytes so that [`text::bytes`](crate::text::bytes) reads them back. A part that is repeated often is written
/// as `\\{X*N}`.
pub(super) fn exact(bytes: &[u8]) -> String {
    let (mut text, mut rest, mut plain) = (String::new(), bytes, 0);
    while plain < rest.len() {
        match repetition(&rest[plain..]) {
            Some((period, count)) => {
                text.push_str(&show(&rest[..plain]));
                let repeated = show(&rest[plain..][..period]);
                let _ = write!(text, "\\{{{repeated}*{count}}}");
                (rest, plain) = (&rest[plain + period * count..], 0);
            }
            None => plain += 1,
        }
    }
    text + &show(rest)
}

/// Returns the length of what is repeated at the start, and how often, if that makes up many bytes.
fn repetition(bytes: &[u8]) -> Option<(usize, usize)> {
    const LEAST: usize = 64;
    let window = bytes.get(..LEAST)?;
    let period = (1..=LEAST / 2).find(|&period| window[period..] == window[..LEAST - period])?;
    let same = bytes[period..].iter().zip(bytes);
    let same = same.take_while(|(a, b)| a == b).count();
    Some((period, 1 + same / period))
}

/// Formats bytes: exactly if they are few, otherwise their start, number and a checksum.
pub(super) fn brief(bytes: &[u8]) -> String {
    if bytes.len() <= BRIEF_MAX {
        return exact(bytes);
    }
    let start = exact(&bytes[..BRIEF_MAX / 2]);
    format!("{start}… {} bytes, {:016x}", bytes.len(), checksum(bytes))
}

const BRIEF_MAX: usize = 300;

/// Returns a checksum (FNV-1a).
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, &byte: &u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Formats a value with at most about `max` bytes.
pub(super) fn debug(value: &dyn fmt::Debug, max: usize) -> String {
    let mut short = Short {
        text: String::new(),
        max,
    };
    if write!(short, "{value:?}").is_err() {
        short.text.push('…');
    }
    short.text
}

struct Short {
    text: String,
    max: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.max.saturating_sub(self.text.len());
        if text.len() <= room {
            self.text.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&end| text.is_char_boundary(end));
        self.text.push_str(&text[..end.unwrap_or(0)]);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::{brief, exact};
    use crate::text::bytes;

    #[test]
    fn repetitions_are_short_and_can_be_read_back() {
        let word = b"GET /smuggled HTTP/1.1\r\n\r\n*\\".repeat(40_000);
        let mixed = [&b"\xffa"[..], &[b'x'; 5000], b"end", &word, &[b'*'; 70]].concat();
        let text = exact(&mixed);
        assert_eq!(bytes(&text), Ok(mixed.clone()));
        assert!(text.len() < 120, "{text}");
        assert!(brief(&mixed).len() < 800, "{}", brief(&mixed));
        let different = [&mixed[..], b"."].concat();
        assert_ne!(brief(&mixed), brief(&different));
        for short in [
            &b""[..],
            b"a",
            b"ababab",
            &[b'y'; 63],
            &[b'y'; 64],
            &[b'y'; 65],
        ] {
            assert_eq!(bytes(&exact(short)), Ok(short.to_vec()));
        }
    }
}
