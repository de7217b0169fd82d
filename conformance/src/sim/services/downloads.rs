//! Checks downloads: each reply is made from one version of the file, and status, length, range and validators are
//! those of that version.

use std::collections::BTreeMap;

use super::exchange::Exchange;
use super::served::Served;
use crate::sim::conversation::Answer;
use crate::sim::model_tree::{History, ModelTree, Version};
use crate::sim::reader::{ParsedReply, ReplyEnd};
use sanserve_core::{Ask, Meta};

/// The version of a file that a reply was made from.
struct Sent<'a> {
    number: u64,
    meta: &'a Meta,
    content: &'a [u8],
}

/// Compares the files that were sent in a world with their versions.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    // The version with each tag.
    let mut tags = BTreeMap::new();
    served.each(|exchange| {
        let (Some(sent), Some(reply)) = (sent(&served.history, exchange), &exchange.reply) else {
            return Ok(());
        };
        check_reply(exchange, reply, &sent)?;
        check_tag(served.tree, exchange, &sent, &mut tags)
    })
}

/// Returns the version of the file that a reply was made from; `None` if it was not made from a file.
fn sent<'a>(history: &'a History, exchange: &Exchange<'a>) -> Option<Sent<'a>> {
    let is_asked = matches!(exchange.method, "GET" | "HEAD");
    if !is_asked || !exchange.settings.service.serves_files() {
        return None;
    }
    let call = exchange.source()?;
    match (&call.ask, &call.answer) {
        (Ask::Open(_), Answer::File { meta, .. }) if !meta.executable => {
            let number = Version::number(meta)?;
            let (_, content) = history.version(number)?;
            Some(Sent {
                number,
                meta,
                content,
            })
        }
        _ => None,
    }
}

fn check_reply(
    exchange: &Exchange<'_>,
    reply: &ParsedReply<'_>,
    sent: &Sent<'_>,
) -> Result<(), String> {
    let wanted = expected_status(exchange, sent);
    let len = reply.field("Content-Length").and_then(number);
    match reply.status {
        200 | 206 | 304 | 412 | 416 if !wanted.contains(&reply.status) => Err(format!(
            "the status is {} in place of {wanted:?}",
            reply.status
        )),
        200 if exchange.is_compressed => is_part(exchange, reply, sent.content),
        200 if len != Some(sent.content.len()) => Err(format!(
            "the length is {len:?} in place of {}",
            sent.content.len()
        )),
        200 => is_part(exchange, reply, sent.content),
        206 if reply.field("Content-Range").is_some() => check_range(exchange, reply, sent.content),
        206 => check_parts(reply, sent.content),
        _ => Ok(()),
    }
}

/// Returns whether the content is this; the reply may be truncated.
fn is_part(exchange: &Exchange<'_>, reply: &ParsedReply<'_>, content: &[u8]) -> Result<(), String> {
    let is_right = match reply.end {
        ReplyEnd::Complete if exchange.method == "HEAD" => true,
        ReplyEnd::Complete => *reply.body == *content,
        _ => content.starts_with(&reply.body),
    };
    match is_right {
        true => Ok(()),
        false => Err("the content is not that of one version of the file".into()),
    }
}

/// Checks a reply with one range.
fn check_range(
    exchange: &Exchange<'_>,
    reply: &ParsedReply<'_>,
    content: &[u8],
) -> Result<(), String> {
    let (first, last) = content_range(reply.field("Content-Range"), content.len())?;
    let asked = ranges(exchange, content.len());
    // Several ranges that overlap or touch are sent as one.
    let ends = (
        asked.iter().map(|range| range.0).min(),
        asked.iter().map(|range| range.1).max(),
    );
    match ends == (Some(first), Some(last)) {
        true => is_part(exchange, reply, &content[first..=last]),
        false => Err(format!("the range is {first}-{last} in place of {asked:?}")),
    }
}

/// Checks a reply with several ranges.
fn check_parts(reply: &ParsedReply<'_>, content: &[u8]) -> Result<(), String> {
    if reply.end != ReplyEnd::Complete || reply.body.is_empty() {
        return Ok(());
    }
    let kind = reply.field("Content-Type").unwrap_or_default();
    let kind = String::from_utf8_lossy(kind);
    let boundary = kind.split_once("boundary=").ok_or("no boundary")?.1;
    let mut rest = &reply.body[..];
    let mut count = 0;
    loop {
        rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        rest = rest
            .strip_prefix(format!("--{boundary}").as_bytes())
            .ok_or("no boundary before a part")?;
        if rest.starts_with(b"--") {
            break;
        }
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, content_and_rest) = rest.split_at(end.ok_or("no head of a part")? + 4);
        let mut lines = head.split(|&byte| byte == b'\n');
        let range = lines.find_map(|line| line.strip_prefix(b"Content-Range: "));
        let (first, last) = content_range(range.map(<[u8]>::trim_ascii), content.len())?;
        rest = content_and_rest
            .strip_prefix(&content[first..=last])
            .ok_or("a part is not that of one version of the file")?;
        count += 1;
    }
    match count {
        0 | 1 => Err(format!("{count} parts")),
        _ => Ok(()),
    }
}

/// Parses `bytes 0-5/6` for a file of this length.
fn content_range(value: Option<&[u8]>, len: usize) -> Result<(usize, usize), String> {
    let value = str::from_utf8(value.ok_or("no Content-Range")?).unwrap_or_default();
    let parsed = || -> Option<(usize, usize, usize)> {
        let (range, of) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?, of.parse().ok()?))
    };
    match parsed() {
        Some((first, last, of)) if first <= last && last < len && of == len => Ok((first, last)),
        _ => Err(format!("Content-Range is {value:?}, and the length {len}")),
    }
}

/// Returns the ranges that a request asks for, of a file of this length (RFC 9110 §14.1.2).
fn ranges(exchange: &Exchange<'_>, len: usize) -> Vec<(usize, usize)> {
    let [value] = exchange.fields("Range")[..] else {
        return Vec::new();
    };
    let specs = value.strip_prefix("bytes=").unwrap_or_default().split(',');
    let range = |spec: &str| {
        let (first, last) = spec.split_once('-')?;
        let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => (first, last.min(len.checked_sub(1)?)),
            (Ok(first), Err(_)) => (first, len.checked_sub(1)?),
            (Err(_), Ok(suffix)) => (len - suffix.min(len), len.checked_sub(1)?),
            _ => return None,
        };
        (first <= last).then_some((first, last))
    };
    specs.filter_map(range).collect()
}

/// Returns the statuses that a reply may have, by the conditions of the request (RFC 9110 §13.2.2).
fn expected_status(exchange: &Exchange<'_>, sent: &Sent<'_>) -> &'static [u16] {
    // Two dates are no date (§13.1.3, §13.1.4).
    let date = |name| match exchange.fields(name)[..] {
        [date] => Some(date),
        _ => None,
    };
    let is_after = |date: &str| {
        let time = httpdate::parse_http_date(date).unwrap_or(std::time::UNIX_EPOCH);
        let time = time
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        sent.meta.modified > Some(time.as_secs() as i64)
    };
    let tag = || tag(sent);
    let matches = |name| {
        let fields = exchange.fields(name);
        let tag = tag();
        let holds = |value: &&str| *value == "*" || Some(*value) == tag.as_deref();
        (!fields.is_empty()).then(|| fields.iter().any(holds))
    };
    match (matches("If-Match"), date("If-Unmodified-Since")) {
        (Some(false), _) => return &[412],
        (None, Some(date)) if is_after(date) => return &[412],
        _ => {}
    }
    match (matches("If-None-Match"), date("If-Modified-Since")) {
        (Some(true), _) => return &[304],
        (None, Some(date)) if !is_after(date) => return &[304],
        _ => {}
    }
    let applies = matches("If-Range").unwrap_or(true);
    let has_range = exchange.fields("Range").len() == 1 && exchange.method == "GET";
    if !applies || !has_range {
        return &[200];
    }
    match ranges(exchange, sent.content.len())[..] {
        // Of an empty file nothing can be sent but a 200, and a suffix of it is not beyond its end.
        [] if sent.content.is_empty() => &[200, 416],
        [] => &[416],
        [_] => &[206],
        // Overlapping ranges may be answered with the whole file (§14.2).
        _ => &[200, 206],
    }
}

/// Returns the strong tag of a version, if it has one.
fn tag(sent: &Sent<'_>) -> Option<String> {
    let version = sent.meta.version?;
    Some(format!("\"{:x}-{:x}\"", version.number(), sent.meta.len))
}

/// Checks that a tag belongs to one version only, and that there is none without versions. The tag of a compressed reply
/// is weak, since another compressor may write other bytes; that of another reply is strong.
fn check_tag(
    tree: &ModelTree,
    exchange: &Exchange<'_>,
    sent: &Sent<'_>,
    tags: &mut BTreeMap<Vec<u8>, u64>,
) -> Result<(), String> {
    let reply = exchange.reply.as_ref();
    let Some(reply) = reply.filter(|reply| matches!(reply.status, 200 | 206 | 304)) else {
        return Ok(());
    };
    let Some(tag) = reply.field("ETag") else {
        return match tree.has_versions() {
            true => Err("there is no tag".into()),
            false => Ok(()),
        };
    };
    // A 304 has the tag of either reply.
    if reply.status != 304 && exchange.is_compressed != tag.starts_with(b"W/") {
        return Err("the tag is weak without compression, or strong with it".into());
    }
    match *tags.entry(tag.to_vec()).or_insert(sent.number) {
        _ if !tree.has_versions() => Err("there is a tag".into()),
        number if number == sent.number => Ok(()),
        number => Err(format!(
            "versions {number} and {} have the same tag",
            sent.number
        )),
    }
}

fn number(text: &[u8]) -> Option<usize> {
    str::from_utf8(text).ok()?.parse().ok()
}
