//! Parses messages with `sanserve-wire` and prints them as JSON, for `conformance/h11/run.py` to compare with h11.
//!
//! Each line of standard input is `request` or `response METHOD`, and the bytes of a connection in hexadecimal. Each
//! line of output has the parsed message or the error.

use std::io::{self, BufWriter, Read, Write};

use sanserve_core::wire::{
    Body, Fields, Limits, ParseError, Piece, RequestHead, ResponseHead, Version,
};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let mut output = BufWriter::new(io::stdout().lock());
    for line in input.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let found = match words[..] {
            ["request", message] => request(&bytes(message)),
            ["response", method, message] => response(method, &bytes(message)),
            _ => panic!("{line:?} is neither a request nor a response"),
        };
        let value = found.unwrap_or_else(|error| json!({ "error": format!("{error:?}") }));
        writeln!(output, "{value}")?;
    }
    output.flush()
}

fn request(input: &[u8]) -> Result<Value, ParseError> {
    let mut head = RequestHead::new();
    let taken = head.parse(input, &Limits::new())?;
    let rest = &input[taken.ok_or(ParseError::Incomplete)?..];
    Ok(json!({
        "method": head.method(),
        "target": hex(&head.target_bytes()),
        "version": number(head.version()),
        "fields": fields(head.fields()),
        "content": content(Body::of_request(&head)?, rest)?,
    }))
}

fn response(method: &str, input: &[u8]) -> Result<Value, ParseError> {
    let (mut head, mut rest, mut interim) = (ResponseHead::new(), input, Vec::new());
    loop {
        let taken = head.parse(rest, &Limits::new())?;
        rest = &rest[taken.ok_or(ParseError::Incomplete)?..];
        if !head.is_interim() {
            break;
        }
        interim.push(head.status());
    }
    Ok(json!({
        "interim": interim,
        "status": head.status(),
        "reason": hex(&head.reason_bytes()),
        "version": number(head.version()),
        "fields": fields(head.fields()),
        "content": content(Body::of_response(&head, method)?, rest)?,
    }))
}

/// Returns the content, the trailer fields, and what follows.
fn content(mut body: Body, mut rest: &[u8]) -> Result<Value, ParseError> {
    let (mut content, mut trailers) = (Vec::new(), Fields::new());
    loop {
        let piece = body.next(rest)?;
        match piece {
            Piece::Data(n) => content.extend_from_slice(&rest[..n]),
            Piece::Trailers(n) => trailers.parse_trailers(&rest[..n])?,
            Piece::Skip(_) => {}
            Piece::More => {
                body.end_of_input()?;
                break;
            }
            Piece::End => break,
        }
        rest = &rest[piece.len()..];
    }
    Ok(json!([hex(&content), fields(&trailers), hex(rest)]))
}

fn fields(fields: &Fields) -> Vec<[String; 2]> {
    let fields = fields.iter_bytes();
    fields
        .map(|(name, value)| [name.to_ascii_lowercase(), hex(&value)])
        .collect()
}

fn number(version: Version) -> &'static str {
    &version.as_str()[5..]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let digits = digits.map(|pair| str::from_utf8(pair).expect("hexadecimal digits"));
    digits
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits"))
        .collect()
}
