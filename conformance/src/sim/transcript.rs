//! [`Transcript`]: records the wants and answers of a connection as text, one line for each step. `replay` reads it.
//!
//! ```text
//! connection  0  handler  3  peer  192.0.2.1  date  1767225600  config  1 65536 … 30000000000
//! 1000.000000000  read 512  1060.000000000    18  GET / HTTP/1.0\r\n\r\n
//! 1000.000000000  open      1030.000000000  index.html  file 6 1600000000 - - s
//! ```
//!
//! The columns, separated by tabs: the time of the step, the want, its deadline or `-`, the bytes or arguments of the want,
//! the answer, and its bytes. Bytes are written as in [`text`](crate::text). A line `TIME finish` marks a call of
//! `finish()`, and a line `upgradable` one of `allow_upgrade()`.

use std::fmt::Write;
use std::time::Duration;

use sanserve_core::{Ask, Config, Got, Opened, Protocol, Want};

use super::mistake_log;
use crate::text::show;

/// The steps of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    text: String,
    /// The last line has a want, but no answer yet.
    unanswered: bool,
    bytes: Vec<u8>,
}

impl Transcript {
    /// Starts the transcript of a connection.
    pub(super) fn new(
        number: usize,
        handler: u64,
        peer: &str,
        unix: Option<i64>,
        config: &Config,
        upgradable: bool,
    ) -> Self {
        let date = unix.map_or("-".into(), |unix| unix.to_string());
        let config = config_numbers(config).map(|number| number.to_string());
        let mut text = format!(
            "connection\t{number}\thandler\t{handler}\tpeer\t{peer}\tdate\t{date}\tconfig\t{}\n",
            config.join(" ")
        );
        if upgradable {
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

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn want<F>(
        &mut self,
        now: Duration,
        want: &Want<'_, F>,
        deadline: Option<Duration>,
    ) {
        let (want, lent) = describe(want);
        let deadline = deadline.map_or("-".into(), time);
        let _ = write!(self.text, "{}\t{want}	{deadline}\t{lent}", time(now));
        self.unanswered = true;
    }

    /// Completes the last line, and returns the text.
    pub(super) fn end(mut self) -> String {
        self.got::<()>(&Got::Nothing);
        self.text
    }

    pub(super) fn got<F>(&mut self, got: &Got<F>) {
        if std::mem::replace(&mut self.unanswered, false) {
            let _ = writeln!(self.text, "\t{}\t{}", answer(got), show(&self.bytes));
        }
        self.bytes.clear();
    }
}

/// Returns the name of a want, and its bytes or arguments.
pub(super) fn describe<F>(want: &Want<'_, F>) -> (String, String) {
    let plain = |want: &str| (want.to_string(), String::new());
    match want {
        Want::Read(into) => (format!("read {}", into.len()), String::new()),
        Want::Write(from) => (format!("write {}", from.len()), show(from)),
        Want::ReadFile { at, into, .. } => {
            (format!("read-file {at} {}", into.len()), String::new())
        }
        Want::Copy { at, len, .. } => (format!("copy {at} {len}"), String::new()),
        Want::WriteFile { from, .. } => (format!("write-file {}", from.len()), show(from)),
        Want::Ask(Ask::Open(path)) => ("open".into(), show(path.as_bytes())),
        Want::Ask(Ask::List(path)) => ("list".into(), show(path.as_bytes())),
        // Without the password, which is in the request anyway.
        Want::Ask(Ask::Verify(given)) => ("verify".into(), show(given.user().as_bytes())),
        Want::Ask(Ask::Run(script)) => ("run".into(), show(format!("{script:?}").as_bytes())),
        Want::Ask(Ask::Archive(request)) => {
            ("archive".into(), show(format!("{request:?}").as_bytes()))
        }
        Want::Ask(Ask::Create(create)) => ("create".into(), show(format!("{create:?}").as_bytes())),
        Want::Ask(other) => ("ask".into(), show(format!("{other:?}").as_bytes())),
        Want::Log(lines) => ("log".into(), show(lines.as_bytes())),
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
