//! What a case expects, put in the form for hosts; and whether it is the host that would answer so.

use crate::text::Token;

/// The status of what is the host's to answer.
const OF_HOST: [(u16, &str); 6] = [
    (400, "the syntax"),
    (408, "the time that a head takes"),
    (414, "the limits of a head"),
    (417, "an expectation"),
    (431, "the limits of a head"),
    (505, "the version"),
];

/// Takes the next reply off `told`, and gives its form.
pub(super) fn parse(told: &mut &[Token], method: &str) -> Result<Vec<Token>, &'static str> {
    loop {
        let mut lines = Vec::new();
        loop {
            match line(told)? {
                [] => break,
                line => lines.push(line),
            }
        }
        let (first, fields) = lines.split_first().ok_or("a reply without a head")?;
        let status = text(first.get(9..12).unwrap_or_default()).parse();
        let status = status.map_err(|_| "a reply without a head")?;
        if status < 200 && told.is_empty() {
            return Err("an interim reply");
        }
        if status < 200 {
            continue;
        }
        if let Some((_, reason)) = OF_HOST.iter().find(|(other, _)| *other == status) {
            return Err(reason);
        }
        let mut fields: Vec<_> = fields.iter().map(|line| field(line)).collect();
        let mut content = Vec::new();
        if has_content(status, method) {
            content = take_content(told, &fields)?;
            fields.retain(|(name, _)| name != "content-length");
        }
        return Ok(form(status, fields, &content, method));
    }
}

/// The form of a reply. Of the field names in small letters, those are left out that are the host's.
pub(super) fn form(
    status: u16,
    mut fields: Vec<(String, Vec<Token>)>,
    content: &[Token],
    method: &str,
) -> Vec<Token> {
    let length = content.len().to_string();
    fields.retain(|(name, value)| match &name[..] {
        "connection" | "keep-alive" | "transfer-encoding" => false,
        // A wrong one stays, and so does one that is said of what is not sent (RFC 9110 §8.6).
        "content-length" => !has_content(status, method) || text(value) != length,
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

/// Has scripts that say what the server speaks say HTTP/1.1.
pub(super) fn modernize(form: &mut [Token]) {
    let old = literal("SERVER_PROTOCOL=[HTTP/1.0]");
    while let Some(at) = form.windows(old.len()).position(|tokens| tokens == old) {
        form[at..][..old.len()].copy_from_slice(&literal("SERVER_PROTOCOL=[HTTP/1.1]"));
    }
}

/// Takes the content off `told`.
fn take_content(
    told: &mut &[Token],
    fields: &[(String, Vec<Token>)],
) -> Result<Vec<Token>, &'static str> {
    let value = |name| {
        fields
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| text(value))
    };
    if value("transfer-encoding").is_some() {
        return take_chunks(told);
    }
    let length = value("content-length").map_or(Some(told.len()), |length| length.parse().ok());
    let whole = length.and_then(|length| told.get(..length));
    let end = match whole.filter(|content| content.iter().all(Option::is_some)) {
        Some(content) => content.len(),
        // A wildcard has no length: all up to the next reply, then.
        None if told.contains(&None) => {
            let next = literal("HTTP/1.");
            let found = told.windows(next.len()).position(|tokens| tokens == next);
            found.unwrap_or(told.len())
        }
        None => return Err("a reply that breaks off"),
    };
    let (content, rest) = told.split_at(end);
    *told = rest;
    Ok(content.to_vec())
}

fn take_chunks(told: &mut &[Token]) -> Result<Vec<Token>, &'static str> {
    let mut content = Vec::new();
    loop {
        let size = usize::from_str_radix(&text(line(told)?), 16);
        let size = size.map_err(|_| "a reply that breaks off")?;
        content.extend(told.get(..size).ok_or("a reply that breaks off")?);
        *told = &told[size..];
        line(told)?;
        if size == 0 {
            return Ok(content);
        }
    }
}

fn line<'a>(told: &mut &'a [Token]) -> Result<&'a [Token], &'static str> {
    let end = told
        .windows(2)
        .position(|two| two == [Some(b'\r'), Some(b'\n')]);
    let end = end.ok_or("a reply without a head")?;
    let line = &told[..end];
    *told = &told[end + 2..];
    Ok(line)
}

/// A field, its name in small letters.
fn field(line: &[Token]) -> (String, Vec<Token>) {
    let colon = line.iter().position(|&token| token == Some(b':'));
    let (name, value) = line.split_at(colon.unwrap_or(line.len()));
    let blanks = value
        .iter()
        .skip(1)
        .take_while(|&&token| token == Some(b' '))
        .count();
    let value = value.get(1 + blanks..).unwrap_or_default();
    (text(name).to_ascii_lowercase(), value.to_vec())
}

/// Tokens as text, the wildcard as a star.
fn text(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| char::from(token.unwrap_or(b'*')))
        .collect()
}

fn literal(text: &str) -> Vec<Token> {
    text.bytes().map(Some).collect()
}
