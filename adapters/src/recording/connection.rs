//! [`ConnectionRecorder`]: records one connection, if the server records at all.

use std::collections::VecDeque;
use std::fmt::{Arguments, Write};
use std::mem;
use std::time::Duration;

use sanserve_core::{
    Ask, Config, Connection, Entries, Got, Handler, Meta, Now, Opened, Protocol, UploadState, Want,
};

use super::message::{Kind, MessageFilter, Part};
use super::{Recorder, notation, secrets};

/// Records one connection; by default nothing. The loop of each adapter calls it, and without a recording that is one
/// comparison for each step.
#[derive(Default)]
pub(crate) struct ConnectionRecorder(Option<Box<ConnectionRecord>>);

impl ConnectionRecorder {
    pub(super) fn new(record: ConnectionRecord) -> ConnectionRecorder {
        ConnectionRecorder(Some(Box::new(record)))
    }

    /// Records the answer to the pending want. Call it directly before the step that takes the answer.
    // The answer is not moved, which would cost more than everything else here.
    #[inline(always)]
    pub(crate) fn record<F, H: Handler>(
        &mut self,
        conn: &mut Connection<F, H>,
        now: Now,
        got: &mut Got<F>,
    ) {
        if let Some(record) = &mut self.0 {
            record.answer(conn, now, got);
        }
    }

    /// Takes note of a call other than a step, before the next step.
    #[inline(always)]
    pub(crate) fn called(&mut self, call: Call) {
        if let Some(record) = &mut self.0 {
            record.called(call);
        }
    }

    /// Takes note of the deadline of the pending want.
    #[inline(always)]
    pub(crate) fn waits_until(&mut self, deadline: Option<Duration>) {
        if let Some(record) = &mut self.0 {
            record.deadline = deadline;
        }
    }

    /// Records that the connection ends as the pending want says. A connection that is dropped without this call was
    /// cut off by the server.
    #[inline(always)]
    pub(crate) fn end<F, H: Handler>(&mut self, conn: &mut Connection<F, H>, now: Now) {
        if let Some(mut record) = self.0.take() {
            record.end_as_wanted(conn, now);
        }
    }
}

/// A call of a method of [`Connection`] other than `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    AllowUpgrade,
    WithoutTls,
    Finish,
    #[cfg_attr(not(unix), expect(dead_code, reason = "needs poll(2)"))]
    PeerClosed,
    #[cfg_attr(not(unix), expect(dead_code, reason = "needs poll(2)"))]
    PeerReset,
}

/// What was recorded of a connection, and what the next events depend on.
pub(super) struct ConnectionRecord {
    recorder: Recorder,
    number: u64,
    /// The number of events so far. A gap shows that events were dropped.
    events: u64,
    /// The first event, until the first step.
    first: Option<String>,
    /// The last date that was recorded.
    unix: Option<i64>,
    /// The time of the last step.
    last_tick: Duration,
    /// All calls, and how many of them were recorded.
    calls: Vec<Call>,
    recorded_calls: usize,
    deadline: Option<Duration>,
    requests: MessageFilter,
    /// Received bytes without their secrets.
    received: Vec<u8>,
    replies: MessageFilter,
    /// The incomplete head of a reply.
    head: Vec<u8>,
    /// The length of the content that was sent since the last event about it.
    content_len: u64,
    /// The output of the open CGI process, if one is open.
    script: Option<MessageFilter>,
    held: VecDeque<Held>,
    has_ended: bool,
}

/// An event that may have to wait, because a line of a request before it is incomplete.
enum Held {
    Event(String),
    /// The next bytes that were received.
    Received {
        tick: Duration,
        len: usize,
    },
}

impl ConnectionRecord {
    pub(super) fn new(
        recorder: Recorder,
        number: u64,
        peer: &str,
        config: &Config,
    ) -> ConnectionRecord {
        ConnectionRecord {
            recorder,
            number,
            events: 0,
            first: Some(format!("connection\t{peer}\t{}", settings(config))),
            unix: None,
            last_tick: Duration::ZERO,
            calls: Vec::new(),
            recorded_calls: 0,
            deadline: None,
            requests: MessageFilter::new(Kind::Request),
            received: Vec::new(),
            replies: MessageFilter::new(Kind::Reply),
            head: Vec::new(),
            content_len: 0,
            script: None,
            held: VecDeque::new(),
            has_ended: false,
        }
    }

    /// Records the answer to the pending want. Not inlined, so that the loops stay small.
    #[cold]
    #[inline(never)]
    fn answer<F, H: Handler>(&mut self, conn: &mut Connection<F, H>, now: Now, got: &mut Got<F>) {
        if self.recorder.0.content {
            // The content of files is recorded when it is read.
            *got = mem::replace(got, Got::Nothing).unsendable();
        }
        self.begin_step(now);
        self.on_answer(now.tick, &conn.pending_want(), got);
        self.write_events();
    }

    #[cold]
    fn called(&mut self, call: Call) {
        if !self.calls.contains(&call) {
            self.calls.push(call);
        }
    }

    /// Records that the connection ends as the pending want says.
    #[cold]
    #[inline(never)]
    fn end_as_wanted<F, H: Handler>(&mut self, conn: &mut Connection<F, H>, now: Now) {
        self.begin_step(now);
        match conn.pending_want() {
            Want::Upgrade => self.end(now.tick, "upgrade"),
            _ => self.end(now.tick, "close"),
        }
        self.write_events();
    }

    /// Records what happened before a step.
    fn begin_step(&mut self, now: Now) {
        self.last_tick = now.tick;
        if let Some(first) = self.first.take() {
            self.event(now.tick, format_args!("{first}"));
        }
        if let (true, Some(unix)) = (self.unix != now.unix, now.unix) {
            self.unix = now.unix;
            self.event(now.tick, format_args!("date\t{unix}"));
        }
        for at in self.recorded_calls..self.calls.len() {
            self.event(now.tick, format_args!("{}", self.calls[at].name()));
        }
        self.recorded_calls = self.calls.len();
    }

    /// Records the answer to the pending want.
    fn on_answer<F>(&mut self, tick: Duration, want: &Want<'_, F>, got: &Got<F>) {
        let has_expired = self.deadline.take().is_some_and(|it| it <= tick);
        match (want, got) {
            // Close is also pending before the first step.
            (Want::Log(_) | Want::Upgrade | Want::Close, _) => {}
            (Want::Shutdown, _) => self.event(tick, format_args!("shutdown")),
            (_, Got::Nothing) if has_expired => self.event(tick, format_args!("deadline")),
            (_, Got::Nothing) => {}
            (_, Got::Failed) => self.event(tick, format_args!("failed")),
            (Want::Read(_), Got::Bytes(0)) => self.event(tick, format_args!("eof")),
            (Want::Read(into), Got::Bytes(n)) => self.on_received(tick, &into[..*n]),
            (Want::Write(from), Got::Bytes(n)) => self.on_sent(tick, &from[..*n]),
            (Want::Copy { at, .. } | Want::ReadFile { at, .. }, Got::Bytes(0)) => {
                self.end_script(tick);
                self.event(tick, format_args!("file-end\t{at}"));
            }
            (Want::Copy { at, .. } | Want::ReadFile { at, .. }, Got::Refused(error)) => {
                self.event(tick, format_args!("refused\t{error:?}\t{at}"));
            }
            (Want::Copy { .. }, Got::Bytes(n)) => {
                self.content_len += *n as u64;
                self.replies.skip(*n as u64);
                self.end_complete_content(tick);
            }
            (Want::ReadFile { at, into, .. }, Got::Bytes(n)) => {
                self.on_file_read(tick, *at, &into[..*n]);
            }
            (Want::WriteFile { .. }, Got::Bytes(n)) => {
                self.event(tick, format_args!("stored\t{n}"));
            }
            (Want::Ask(ask), got) => {
                let is_process = matches!(got, Got::Opened(Ok(Opened::Process(_))));
                self.script = is_process.then(|| MessageFilter::new(Kind::Script));
                self.event(tick, format_args!("{}\t{}", question(ask), answer(got)));
            }
            (_, got) => self.on_result(tick, got),
        }
    }

    /// Records an answer that means the same for all wants.
    fn on_result<F>(&mut self, tick: Duration, got: &Got<F>) {
        match got {
            Got::Working => self.event(tick, format_args!("working")),
            Got::Woken => self.event(tick, format_args!("woken")),
            Got::Note(text) => {
                let bytes = match self.recorder.0.content {
                    true => text.as_bytes().to_vec(),
                    false => vec![b'x'; text.len()],
                };
                self.bytes_event(tick, "note", &bytes);
            }
            Got::Refused(error) => self.event(tick, format_args!("refused\t{error:?}\t0")),
            Got::Committed(Ok(())) => self.event(tick, format_args!("committed")),
            Got::Committed(Err(error)) => self.event(tick, format_args!("uncommitted\t{error:?}")),
            // No adapter gives another answer.
            _ => {}
        }
    }

    fn on_received(&mut self, tick: Duration, bytes: &[u8]) {
        let (received, to_head) = (&mut self.received, &mut self.replies.replies_to_head);
        let shared = &self.recorder.0;
        let on_part = &mut |part: Part<'_>| match part {
            Part::Content(bytes) if !shared.content => {
                received.resize(received.len() + bytes.len(), b'x');
            }
            Part::FirstLine(bytes) => {
                to_head.push_back(bytes.starts_with(b"HEAD "));
                received.extend_from_slice(bytes);
            }
            Part::Line(bytes) | Part::HeadEnd(bytes) => received.extend_from_slice(bytes),
            Part::Framing(bytes) | Part::Content(bytes) => received.extend_from_slice(bytes),
            // Not even with content: it may be a head.
            Part::Unknown(bytes) => {
                let start = received.len();
                received.extend_from_slice(bytes);
                secrets::remove_words(&mut received[start..]);
            }
        };
        self.requests.feed(&shared.names, bytes, on_part);
        let len = bytes.len();
        self.held.push_back(Held::Received { tick, len });
    }

    fn on_sent(&mut self, tick: Duration, bytes: &[u8]) {
        let mut replies = mem::replace(&mut self.replies, MessageFilter::new(Kind::Reply));
        let recorder = self.recorder.clone();
        let on_part = &mut |part: Part<'_>| match part {
            Part::FirstLine(bytes) | Part::Line(bytes) => self.head.extend_from_slice(bytes),
            Part::HeadEnd(bytes) => {
                self.head.extend_from_slice(bytes);
                self.end_content(tick);
                let head = mem::take(&mut self.head);
                self.bytes_event(tick, "head", &head);
            }
            Part::Framing(_) => {}
            Part::Content(bytes) | Part::Unknown(bytes) if recorder.0.content => {
                self.bytes_event(tick, "content-bytes", bytes);
            }
            Part::Content(bytes) | Part::Unknown(bytes) => self.content_len += bytes.len() as u64,
        };
        replies.feed(&recorder.0.names, bytes, on_part);
        self.replies = replies;
        self.end_complete_content(tick);
    }

    /// Records the content that was sent, if the reply is complete.
    fn end_complete_content(&mut self, tick: Duration) {
        if self.replies.is_between_messages() {
            self.end_content(tick);
        }
    }

    /// Records the content that was sent.
    fn end_content(&mut self, tick: Duration) {
        let len = mem::take(&mut self.content_len);
        if len > 0 {
            self.event(tick, format_args!("content\t{len}"));
        }
    }

    fn on_file_read(&mut self, tick: Duration, at: u64, bytes: &[u8]) {
        match &mut self.script {
            Some(script) => {
                let (mut output, shared) = (Vec::new(), &self.recorder.0);
                script.feed(&shared.names, bytes, &mut |part| match part {
                    Part::Content(bytes) | Part::Unknown(bytes) if !shared.content => {
                        output.resize(output.len() + bytes.len(), b'x');
                    }
                    Part::Content(bytes) | Part::Unknown(bytes) => output.extend_from_slice(bytes),
                    Part::Framing(bytes) => output.extend_from_slice(bytes),
                    Part::FirstLine(bytes) | Part::Line(bytes) | Part::HeadEnd(bytes) => {
                        output.extend_from_slice(bytes);
                    }
                });
                if !output.is_empty() {
                    self.bytes_event(tick, "output", &output);
                }
            }
            None if self.recorder.0.content => {
                self.bytes_event(tick, &format!("file\t{at}"), bytes);
            }
            None => {}
        }
    }

    /// Records the last line of a script's output, if it has no end.
    fn end_script(&mut self, tick: Duration) {
        let Some(script) = &mut self.script else {
            return;
        };
        let mut output = Vec::new();
        script.finish(&self.recorder.0.names, &mut |part| {
            if let Part::Line(bytes) = part {
                output.extend_from_slice(bytes);
            }
        });
        if !output.is_empty() {
            self.bytes_event(tick, "output", &output);
        }
    }

    /// Records the end of the connection.
    fn end(&mut self, tick: Duration, event: &str) {
        if mem::replace(&mut self.has_ended, true) {
            return;
        }
        self.give_up_line();
        let head = mem::take(&mut self.head);
        if !head.is_empty() {
            self.bytes_event(tick, "head", &head);
        }
        self.end_content(tick);
        self.event(tick, format_args!("{event}"));
    }

    /// Adds an event. Its arguments contain no line break.
    fn event(&mut self, tick: Duration, arguments: Arguments<'_>) {
        let (seconds, nanos) = (tick.as_secs(), tick.subsec_nanos());
        let event = format!("{seconds}.{nanos:09}\t{arguments}");
        self.held.push_back(Held::Event(event));
    }

    fn bytes_event(&mut self, tick: Duration, name: &str, bytes: &[u8]) {
        let mut text = String::from(name);
        text.push('\t');
        notation::push(&mut text, bytes);
        self.event(tick, format_args!("{text}"));
    }

    /// Writes the events that do not have to wait.
    fn write_events(&mut self) {
        if self.held.len() > HELD_MAX {
            self.give_up_line();
        }
        let mut lines = String::new();
        while let Some(held) = self.held.front() {
            if let Held::Received { len, .. } = held
                && *len > self.received.len()
            {
                break;
            }
            let _ = write!(lines, "{}\t{}\t", self.number, self.events);
            match self.held.pop_front() {
                Some(Held::Event(event)) => lines.push_str(&event),
                Some(Held::Received { tick, len }) => {
                    let (seconds, nanos) = (tick.as_secs(), tick.subsec_nanos());
                    let _ = write!(lines, "{seconds}.{nanos:09}\tread\t");
                    notation::push(&mut lines, &self.received[..len]);
                    self.received.drain(..len);
                }
                None => {}
            }
            lines.push('\n');
            self.events += 1;
        }
        if !lines.is_empty() {
            self.recorder.0.sink.push(&lines);
        }
    }

    /// Removes the content of the incomplete line of a request, so that no event has to wait for its end.
    fn give_up_line(&mut self) {
        let received = &mut self.received;
        self.requests.give_up(&mut |part| {
            if let Part::Line(bytes) = part {
                received.extend_from_slice(bytes);
            }
        });
    }
}

impl Drop for ConnectionRecord {
    fn drop(&mut self) {
        // Without a step there was no connection to record.
        if self.first.is_none() {
            self.end(self.last_tick, "drop");
            self.write_events();
        }
    }
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::AllowUpgrade => "upgradable",
            Call::WithoutTls => "without-tls",
            Call::Finish => "finish",
            Call::PeerClosed => "peer-closed",
            Call::PeerReset => "peer-reset",
        }
    }
}

/// Returns the settings on which replies depend, as far as they are not functions. Durations are in nanoseconds.
fn settings(config: &Config) -> String {
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    let numbers = [
        ("http11", u128::from(config.protocol == Protocol::Http11)),
        ("keep-alive", config.keep_alive.into()),
        ("page-for-bad-head", config.page_for_bad_head.into()),
        ("request-line", limits.head.request_line as u128),
        ("field-bytes", limits.head.field_bytes as u128),
        ("field-count", limits.head.field_count as u128),
        ("content", limits.content.into()),
        ("drain", limits.drain.into()),
        ("requests", limits.requests.into()),
        ("outbox", limits.outbox as u128),
        ("idle", timeouts.idle.as_nanos()),
        ("park", timeouts.park.as_nanos()),
        ("head", timeouts.head.as_nanos()),
        ("grace", timeouts.grace.as_nanos()),
        ("rate", timeouts.rate.into()),
        ("receive-buffer", timeouts.receive_buffer.into()),
        ("linger", timeouts.linger.as_nanos()),
        ("ask", timeouts.ask.as_nanos()),
        ("half-closed", timeouts.half_closed.as_nanos()),
        ("work", timeouts.work.as_nanos()),
    ];
    let mut text = String::new();
    notation::push(&mut text, config.server.as_bytes());
    for (name, number) in numbers {
        let _ = write!(text, "\t{name}={number}");
    }
    text
}

/// Returns a question to the file system as text, without credentials and environment.
fn question(ask: &Ask) -> String {
    let (name, path) = match ask {
        Ask::Open(path) => ("open", path.as_bytes()),
        Ask::List(path) => ("list", path.as_bytes()),
        Ask::Run(script) => ("run", script.path.as_bytes()),
        Ask::Archive(request) => ("archive", request.path.as_bytes()),
        Ask::Create(create) => ("create", create.path.as_bytes()),
        Ask::Change(change) => ("change", change.path().as_bytes()),
        Ask::Upload(request) => ("upload", request.path().as_bytes()),
        Ask::Verify(_) => ("verify", &b""[..]),
        _ => ("ask", &b""[..]),
    };
    let mut text = String::from(name);
    text.push('\t');
    notation::push(&mut text, path);
    text
}

/// Returns the answer to a question as text.
fn answer<F>(got: &Got<F>) -> String {
    match got {
        Got::Opened(Ok(Opened::File { meta, sendable, .. })) => file_answer(meta, *sendable),
        Got::Opened(Ok(Opened::Directory)) => "directory".into(),
        Got::Opened(Ok(Opened::Process(_))) => "process".into(),
        Got::Opened(Ok(Opened::Writer(_))) => "writer".into(),
        Got::Opened(Ok(Opened::Upload { state, .. })) => upload_answer(state),
        Got::Listed(Ok(entries)) => listing(entries),
        Got::Verified(Ok(())) => "verified".into(),
        Got::Committed(Ok(())) => "changed".into(),
        Got::Opened(Err(error))
        | Got::Listed(Err(error))
        | Got::Verified(Err(error))
        | Got::Committed(Err(error)) => format!("error {error:?}"),
        _ => "unknown".into(),
    }
}

fn file_answer(meta: &Meta, sendable: bool) -> String {
    let version = meta.version.map(|version| {
        let settled = if version.is_settled() { "" } else { "~" };
        format!("{settled}{}", version.number())
    });
    let executable = if meta.executable { "x" } else { "-" };
    let sendable = if sendable { "s" } else { "-" };
    let (len, modified) = (meta.len, or_dash(meta.modified));
    format!(
        "file {len} {modified} {} {executable} {sendable}",
        or_dash(version)
    )
}

/// Returns the state of an upload without its token, which is a secret.
fn upload_answer(state: &UploadState) -> String {
    let complete = if state.is_complete { "c" } else { "-" };
    let replaces = if state.replaces { "r" } else { "-" };
    let (offset, len, lifetime) = (state.offset, or_dash(state.len), state.lifetime.as_secs());
    format!("upload {offset} {len} {complete} {replaces} {lifetime}")
}

/// Returns the entries of a directory, separated by spaces: the kind and the name, the length, and the time. No name
/// contains a slash.
fn listing(entries: &Entries) -> String {
    let mut text = String::from("listed");
    for entry in entries.iter() {
        text.push(' ');
        for (is_set, letter) in [
            (entry.directory, 'd'),
            (entry.link, 'l'),
            (entry.unavailable, 'u'),
        ] {
            text.push(if is_set { letter } else { '-' });
        }
        let mut name = String::new();
        notation::push(&mut name, entry.name);
        text.push_str(&name.replace(' ', "\\x20"));
        let _ = write!(text, "/{}/{}", or_dash(entry.len), or_dash(entry.modified));
    }
    text
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or("-".into(), |value| value.to_string())
}

/// The most events that wait for the end of a line.
const HELD_MAX: usize = 1024;
