//! The fuzz target for chunked content. Checks that the parser agrees with the grammar of RFC 9112 §7.1, which is
//! written here as regular expressions, that its result does not depend on how the content is divided, and that the
//! crate chunked_transfer decodes accepted content to the same bytes.

use std::io::Read;
use std::sync::LazyLock;

use regex::bytes::Regex;
use sanserve_core::wire::{Body, Limits, ParseError, Piece, RequestHead};

/// The content, and its length with the framing.
type Content = (Vec<u8>, usize);

/// Checks content. The first byte is the length of the pieces.
pub fn check(data: &[u8]) {
    let Some((&piece, input)) = data.split_first() else {
        return;
    };
    let ours = read(input, usize::MAX);
    assert_eq!(read(input, 1), ours, "byte by byte");
    assert_eq!(read(input, 1 + usize::from(piece)), ours, "in pieces");

    let ours = ours.ok().flatten();
    assert_eq!(ours, parse_by_grammar(input), "by the grammar");
    if let Some((content, taken)) = ours {
        let mut theirs = Vec::new();
        match chunked_transfer::Decoder::new(&input[..taken]).read_to_end(&mut theirs) {
            Ok(_) => assert_eq!(content, theirs, "by chunked_transfer"),
            // It does not support trailers, or spaces in extensions.
            Err(_) => assert!(input.contains(&b':') || input.contains(&b';')),
        }
    }
}

/// Parses content in pieces of this length; `None` if it is incomplete.
fn read(input: &[u8], piece: usize) -> Result<Option<Content>, ParseError> {
    let mut head = RequestHead::new();
    head.parse(HEAD, &Limits::default())?;
    let (mut body, mut content) = (Body::of_request(&head)?, Vec::new());
    let (mut at, mut seen) = (0, 0);
    loop {
        match body.next(&input[at..seen])? {
            Piece::Data(n) => {
                content.extend_from_slice(&input[at..seen][..n]);
                at += n;
            }
            Piece::Skip(n) | Piece::Trailers(n) => at += n,
            Piece::More if seen == input.len() => return Ok(None),
            Piece::More => seen = input.len().min(seen.saturating_add(piece)),
            Piece::End => return Ok(Some((content, at))),
        }
    }
}

/// Parses whole content by the grammar; `None` also if it is invalid.
fn parse_by_grammar(input: &[u8]) -> Option<Content> {
    let (mut content, mut rest, mut extensions) = (Vec::new(), input, 0);
    loop {
        let line = SIZE.captures(rest)?;
        let size = usize::from_str_radix(str::from_utf8(&line[1]).ok()?, 16).ok()?;
        extensions += line[2].len();
        if line[0].len() - 2 > 255 || extensions > 4096 {
            return None;
        }
        rest = &rest[line[0].len()..];
        if size == 0 {
            break;
        }
        content.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
    let trailer = TRAILER.find(rest)?;
    rest = &rest[trailer.len()..];
    (trailer.len() <= 4096).then_some((content, input.len() - rest.len()))
}

/// A size, then extensions (RFC 9112 §7.1.1), each a name with an optional value.
static SIZE: LazyLock<Regex> = LazyLock::new(|| {
    let value = format!(r#"(?:{TOKEN}|"(?:[^"\\{CONTROL}]|\\[^{CONTROL}])*")"#);
    let extension = format!(r"[ \t]*;[ \t]*{TOKEN}(?:[ \t]*=[ \t]*{value})?");
    grammar(&format!(r"([0-9A-Fa-f]{{1,16}})((?:{extension})*)\r\n"))
});

/// Fields, then an empty line (RFC 9112 §7.1.2).
static TRAILER: LazyLock<Regex> =
    LazyLock::new(|| grammar(&format!(r"(?:{TOKEN}:[^{CONTROL}]*\r\n){{0,16}}\r\n")));

fn grammar(text: &str) -> Regex {
    Regex::new(&format!("^(?s-u:{text})")).expect("a regular expression")
}

const TOKEN: &str = r"[0-9A-Za-z!#$%&'*+\-.^_`|~]+";
/// All control characters except tabs.
const CONTROL: &str = r"\x00-\x08\x0A-\x1F\x7F";

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Edge cases of the grammar.
pub fn seeds() -> Vec<Vec<u8>> {
    super::owned(&[
        b"\x005\r\nhello\r\n0\r\n\r\nGET /",
        b"\x021;a=b\r\nx\r\nA ;c=\"d\"\r\n0123456789\r\n00;e\r\nF: g\r\nH:i\r\n\r\n",
        b"\x050\r\nA: b\nC: d\r\n\r\n",
        b"\x001\t; a = \"\\\"\" ;b\r\nx\r\n0;a \r\n\r\n",
        b"\x03ffffffffffffffff\r\nx",
        b"\x0100000000000000001\r\nx\r\n0\r\n\r\n",
        b"\x015\nhello\n0\n\n",
        b"\x015\r\nhelloX\r\n0\r\n\r\n",
        b"\x010\r\n A: b\r\n\r\n",
    ])
}
