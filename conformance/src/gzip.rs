//! Decodes content in gzip, with an implementation other than the engine's, so that it can be compared with what is
//! expected of the content.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::sim::reader::{self, ParsedReply, ReplyEnd};

/// Returns the content of a stream with one member and nothing after it.
///
/// # Errors
/// If it is not such a stream.
pub(crate) fn decode_gzip(content: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = GzDecoder::new(content);
    let mut decoded = Vec::new();
    let read = decoder.read_to_end(&mut decoded);
    read.map_err(|error| format!("not a gzip stream: {error}"))?;
    match decoder.into_inner() {
        [] => Ok(decoded),
        rest => Err(format!("{} bytes follow the gzip stream", rest.len())),
    }
}

/// Returns as much of the content as the beginning of a stream tells.
pub(crate) fn decode_beginning(content: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    // The error is the end of the stream, and what was decoded before it remains.
    let _ = GzDecoder::new(content).read_to_end(&mut decoded);
    decoded
}

/// Returns the replies with decoded content, marked as [`DECODED`], if the content of one is in gzip.
/// `Transfer-Encoding` is then omitted. If the replies or a stream are invalid, nothing is changed, so that they match
/// nothing.
pub(crate) fn decode_replies<'a>(bytes: &'a [u8], log: &[String]) -> Cow<'a, [u8]> {
    if !bytes.windows(MAGIC.len()).any(|window| window == MAGIC) {
        return Cow::Borrowed(bytes);
    }
    let log = log.join("\n");
    let Ok(replies) = reader::parse(bytes, &reader::logged(&log)) else {
        return Cow::Borrowed(bytes);
    };
    let decoded: Option<Vec<Vec<u8>>> = replies.iter().map(decode_reply).collect();
    decoded.map_or(Cow::Borrowed(bytes), |all| Cow::Owned(all.concat()))
}

fn decode_reply(reply: &ParsedReply<'_>) -> Option<Vec<u8>> {
    let body = match reply.body.starts_with(&MAGIC) {
        true if reply.end == ReplyEnd::Truncated => return None,
        true => Cow::Owned(decode_gzip(&reply.body).ok()?),
        false => Cow::Borrowed(&*reply.body),
    };
    let mut whole = Vec::new();
    for line in reply.head.split_inclusive(|&byte| byte == b'\n') {
        match line {
            b"Content-Encoding: gzip\r\n" if matches!(body, Cow::Owned(_)) => {
                whole.extend(format!("Content-Encoding: {DECODED}\r\n").into_bytes());
            }
            b"Transfer-Encoding: chunked\r\n" => {}
            line => whole.extend(line),
        }
    }
    whole.extend(&*body);
    Some(whole)
}

/// The `Content-Encoding` of decoded content.
pub(crate) const DECODED: &str = "gzip (decoded)";
/// The beginning of a stream (RFC 1952 §2.3.1), with the only method that exists.
pub(crate) const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
