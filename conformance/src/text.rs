//! The notation for bytes in the data files: parses and formats it.
//!
//! All characters stand for themselves, except for the escapes `\r`, `\n`, `\t`, `\\`, `\*`, `\xNN` (one byte), and
//! `\{X*N}`, which is N times X in the same notation. A bare `*` is a wildcard in a reply ([`tokens`]) and a star
//! anywhere else ([`bytes`]).

/// One byte of a pattern; `None` is the wildcard `*`.
pub type Token = Option<u8>;

/// Parses text in which `*` is a wildcard.
///
/// # Errors
/// A description of the first invalid escape.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    read(&mut text.as_bytes(), false, &mut out)?;
    Ok(out)
}

/// Parses text in which `*` is a star.
///
/// # Errors
/// A description of the first invalid escape.
pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    Ok(tokens(text)?
        .into_iter()
        .map(|token| token.unwrap_or(b'*'))
        .collect())
}

/// Formats bytes so that both [`tokens`] and [`bytes`] parse them back; for reports.
///
/// Letters and digits of any script are not escaped if the bytes are UTF-8.
#[must_use]
pub fn show(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\\' | '*' => out.extend(['\\', c]),
                ' '..='~' => out.push(c),
                c if c.is_alphanumeric() => out.push(c),
                c => show_hex(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut out),
            }
        }
        show_hex(chunk.invalid(), &mut out);
    }
    out
}

/// Escapes text as in the log: control characters as `\xNN`, backslashes doubled.
pub(crate) fn log(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn show_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

/// Parses up to the end, or inside a repetition up to its `*`.
fn read(rest: &mut &[u8], repeated: bool, out: &mut Vec<Token>) -> Result<(), String> {
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'*' && repeated {
            break;
        }
        *rest = tail;
        match first {
            b'\\' => escape(rest, out)?,
            b'*' => out.push(None),
            byte => out.push(Some(byte)),
        }
    }
    Ok(())
}

/// Parses an escape after its backslash.
fn escape(rest: &mut &[u8], out: &mut Vec<Token>) -> Result<(), String> {
    let Some((&kind, tail)) = rest.split_first() else {
        return Err("a backslash at the end of the line".into());
    };
    *rest = tail;
    let byte = match kind {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'\\' | b'*' => kind,
        b'x' => hex(rest)?,
        b'{' => return repetition(rest, out),
        _ => return Err(format!("unknown escape: \\{}", show(&[kind]))),
    };
    out.push(Some(byte));
    Ok(())
}

/// Parses the two digits of `\xNN`.
fn hex(rest: &mut &[u8]) -> Result<u8, String> {
    let digit = |at: usize| rest.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let (Some(high), Some(low)) = (digit(0), digit(1)) else {
        return Err("\\x needs two hexadecimal digits".into());
    };
    *rest = &rest[2..];
    Ok((high * 16 + low) as u8)
}

/// Parses `X*N}`, after the opening `\{`.
fn repetition(rest: &mut &[u8], out: &mut Vec<Token>) -> Result<(), String> {
    let mut unit = Vec::new();
    read(rest, true, &mut unit)?;
    let end = rest.iter().position(|&byte| byte == b'}');
    let count = end.and_then(|end| {
        str::from_utf8(&rest[..end])
            .ok()?
            .strip_prefix('*')?
            .parse()
            .ok()
    });
    let (Some(end), Some(count)) = (end, count) else {
        return Err("a repetition must be \\{X*N}, where N is a number".into());
    };
    *rest = &rest[end + 1..];
    out.extend(unit.repeat(count));
    Ok(())
}
