//! Converts the expected replies of a case to the form for hosts (see `host`). Fails if a host would send one of them
//! itself.

use crate::text::Token;

/// The statuses that hosts send themselves, and what such cases are about.
const HOST_STATUSES: [(u16, &str); 6] = [
    (400, "the syntax"),
    (408, "the time that a head takes"),
    (414, "the limits of a head"),
    (417, "an expectation"),
    (431, "the limits of a head"),
    (505, "the version"),
];

/// Takes the next reply from `replies`, and returns its form.
pub(super) fn parse(replies: &mut &[Token], method: &str) -> Result<Vec<Token>, &'static str> {
    loop {
        let mut lines = Vec::new();
        loop {
            match take_line(replies)? {
                [] => break,
                line => lines.push(line),
            }
        }
        let (first, fields) = lines.split_first().ok_or("a reply without a head")?;
        let status = to_text(first.get(9..12).unwrap_or_default()).parse();
        let status = status.map_err(|_| "a reply without a head")?;
        if status < 200 && replies.is_empty() {
            return Err("an interim reply");
        }
        if status < 200 {
            continue;
        }
        if let Some((_, reason)) = HOST_STATUSES.iter().find(|(other, _)| *other == status) {
            return Err(reason);
        }
        let mut fields: Vec<_> = fields.iter().map(|line| split_field(line)).collect();
        let mut content = Vec::new();
        if has_content(status, method) {
            content = take_content(replies, &fields)?;
            fields.retain(|(name, _)| name != "content-length");
        }
        return Ok(form(status, fields, &content, method));
    }
}

/// Returns the form of a reply with these fields, whose names are in lower case. Fields of the host are omitted.
pub(super) fn form(
    status: u16,
    mut fields: Vec<(String, Vec<Token>)>,
    content: &[Token],
    method: &str,
) -> Vec<Token> {
    let length = content.len().to_string();
    fields.retain(|(name, value)| match &name[..] {
        "connection" | "keep-alive" | "transfer-encoding" | "upgrade" => false,
        // A wrong length is kept, and so is one without content (RFC 9110 §8.6).
        "content-length" => !has_content(status, method) || to_text(value) != length,
        _ => true,
    });
    fields.sort_by(|(name, _), (other, _)| name.cmp(other));
    let mut form = literal(&format!("{status}\r\n"));
    for (name, value) in fields {
        form.extend([literal(&name), literal(": "), value, literal("\r\n")].concat());
    }
    form.extend(literal("\r\n"));
    form.extend(content);
    form
}

pub(super) fn has_content(status: u16, method: &str) -> bool {
    method != "HEAD" && !matches!(status, 204 | 304)
}

/// Replaces the protocol that CGI scripts print by HTTP/1.1.
pub(super) fn set_http11(form: &mut [Token]) {
    let old = literal("SERVER_PROTOCOL=[HTTP/1.0]");
    while let Some(at) = form.windows(old.len()).position(|tokens| tokens == old) {
        form[at..][..old.len()].copy_from_slice(&literal("SERVER_PROTOCOL=[HTTP/1.1]"));
    }
}

/// Takes the content from `replies`.
fn take_content(
    replies: &mut &[Token],
    fields: &[(String, Vec<Token>)],
) -> Result<Vec<Token>, &'static str> {
    let value = |name| {
        fields
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| to_text(value))
    };
    if value("transfer-encoding").is_some() {
        return take_chunks(replies);
    }
    let length = value("content-length").map_or(Some(replies.len()), |length| length.parse().ok());
    let whole = length.and_then(|length| replies.get(..length));
    let end = match whole.filter(|content| content.iter().all(Option::is_some)) {
        Some(content) => content.len(),
        // A wildcard has no length, so the content is everything up to the next reply.
        None if replies.contains(&None) => {
            let next = literal("HTTP/1.");
            let found = replies
                .windows(next.len())
                .position(|tokens| tokens == next);
            found.unwrap_or(replies.len())
        }
        None => return Err("a truncated reply"),
    };
    let (content, rest) = replies.split_at(end);
    *replies = rest;
    Ok(content.to_vec())
}

fn take_chunks(replies: &mut &[Token]) -> Result<Vec<Token>, &'static str> {
    let mut content = Vec::new();
    loop {
        let size = usize::from_str_radix(&to_text(take_line(replies)?), 16);
        let size = size.map_err(|_| "a truncated reply")?;
        content.extend(replies.get(..size).ok_or("a truncated reply")?);
        *replies = &replies[size..];
        take_line(replies)?;
        if size == 0 {
            return Ok(content);
        }
    }
}

fn take_line<'a>(replies: &mut &'a [Token]) -> Result<&'a [Token], &'static str> {
    let end = replies
        .windows(2)
        .position(|two| two == [Some(b'\r'), Some(b'\n')]);
    let end = end.ok_or("a reply without a head")?;
    let line = &replies[..end];
    *replies = &replies[end + 2..];
    Ok(line)
}

/// Splits a field line. The name is in lower case.
fn split_field(line: &[Token]) -> (String, Vec<Token>) {
    let colon = line.iter().position(|&token| token == Some(b':'));
    let (name, value) = line.split_at(colon.unwrap_or(line.len()));
    let spaces = value
        .iter()
        .skip(1)
        .take_while(|&&token| token == Some(b' '))
        .count();
    let value = value.get(1 + spaces..).unwrap_or_default();
    (to_text(name).to_ascii_lowercase(), value.to_vec())
}

/// Converts tokens to text, with a wildcard as a star.
fn to_text(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| char::from(token.unwrap_or(b'*')))
        .collect()
}

fn literal(text: &str) -> Vec<Token> {
    text.bytes().map(Some).collect()
}
