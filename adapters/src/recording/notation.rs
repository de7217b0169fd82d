//! The notation for bytes in a recording: that of the conformance list's data files. `\{X*N}` is N times X.

use std::fmt::Write;

/// Appends these bytes to `out`. Characters stand for themselves, apart from control characters, backslashes and stars.
pub(super) fn push(out: &mut String, bytes: &[u8]) {
    for run in bytes.chunk_by(|a, b| a == b) {
        let unit = &run[..1];
        if run.len() < RUN_MIN {
            run.iter().for_each(|byte| push_byte(out, *byte));
        } else {
            out.push_str("\\{");
            push_byte(out, unit[0]);
            let _ = write!(out, "*{}}}", run.len());
        }
    }
}

fn push_byte(out: &mut String, byte: u8) {
    match byte {
        b'\r' => out.push_str("\\r"),
        b'\n' => out.push_str("\\n"),
        b'\t' => out.push_str("\\t"),
        b'\\' | b'*' => out.extend(['\\', char::from(byte)]),
        b' '..=b'~' => out.push(char::from(byte)),
        _ => _ = write!(out, "\\x{byte:02x}"),
    }
}

/// The fewest equal bytes that are written as a repetition.
const RUN_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::push;

    #[test]
    fn runs_are_short_and_other_bytes_are_escaped() {
        let mut text = String::new();
        push(&mut text, b"a\r\n\t\\*\x00\xff");
        push(&mut text, &[b'x'; 1000]);
        push(&mut text, &[b'*'; 16]);
        push(&mut text, b"yyy");
        assert_eq!(text, "a\\r\\n\\t\\\\\\*\\x00\\xff\\{x*1000}\\{\\**16}yyy");
    }
}
