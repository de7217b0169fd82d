//! Checks listings: in every format, a listing has the names that are visible in the directory, and no others.

use std::collections::BTreeSet;

use sanserve_core::Path;

use super::exchange::{Exchange, Verdict};
use super::served::Served;
use crate::sim::conversation::Answer;
use crate::sim::model_tree::is_temporary;

/// Compares the listings of a world with the directories.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    served.each(|exchange| {
        let is_read = exchange.verdict() == Verdict::Admitted;
        if !is_read || !exchange.settings.service.serves_files() {
            return Ok(());
        }
        let path = exchange.path().filter(Path::ends_with_slash);
        let listed = path.filter(|_| is_listing(exchange));
        match (listed, exchange.whole_content()) {
            (Some(path), Some(content)) => check_one(served, exchange, &path, content),
            _ => Ok(()),
        }
    })
}

/// Whether the reply is a listing, by the request and the reply alone.
fn is_listing(exchange: &Exchange<'_>) -> bool {
    let is_archive = exchange.target.contains("?zip") || exchange.target.contains("?tar");
    let reply = exchange.reply.as_ref();
    let is_file = reply.is_some_and(|reply| reply.field("Last-Modified").is_some());
    exchange.method == "GET" && !is_archive && !is_file
}

fn check_one(
    served: &Served<'_>,
    exchange: &Exchange<'_>,
    path: &Path,
    content: &[u8],
) -> Result<(), String> {
    let format = format_of(exchange);
    let names = names(format, content)?;
    let shows = |name: &[u8]| {
        let is_hidden = name.starts_with(b".") && !exchange.settings.hidden;
        !is_hidden && !is_temporary(name)
    };
    let Some(Answer::Listed(entries)) = exchange.source().map(|call| &call.answer) else {
        return Err("the directory was not listed for this request".into());
    };
    // CPython's page shows broken links.
    let shown = entries.iter().filter(|entry| {
        shows(entry.name) && (!entry.unavailable || matches!(format, Format::Python))
    });
    let expected: BTreeSet<Vec<u8>> = shown.map(|entry| entry.name.to_vec()).collect();
    let known = served.history.names(&served.tree.resolve(path.as_bytes()));
    if let Some(name) = names
        .iter()
        .find(|name| !shows(name) || !known.ever.contains(*name))
    {
        return Err(format!("{:?} is listed", name.escape_ascii().to_string()));
    }
    let mut always = known.always.iter().filter(|name| shows(name));
    if let Some(name) = always.find(|name| !names.contains(*name)) {
        return Err(format!(
            "{:?} is not listed",
            name.escape_ascii().to_string()
        ));
    }
    match names == expected {
        true => Ok(()),
        false => Err(format!("{names:?} are listed in place of {expected:?}")),
    }
}

/// The format of a listing.
#[derive(Clone, Copy, Debug)]
enum Format {
    Python,
    Page,
    Json,
    Text,
}

/// Returns the format that the request asks for.
fn format_of(exchange: &Exchange<'_>) -> Format {
    if !exchange.settings.negotiates {
        return Format::Python;
    }
    if exchange.target.ends_with("?json") {
        return Format::Json;
    }
    match exchange.fields("Accept")[..] {
        ["application/json"] => Format::Json,
        ["text/plain"] => Format::Text,
        // With several fields, the first format in this order.
        ref several if several.contains(&"text/html") || several.is_empty() => Format::Page,
        ref several if several.contains(&"application/json") => Format::Json,
        _ => Format::Text,
    }
}

/// Returns the names in a listing.
fn names(format: Format, content: &[u8]) -> Result<BTreeSet<Vec<u8>>, String> {
    // Links and escapes are exact; only the text of a link may have bytes that are not UTF-8.
    let content = &*String::from_utf8_lossy(content);
    let (start, end) = match format {
        Format::Python => ("<li><a href=\"", "\""),
        Format::Page => ("<tr><th scope=\"row\"><a href=\"", "\""),
        Format::Json => ("\"href\":\"", "\""),
        Format::Text => ("", "\n"),
    };
    let ends = match format {
        Format::Python | Format::Page => content.ends_with("</html>\n"),
        Format::Json => content.ends_with("]\n"),
        Format::Text => content.is_empty() || content.ends_with('\n'),
    };
    if !ends {
        return Err(format!("it is not a listing in the format {format:?}"));
    }
    let mut names = BTreeSet::new();
    let parts = content.split_inclusive('\n');
    let links = parts.filter_map(|line| line.split_once(start)?.1.split_once(end));
    // The links of the page to other directories may keep the order, and the page has a row for the parent directory.
    let is_page = matches!(format, Format::Page);
    let links = links.map(|(link, _)| match link.split_once("?sort=") {
        Some((path, _)) if is_page && path.ends_with('/') => path,
        _ => link,
    });
    let links = links.filter(|link| !is_page || *link != "../");
    for link in links {
        let link = link.strip_suffix('/').unwrap_or(link);
        let name = match format {
            Format::Text => unescape(link, "\\x"),
            _ => bytes_of_surrogates(&unescape(link, "%")),
        };
        if !names.insert(name) {
            return Err(format!("{link} is listed twice"));
        }
    }
    Ok(names)
}

/// Decodes `%0a` or `\x0a`, where `mark` is what precedes the digits.
fn unescape(text: &str, mark: &str) -> Vec<u8> {
    let mut pieces = text.split(mark);
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// Replaces the surrogates as which Python writes bytes that are not UTF-8 (PEP 383) by these bytes.
fn bytes_of_surrogates(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let [first, behind @ ..] = rest {
        match rest {
            [0xed, high @ 0xb0..=0xb3, low, behind @ ..] => {
                bytes.push(high << 6 | low & 0x3f);
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}
