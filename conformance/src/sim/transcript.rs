//! [`Transcript`]: records the wants and answers of a connection as text, one line for each step. `replay` reads it.
//!
//! ```text
//! connection  0  handler  3  peer  192.0.2.1  date  1767225600  config  1 65536 … 30000000000
//! 1000.000000000  read 512  1060.000000000    18  GET / HTTP/1.0\r\n\r\n  short0
//! # handler: begin GET / HTTP/1.0 -> Open(/index.html)
//! 1000.000000000  open      1030.000000000  index.html  file 6 1600000000 - - s
//! ```
//!
//! The columns, separated by tabs: the time of the step, the want, its deadline or `-`, the arguments of the want or
//! the bytes of it that were accepted, the answer, its bytes, and the faults, numbered as in a [`Seed`](super::Seed).
//! Bytes are written as in [`text`](crate::text). A line `TIME finish` marks a call of `finish()`, and a line
//! `upgradable` one of `allow_upgrade()`. Lines that begin with `#` are not replayed: the calls of the handler, which
//! precede the want that they lead to, and the replies.

use std::fmt::Write;
use std::time::Duration;

use sanserve_core::{Ask, Config, Got, Opened, Protocol, Want};

use super::conversation::Conversation;
use super::driver::address;
use super::faults::FaultClass;
use super::mistake_log;
use super::shown::{brief, exact};
use crate::text::show;

/// The steps of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    text: String,
    /// The last want, which has no answer yet.
    unanswered: Option<Unanswered>,
    /// The bytes of its answer.
    bytes: Vec<u8>,
    faults: String,
    /// The lines that follow.
    comments: String,
}

#[derive(Clone, Debug)]
struct Unanswered {
    now: Duration,
    want: String,
    deadline: Option<Duration>,
    argument: String,
    /// The bytes that may be accepted.
    offered: Vec<u8>,
}

/// What belongs to a want.
pub(super) enum Argument<'a> {
    Text(String),
    /// Bytes, some of which may be accepted.
    Bytes(&'a [u8]),
}

impl Argument<'_> {
    /// Formats it, with as many bytes as were accepted.
    pub(super) fn show(&self, accepted: usize) -> String {
        match self {
            Argument::Text(text) => text.clone(),
            Argument::Bytes(bytes) => brief(&bytes[..accepted.min(bytes.len())]),
        }
    }
}

impl Transcript {
    /// Starts the transcript of a connection.
    pub(super) fn new(conversation: &Conversation) -> Self {
        let (number, handler) = (conversation.number, conversation.handler);
        let peer = address(number);
        let date = conversation
            .unix
            .map_or("-".into(), |unix| unix.to_string());
        let config = config_numbers(&conversation.config).map(|number| number.to_string());
        let config = config.join(" ");
        let mut text = format!(
            "connection\t{number}\thandler\t{handler}\tpeer\t{peer}\tdate\t{date}\tconfig\t{config}\n"
        );
        if conversation.upgradable {
            text.push_str("upgradable\n");
        }
        Transcript {
            text,
            ..Transcript::default()
        }
    }

    /// Records a call of `finish()` before the next step.
    pub(super) fn finish(&mut self, now: Duration) {
        let _ = writeln!(self.text, "{}\tfinish", time(now));
    }

    /// Adds a line that is not replayed, after that of the last want.
    pub(super) fn comment(&mut self, text: &str) {
        let _ = writeln!(self.comments, "# {text}");
        if self.unanswered.is_none() {
            self.text.push_str(&std::mem::take(&mut self.comments));
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn fault(&mut self, class: FaultClass, occasion: usize) {
        let space = if self.faults.is_empty() { "" } else { " " };
        let _ = write!(self.faults, "{space}{}{occasion}", class.name());
    }

    pub(super) fn want<F>(
        &mut self,
        now: Duration,
        want: &Want<'_, F>,
        deadline: Option<Duration>,
    ) {
        let (want, argument) = describe(want);
        let (argument, offered) = match argument {
            Argument::Text(text) => (text, Vec::new()),
            Argument::Bytes(bytes) => (String::new(), bytes.to_vec()),
        };
        self.unanswered = Some(Unanswered {
            now,
            want,
            deadline,
            argument,
            offered,
        });
    }

    /// Completes the last line, and returns the text.
    pub(super) fn end(mut self) -> String {
        self.got::<()>(&Got::Nothing);
        self.text
    }

    pub(super) fn got<F>(&mut self, got: &Got<F>) {
        if let Some(last) = self.unanswered.take() {
            let deadline = last.deadline.map_or("-".into(), time);
            let argument = match last.offered.is_empty() {
                true => last.argument,
                false => Argument::Bytes(&last.offered).show(accepted(got)),
            };
            let (now, want, faults) = (time(last.now), last.want, &self.faults);
            let (answer, bytes) = (answer(got), exact(&self.bytes));
            let _ = writeln!(
                self.text,
                "{now}\t{want}\t{deadline}\t{argument}\t{answer}\t{bytes}\t{faults}"
            );
            self.faults.clear();
            self.text.push_str(&std::mem::take(&mut self.comments));
        }
        self.bytes.clear();
    }
}

/// Returns how many of the offered bytes were accepted.
pub(super) fn accepted<F>(got: &Got<F>) -> usize {
    match got {
        Got::Bytes(n) => *n,
        _ => 0,
    }
}

/// Returns the name of a want, and what belongs to it.
pub(super) fn describe<'a, F>(want: &'a Want<'_, F>) -> (String, Argument<'a>) {
    let text = |want: &str, text: &[u8]| (want.to_string(), Argument::Text(show(text)));
    let plain = |want: &str| text(want, b"");
    match want {
        Want::Read(into) => plain(&format!("read {}", into.len())),
        Want::Write(from) => (format!("write {}", from.len()), Argument::Bytes(from)),
        Want::ReadFile { at, into, .. } => plain(&format!("read-file {at} {}", into.len())),
        Want::Copy { at, len, .. } => plain(&format!("copy {at} {len}")),
        Want::WriteFile { from, .. } => {
            (format!("write-file {}", from.len()), Argument::Bytes(from))
        }
        Want::Ask(Ask::Open(path)) => text("open", path.as_bytes()),
        Want::Ask(Ask::List(path)) => text("list", path.as_bytes()),
        // Without the password, which is in the request anyway.
        Want::Ask(Ask::Verify(given)) => text("verify", given.user().as_bytes()),
        Want::Ask(Ask::Run(script)) => text("run", format!("{script:?}").as_bytes()),
        Want::Ask(Ask::Archive(request)) => text("archive", format!("{request:?}").as_bytes()),
        Want::Ask(Ask::Create(create)) => text("create", format!("{create:?}").as_bytes()),
        Want::Ask(Ask::Change(change)) => text("change", format!("{change:?}").as_bytes()),
        Want::Ask(Ask::Upload(request)) => text("upload", format!("{request:?}").as_bytes()),
        Want::Ask(other) => text("ask", format!("{other:?}").as_bytes()),
        Want::Log(lines) => text("log", lines.as_bytes()),
        Want::Commit { .. } => plain("commit"),
        Want::Wait => plain("wait"),
        Want::Upgrade => plain("upgrade"),
        Want::Shutdown => plain("shutdown"),
        Want::Close => plain("close"),
    }
}

fn answer<F>(got: &Got<F>) -> String {
    match got {
        Got::Nothing => "nothing".into(),
        Got::Bytes(n) => n.to_string(),
        Got::Failed => "failed".into(),
        Got::Refused(error) => format!("refused {error:?}"),
        Got::Working => "working".into(),
        Got::Woken => "woken".into(),
        Got::Committed(Ok(())) => "committed".into(),
        Got::Committed(Err(error)) => format!("uncommitted {error:?}"),
        Got::Note(note) => format!("note {}", show(note.as_bytes())),
        Got::Opened(Ok(Opened::File { meta, sendable, .. })) => {
            let modified = meta.modified.map_or("-".into(), |unix| unix.to_string());
            let version = meta
                .version
                .map_or("-".into(), |version| version.number().to_string());
            let flag = |set: bool, name| if set { name } else { "-" };
            format!(
                "file {} {modified} {version} {} {}",
                meta.len,
                flag(meta.executable, "x"),
                flag(*sendable, "s")
            )
        }
        Got::Opened(Ok(Opened::Directory)) => "directory".into(),
        Got::Opened(Ok(Opened::Process(_))) => "process".into(),
        Got::Opened(Ok(Opened::Writer(_))) => "writer".into(),
        Got::Opened(Ok(Opened::Upload { state, .. })) => {
            let len = state.len.map_or("-".into(), |len| len.to_string());
            format!(
                "upload {} {} {len} {} {} {}",
                state.token,
                state.offset,
                state.is_complete,
                state.replaces,
                state.lifetime.as_secs()
            )
        }
        Got::Opened(Err(error)) => format!("error {error:?}"),
        Got::Listed(Err(error)) => format!("unlisted {error:?}"),
        Got::Verified(Ok(())) => "verified".into(),
        Got::Verified(Err(error)) => format!("unverified {error:?}"),
        Got::Listed(Ok(entries)) => {
            let mut text = String::from("listed");
            for entry in entries.iter() {
                let kind = match (entry.directory, entry.link) {
                    (false, false) => "f",
                    (true, false) => "d",
                    (false, true) => "l",
                    (true, true) => "k",
                };
                let kind = match (entry.unavailable, kind) {
                    (true, "l") => "m",
                    (true, _) => "u",
                    (false, kind) => kind,
                };
                // A space would end the name.
                let name = show(entry.name).replace(' ', "\\x20");
                let _ = write!(text, " {kind}{name}");
            }
            text
        }
        _ => unreachable!("transcripts have no name for this answer"),
    }
}

/// Formats a time in seconds, with nanoseconds.
pub(super) fn time(time: Duration) -> String {
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}

/// Returns all settings that are numbers.
fn config_numbers(config: &Config) -> [u128; 14] {
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    [
        u128::from(config.protocol == Protocol::Http11),
        limits.head.request_line as u128,
        limits.head.field_bytes as u128,
        limits.content.into(),
        limits.drain.into(),
        limits.requests.into(),
        limits.outbox as u128,
        timeouts.idle.as_nanos(),
        timeouts.park.as_nanos(),
        timeouts.head.as_nanos(),
        timeouts.grace.as_nanos(),
        timeouts.rate.into(),
        timeouts.linger.as_nanos(),
        timeouts.ask.as_nanos(),
    ]
}

/// Creates a configuration from these numbers.
pub(super) fn config(numbers: &[u128]) -> Option<Config> {
    let mut config = mistake_log::set(Config::default());
    let (limits, timeouts) = (&mut config.limits, &mut config.timeouts);
    let &[
        protocol,
        request_line,
        fields,
        content,
        drain,
        requests,
        outbox,
        idle,
        park,
        head,
        grace,
        rate,
        linger,
        ask,
    ] = numbers
    else {
        return None;
    };
    if protocol == 1 {
        config.protocol = Protocol::Http11;
    }
    limits.head.request_line = request_line.try_into().ok()?;
    limits.head.field_bytes = fields.try_into().ok()?;
    limits.content = content.try_into().ok()?;
    limits.drain = drain.try_into().ok()?;
    limits.requests = requests.try_into().ok()?;
    limits.outbox = outbox.try_into().ok()?;
    let time = |nanos: u128| Some(Duration::from_nanos(nanos.try_into().ok()?));
    timeouts.idle = time(idle)?;
    timeouts.park = time(park)?;
    timeouts.head = time(head)?;
    timeouts.grace = time(grace)?;
    timeouts.rate = rate.try_into().ok()?;
    timeouts.linger = time(linger)?;
    timeouts.ask = time(ask)?;
    Some(config)
}
