//! The parser of recordings.
//!
//! ```text
//! # sanserve recording 1
//! note  hidden  yes
//! 0  0  12.000000000  connection  192.0.2.1  sanserve/0.1.0  http11=1  …
//! 0  1  12.000000000  read        GET / HTTP/1.1\r\nHost: a\r\n\r\n
//! end  0
//! ```
//!
//! The columns, separated by tabs: the number of the connection, that of the event, the time, the event and its
//! arguments. Bytes are written as in [`text`](crate::text).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, Entries, Entry, FileVersion, Meta, Protocol, UploadState};

use super::event::{Answer, Call, End, Event, EventKind, Input, Sent, SourceEvent};
use super::{RecordedConnection, Recording};
use crate::sim::{read_fs_error, read_time};
use crate::text;

pub(super) fn parse(text: &str) -> Result<Recording, String> {
    let mut lines = text.split_inclusive('\n').enumerate();
    match lines.next() {
        Some((_, "# sanserve recording 1\n")) => {}
        _ => return Err("this is not a recording of version 1".into()),
    }
    let mut recording = Recording {
        notes: Vec::new(),
        connections: Vec::new(),
        dropped: None,
    };
    let mut open = HashMap::new();
    for (at, line) in lines {
        // The server was killed while it wrote this line.
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        let parsed = match line.split('\t').collect::<Vec<_>>()[..] {
            ["note", name, value] => note(name, value).map(|note| recording.notes.push(note)),
            ["end", dropped] => match dropped.parse() {
                Ok(dropped) => {
                    recording.dropped = Some(dropped);
                    Ok(())
                }
                Err(_) => Err("invalid number".into()),
            },
            [number, event, tick, ref rest @ ..] => add_event(
                &mut recording.connections,
                &mut open,
                [number, event, tick],
                rest,
            ),
            _ => Err("not a line of a recording".into()),
        };
        parsed.map_err(|message| format!("line {}: {message}", at + 1))?;
    }
    Ok(recording)
}

fn note(name: &str, value: &str) -> Result<(String, String), String> {
    let text = |text| String::from_utf8(text::bytes(text)?).map_err(|_| "not UTF-8".to_string());
    Ok((text(name)?, text(value)?))
}

/// Adds an event to its connection. Events after a gap are ignored, because some were dropped. `open` has the index of
/// each connection and the number of its next event.
fn add_event(
    connections: &mut Vec<RecordedConnection>,
    open: &mut HashMap<u64, (usize, u64)>,
    [number, event, tick]: [&str; 3],
    rest: &[&str],
) -> Result<(), String> {
    let number: u64 = number.parse().map_err(|_| "invalid connection")?;
    let event: u64 = event.parse().map_err(|_| "invalid number of an event")?;
    let tick = read_time(tick).ok_or("invalid time")?;
    if let ["connection", peer, server, settings @ ..] = rest {
        open.insert(number, (connections.len(), event + 1));
        connections.push(RecordedConnection {
            number,
            peer: (*peer).into(),
            config: config(server, settings)?,
            events: Vec::new(),
            end: End::Missing,
        });
        return Ok(());
    }
    let Some((index, next)) = open.get_mut(&number).filter(|(_, next)| *next == event) else {
        return Ok(());
    };
    *next += 1;
    let connection = &mut connections[*index];
    match rest {
        // Nothing is sent after a shutdown.
        ["shutdown" | "close"] => connection.end = End::Closed,
        ["upgrade"] => connection.end = End::Upgraded,
        ["drop"] => {}
        _ => {
            let kind =
                event_kind(rest).ok_or_else(|| format!("invalid event: {}", rest.join(" ")))?;
            connection.events.push(Event { tick, kind });
        }
    }
    Ok(())
}

fn event_kind(columns: &[&str]) -> Option<EventKind> {
    let bytes = |text| text::bytes(text).ok();
    Some(match columns {
        ["date", unix] => EventKind::Date(unix.parse().ok()?),
        ["upgradable"] => EventKind::Call(Call::AllowUpgrade),
        ["without-tls"] => EventKind::Call(Call::WithoutTls),
        ["finish"] => EventKind::Call(Call::Finish),
        ["peer-closed"] => EventKind::Call(Call::PeerClosed),
        ["peer-reset"] => EventKind::Call(Call::PeerReset),
        ["deadline"] => EventKind::Deadline,
        ["read", read] => EventKind::Input(Input::Bytes(bytes(read)?)),
        ["eof"] => EventKind::Input(Input::Eof),
        ["failed"] => EventKind::Input(Input::Failed),
        ["woken"] => EventKind::Woken,
        ["head", head] => EventKind::Sent(Sent::Head(bytes(head)?)),
        ["content", len] => EventKind::Sent(Sent::Content(len.parse().ok()?)),
        ["content-bytes", content] => EventKind::Sent(Sent::ContentBytes(bytes(content)?)),
        [question, path, answered] if QUESTIONS.contains(question) => EventKind::Answer {
            question: (*question).into(),
            path: bytes(path)?,
            answer: answer(answered)?,
        },
        _ => EventKind::Source(source_event(columns)?),
    })
}

const QUESTIONS: [&str; 9] = [
    "open", "list", "run", "archive", "create", "change", "upload", "verify", "ask",
];

fn source_event(columns: &[&str]) -> Option<SourceEvent> {
    let bytes = |text| text::bytes(text).ok();
    Some(match columns {
        ["file", at, content] => SourceEvent::FileBytes(at.parse().ok()?, bytes(content)?),
        ["file-end", at] => SourceEvent::End(at.parse().ok()?),
        ["refused", error, at] => SourceEvent::Refused(read_fs_error(error)?, at.parse().ok()?),
        ["output", output] => SourceEvent::Output(bytes(output)?),
        ["note", note] => SourceEvent::Note(String::from_utf8_lossy(&bytes(note)?).into_owned()),
        ["working"] => SourceEvent::Working,
        ["stored", len] => SourceEvent::Stored(len.parse().ok()?),
        ["committed"] => SourceEvent::Committed(Ok(())),
        ["uncommitted", error] => SourceEvent::Committed(Err(read_fs_error(error)?)),
        _ => return None,
    })
}

fn answer(text: &str) -> Option<Answer> {
    Some(match text.split(' ').collect::<Vec<_>>()[..] {
        ["file", len, modified, version, executable, sendable] => {
            let unsettled = version.strip_prefix('~');
            let number = unsettled.unwrap_or(version).parse();
            let version = number.ok().map(FileVersion::new);
            let version = version.map(|version| match unsettled {
                Some(_) => version.unsettled(),
                None => version,
            });
            Answer::File {
                meta: Meta::new(len.parse().ok()?)
                    .with_modified(modified.parse().ok())
                    .with_version(version)
                    .with_executable(executable == "x"),
                sendable: sendable == "s",
            }
        }
        ["directory"] => Answer::Directory,
        ["process"] => Answer::Process,
        ["writer"] => Answer::Writer,
        ["upload", offset, len, complete, replaces, lifetime] => Answer::Upload(UploadState {
            token: 0,
            offset: offset.parse().ok()?,
            len: len.parse().ok(),
            is_complete: complete == "c",
            replaces: replaces == "r",
            lifetime: Duration::from_secs(lifetime.parse().ok()?),
        }),
        ["verified"] => Answer::Verified,
        ["changed"] => Answer::Changed,
        ["error", error] => Answer::Failed(read_fs_error(error)?),
        ["listed", ref entries @ ..] => Answer::Listed(Arc::new(listing(entries)?)),
        _ => return None,
    })
}

fn listing(entries: &[&str]) -> Option<Entries> {
    let mut listed = Entries::new();
    for entry in entries {
        let [name, len, modified] = entry.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let (flags, name) = name.split_at_checked(3)?;
        listed.push(Entry {
            name: &text::bytes(name).ok()?,
            directory: flags.starts_with('d'),
            link: flags[1..].starts_with('l'),
            unavailable: flags.ends_with('u'),
            len: len.parse().ok(),
            modified: modified.parse().ok(),
        });
    }
    Some(listed)
}

/// Creates a configuration from `name=number`. Names that are unknown are ignored: they may come from a later version.
fn config(server: &str, settings: &[&str]) -> Result<Config, String> {
    let server = String::from_utf8_lossy(&text::bytes(server)?).into_owned();
    let mut config = Config::default().with_server(server);
    for setting in settings {
        let pair = setting.split_once('=');
        let pair = pair.and_then(|(name, number)| Some((name, number.parse().ok()?)));
        let (name, number) = pair.ok_or_else(|| format!("invalid setting: {setting}"))?;
        set(&mut config, name, number).ok_or_else(|| format!("invalid setting: {setting}"))?;
    }
    Ok(config)
}

fn set(config: &mut Config, name: &str, number: u128) -> Option<()> {
    let size = usize::try_from(number);
    let nanos = u64::try_from(number).map(Duration::from_nanos);
    let (limits, timeouts) = (&mut config.limits, &mut config.timeouts);
    match name {
        "http11" if number == 1 => config.protocol = Protocol::Http11,
        "keep-alive" => config.keep_alive = number == 1,
        "page-for-bad-head" => config.page_for_bad_head = number == 1,
        "request-line" => limits.head.request_line = size.ok()?,
        "field-bytes" => limits.head.field_bytes = size.ok()?,
        "field-count" => limits.head.field_count = size.ok()?,
        "content" => limits.content = number.try_into().ok()?,
        "drain" => limits.drain = number.try_into().ok()?,
        "requests" => limits.requests = number.try_into().ok()?,
        "outbox" => limits.outbox = size.ok().filter(|outbox| *outbox >= 512)?,
        "idle" => timeouts.idle = nanos.ok()?,
        "park" => timeouts.park = nanos.ok()?,
        "head" => timeouts.head = nanos.ok()?,
        "grace" => timeouts.grace = nanos.ok()?,
        "rate" => timeouts.rate = number.try_into().ok()?,
        "receive-buffer" => timeouts.receive_buffer = number.try_into().ok()?,
        "linger" => timeouts.linger = nanos.ok()?,
        "ask" => timeouts.ask = nanos.ok()?,
        "half-closed" => timeouts.half_closed = nanos.ok()?,
        "work" => timeouts.work = nanos.ok()?,
        _ => {}
    }
    Some(())
}
