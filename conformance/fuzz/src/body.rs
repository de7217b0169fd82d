//! Chunked content: as the grammar of RFC 9112 §7.1, read plainly, has it, and in whatever pieces
//! it comes. What is accepted, the crate chunked_transfer reads as the same content.

use std::io::Read;

use sanserve_core::Limits;
use sanserve_core::wire::{Bad, Body, Head, Piece};

/// The content, and how long it was with its framing.
type Content = (Vec<u8>, usize);

/// Checks some content. Its first byte says in what pieces it comes.
pub fn check(data: &[u8]) {
    let Some((&piece, input)) = data.split_first() else {
        return;
    };
    let ours = read(input, usize::MAX);
    assert_eq!(read(input, 1), ours, "byte by byte");
    assert_eq!(read(input, 1 + usize::from(piece)), ours, "in pieces");

    let ours = ours.ok().flatten();
    assert_eq!(ours, read_plainly(input), "by the grammar");
    if let Some((content, taken)) = ours {
        let mut theirs = Vec::new();
        match chunked_transfer::Decoder::new(&input[..taken]).read_to_end(&mut theirs) {
            Ok(_) => assert_eq!(content, theirs, "by chunked_transfer"),
            // It knows no trailers, and no blanks in extensions.
            Err(_) => assert!(input.contains(&b':') || input.contains(&b';')),
        }
    }
}

/// What the engine makes of it in pieces of this length; `None` if it is not all there.
fn read(input: &[u8], piece: usize) -> Result<Option<Content>, Bad> {
    let mut head = Head::new();
    head.parse(HEAD, &Limits::default())?;
    let (mut body, mut content) = (Body::of(&head)?, Vec::new());
    let (mut at, mut seen) = (0, 0);
    loop {
        match body.next(&input[at..seen])? {
            Piece::Data(n) => {
                content.extend_from_slice(&input[at..seen][..n]);
                at += n;
            }
            Piece::Skip(n) => at += n,
            Piece::More if seen == input.len() => return Ok(None),
            Piece::More => seen = input.len().min(seen.saturating_add(piece)),
            Piece::End => return Ok(Some((content, at))),
        }
    }
}

/// The same by the grammar, all at once and without pieces; `None` also if it is wrong.
fn read_plainly(input: &[u8]) -> Option<Content> {
    let (mut content, mut rest) = (Vec::new(), input);
    loop {
        let line = &rest[..find(rest, b"\r\n")?];
        rest = &rest[line.len() + 2..];
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (digits, extension) = line.split_at(digits.count());
        let extends = extension.trim_ascii_start().starts_with(b";") && is_text(extension);
        if line.len() > 255 || digits.len() > 16 || !(extension.is_empty() || extends) {
            return None;
        }
        let size = usize::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        content.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
    if !rest.starts_with(b"\r\n") {
        let trailer = &rest[..find(rest, b"\r\n\r\n")? + 2];
        let mut lines = trailer.split_inclusive(|&byte| byte == b'\n');
        if trailer.len() + 2 > 4096 || lines.clone().count() > 16 || !lines.all(is_field) {
            return None;
        }
        rest = &rest[trailer.len()..];
    }
    Some((content, input.len() - rest.len() + 2))
}

/// RFC 9110 §5: a token, a colon, text, an end that may be LF alone (RFC 9112 §2.2).
fn is_field(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return false;
    };
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    colon > 0 && line[..colon].iter().all(is_token) && is_text(&line[colon..])
}

/// Whether no control character but tabs is in it.
fn is_text(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    !bytes.iter().any(is_control)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|here| here == what)
}

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Content at the edges of the grammar.
pub fn seeds() -> Vec<Vec<u8>> {
    super::owned(&[
        b"\x005\r\nhello\r\n0\r\n\r\nGET /",
        b"\x021;a=b\r\nx\r\nA ;c=\"d\"\r\n0123456789\r\n00;e\r\nF: g\r\nH:i\r\n\r\n",
        b"\x050\r\nA: b\nC: d\r\n\r\n",
        b"\x03ffffffffffffffff\r\nx",
        b"\x0100000000000000001\r\nx\r\n0\r\n\r\n",
        b"\x015\nhello\n0\n\n",
        b"\x015\r\nhelloX\r\n0\r\n\r\n",
        b"\x010\r\n A: b\r\n\r\n",
    ])
}
