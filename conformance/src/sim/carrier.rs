//! [`Carrier`]: the adapter of a simulated world. It answers each want at once or later, well or badly,
//! as the dice say, and notes what it did.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sanserve_core::{Ask, Connection, FileSystem, FsError, Got, Handler, Now, Opened, Step, Want};

use super::conversation::{Answer, Asked, Conversation};
use super::faults::Weather;
use super::held::{Held, Tally};
use super::peer::Peer;
use super::reader::End;
use super::transcript::Transcript;
use super::watch::{Notes, Watch};

/// One connection of a world, and its adapter.
pub(super) struct Carrier<F, H> {
    conn: Connection<Held<F>, Watch<H>>,
    notes: Rc<RefCell<Notes>>,
    tally: Tally,
    peer: Peer,
    weather: Weather,
    pub(super) said: Conversation,
    /// The answer to what is wanted, and when it comes.
    got: Got<Held<F>>,
    pub(super) at: Duration,
    /// When it is too late for that.
    by: Option<Duration>,
    /// How many requests there were when it was told to come to its end.
    finished: Option<usize>,
    failed: bool,
    pub(super) transcript: Option<Transcript>,
}

impl<F, H: Handler> Carrier<F, H> {
    pub(super) fn new(
        said: Conversation,
        peer: Peer,
        weather: Weather,
        handler: H,
        start: Duration,
    ) -> Self {
        let (watch, notes) = Watch::new(handler);
        Carrier {
            conn: Connection::new(said.config, &address(said.number), watch),
            notes,
            tally: Tally::default(),
            peer,
            weather,
            said,
            got: Got::Nothing,
            at: start,
            by: None,
            finished: None,
            failed: false,
            transcript: None,
        }
    }

    /// What is known of it in the end, and its transcript.
    pub(super) fn end(mut self) -> (Conversation, String) {
        self.said.requests = std::mem::take(&mut self.notes.borrow_mut().requests);
        let transcript = self.transcript.take();
        (self.said, transcript.map_or(String::new(), Transcript::end))
    }

    /// The clock has leapt.
    pub(super) fn leapt(&mut self) {
        self.said.mishaps.late = true;
    }

    /// Takes one step: tells what was got, and sees to what is wanted.
    pub(super) fn turn<S: FileSystem<File = F>>(&mut self, now: Duration, fs: &S) {
        if self.by.is_some_and(|by| now >= by) {
            self.said.mishaps.late = true;
        }
        let got = std::mem::replace(&mut self.got, Got::Nothing);
        if let Some(transcript) = &mut self.transcript {
            transcript.got(&got);
        }
        if self.finished.is_none() && self.weather.roll(|faults| faults.finish) {
            self.conn.finish();
            self.said.mishaps.finished = true;
            self.finished = Some(self.notes.borrow().requests.len());
            if let Some(transcript) = &mut self.transcript {
                transcript.finish(now);
            }
        }
        let time = Now {
            tick: now,
            unix: self.said.unix,
        };
        let Step { want, by } = self.conn.step(time, got);
        self.said.counts.steps += 1;
        let waits = !matches!(want, Want::Log(_) | Want::Shutdown | Want::Close);
        self.said.counts.endless += u64::from(waits && by.is_none());
        self.said.counts.overdue += u64::from(by.is_some_and(|by| by <= now));
        self.by = by;
        let by = by.unwrap_or(now + Duration::from_secs(1));
        if let Some(transcript) = &mut self.transcript {
            transcript.want(now, &want, self.by);
        }
        let mut hands = Hands {
            now,
            by: by.max(now + Duration::from_nanos(1)),
            peer: &mut self.peer,
            weather: &mut self.weather,
            said: &mut self.said,
            tally: &self.tally,
            failed: &mut self.failed,
            transcript: &mut self.transcript,
            silent: false,
        };
        (self.at, self.got) = hands.see_to(want, fs);
        if hands.silent {
            self.by = None;
        }
        self.count();
    }

    fn count(&mut self) {
        let notes = self.notes.borrow();
        let counts = &mut self.said.counts;
        counts.allocated = counts.allocated.max(self.conn.allocated());
        if notes.done {
            counts.lingered = counts.lingered.max(self.tally.get());
        }
        if let Some(before) = self.finished {
            counts.after_finish = (notes.requests.len() - before) as u64;
        }
    }
}

/// What a want is seen to with.
struct Hands<'a> {
    now: Duration,
    by: Duration,
    peer: &'a mut Peer,
    weather: &'a mut Weather,
    said: &'a mut Conversation,
    tally: &'a Tally,
    failed: &'a mut bool,
    transcript: &'a mut Option<Transcript>,
    /// The peer has said all it will ever say: that a deadline passes now is no mishap.
    silent: bool,
}

/// When the answer comes, and which.
type Later<F> = (Duration, Got<Held<F>>);

impl Hands<'_> {
    fn see_to<S: FileSystem>(&mut self, want: Want<'_, Held<S::File>>, fs: &S) -> Later<S::File> {
        match want {
            Want::Log(lines) => {
                self.said.log.push_str(lines);
                (self.now, Got::Nothing)
            }
            Want::Close => {
                self.said.counts.held = self.tally.get();
                self.said.counts.closed = true;
                (self.now, Got::Nothing)
            }
            Want::Shutdown => {
                let counts = &mut self.said.counts;
                counts.lingered = counts.lingered.max(self.tally.get());
                counts.shutdown = true;
                self.use_link();
                (self.now, Got::Nothing)
            }
            Want::Read(into) => self.read(into),
            Want::Write(from) => self.write(from),
            Want::Copy { file, at, len } => self.copy(file, at, len, fs),
            Want::Fill { file, at, into } => self.fill(file, at, into, fs),
            Want::Give { file, from } => self.give(file, from, fs),
            Want::Ask(ask) => self.answer(ask, fs),
        }
    }

    /// What came into the connection goes into the transcript.
    fn write_down(&mut self, bytes: &[u8]) {
        if let Some(transcript) = self.transcript {
            transcript.bytes(bytes);
        }
    }

    fn use_link(&mut self) {
        self.said.counts.after_failure += u64::from(*self.failed);
    }

    fn fail<F>(&mut self) -> Later<F> {
        *self.failed = true;
        self.said.mishaps.reset = true;
        (self.now, Got::Failed)
    }

    /// What goes wrong with every kind of want: nothing comes, for no reason or before it is too late.
    fn nothing<F>(&mut self) -> Option<Later<F>> {
        if self.weather.roll(|faults| faults.nothing) {
            self.said.counts.pauses += 1;
            return Some((self.weather.soon(self.now, self.by), Got::Nothing));
        }
        self.weather
            .roll(|faults| faults.late)
            .then(|| self.expire())
    }

    fn expire<F>(&mut self) -> Later<F> {
        self.said.counts.pauses += 1;
        (self.weather.too_late(self.by), Got::Nothing)
    }

    fn soon<F>(&mut self, n: usize) -> Later<F> {
        self.said.counts.moved += n as u64;
        (self.weather.soon(self.now, self.by), Got::Bytes(n))
    }

    fn read<F>(&mut self, into: &mut [u8]) -> Later<F> {
        self.use_link();
        self.is_served();
        if self.peer.taken >= self.peer.breaks_in || self.weather.roll(|faults| faults.reset) {
            return self.fail();
        }
        if let Some(later) = self.nothing() {
            return later;
        }
        let mut at = self.now;
        if self.peer.here(at).is_empty() {
            match self.peer.next() {
                Some(next) if next < self.by => at = next,
                None if self.peer.half_close => return (at, Got::Bytes(0)),
                next => {
                    self.silent = next.is_none();
                    return self.expire();
                }
            }
        }
        let here = self.peer.here(at);
        let n = self.weather.part(here.len().min(into.len()));
        into[..n].copy_from_slice(&here[..n]);
        self.peer.taken += n;
        self.said.counts.moved += n as u64;
        self.write_down(&into[..n]);
        (at.max(self.weather.soon(self.now, self.by)), Got::Bytes(n))
    }

    /// A peer that has said all of what it has to say so far is not waited for: it waits itself.
    fn is_served(&mut self) {
        if let Some(whole) = self.peer.whole_requests()
            && !self.said.counts.shutdown
        {
            let replies = self.said.replies().map_or(0, |replies| {
                let whole = replies.iter().filter(|reply| reply.end != End::Cut);
                whole.count()
            });
            self.said.counts.starved += u64::from(replies < whole);
        }
    }

    /// Whether the peer takes `len` bytes now; how many, or what comes of it.
    fn takes<F>(&mut self, len: usize) -> Result<usize, Later<F>> {
        self.use_link();
        let gone = self.said.output.len();
        if gone >= self.peer.breaks_out || self.weather.roll(|faults| faults.reset) {
            return Err(self.fail());
        }
        if let Some(later) = self.nothing() {
            return Err(later);
        }
        match self.peer.takes.saturating_sub(gone) {
            0 => Err(self.expire()),
            room => Ok(self.weather.part(len.min(room))),
        }
    }

    fn write<F>(&mut self, from: &[u8]) -> Later<F> {
        match self.takes(from.len()) {
            Ok(n) => {
                self.said.output.extend_from_slice(&from[..n]);
                self.soon(n)
            }
            Err(later) => later,
        }
    }

    fn copy<S: FileSystem>(
        &mut self,
        file: &mut Held<S::File>,
        at: u64,
        len: u64,
        fs: &S,
    ) -> Later<S::File> {
        let len = usize::try_from(len).map_or(COPY_MAX, |len| len.min(COPY_MAX));
        let n = match self.takes(len) {
            Ok(n) => n,
            Err(later) => return later,
        };
        let from = self.said.output.len();
        self.said.output.resize(from + n, 0);
        let got = fs.fill(&mut file.file, at, &mut self.said.output[from..]);
        let Got::Bytes(n) = got else {
            self.said.output.truncate(from);
            return self.fail();
        };
        self.said.output.truncate(from + n);
        let bytes = self.said.output[from..].to_vec();
        self.see(file.answer, at, &bytes);
        self.soon(n)
    }

    fn fill<S: FileSystem>(
        &mut self,
        file: &mut Held<S::File>,
        at: u64,
        into: &mut [u8],
        fs: &S,
    ) -> Later<S::File> {
        if let Some(later) = self.nothing() {
            return later;
        }
        let n = self.weather.part(into.len());
        match fs.fill(&mut file.file, at, &mut into[..n]) {
            Got::Bytes(_) | Got::Failed if self.weather.roll(|faults| faults.broken) => {
                self.said.mishaps.broken = true;
                (self.now, Got::Failed)
            }
            Got::Bytes(n) => {
                self.see(file.answer, at, &into[..n]);
                self.write_down(&into[..n]);
                self.soon(n)
            }
            Got::Note(note) => {
                self.said.counts.notes += 1;
                (self.now, Got::Note(note))
            }
            Got::Nothing => (self.by, Got::Nothing),
            _ => {
                self.said.mishaps.broken = true;
                (self.now, Got::Failed)
            }
        }
    }

    /// Notes what was read of a file or a program.
    fn see(&mut self, answer: usize, at: u64, bytes: &[u8]) {
        match &mut self.said.asked[answer].answer {
            Answer::File { meta, seen, .. } => {
                if bytes.is_empty() && at < meta.len {
                    self.said.mishaps.broken = true;
                }
                let at = usize::try_from(at).expect("what was read fits into memory");
                let end = at + bytes.len();
                if seen.len() < end {
                    seen.resize(end, 0);
                }
                seen[at..end].copy_from_slice(bytes);
            }
            Answer::Program { seen } => seen.extend_from_slice(bytes),
            _ => unreachable!("nothing else can be read"),
        }
    }

    fn give<S: FileSystem>(
        &mut self,
        file: &mut Held<S::File>,
        from: &[u8],
        fs: &S,
    ) -> Later<S::File> {
        if let Some(later) = self.nothing() {
            return later;
        }
        let n = self.weather.part(from.len());
        match fs.give(&mut file.file, &from[..n]) {
            Got::Bytes(taken) if !self.weather.roll(|faults| faults.broken) => {
                // None means that it wants no more: what was lent is dropped.
                let (at, _) = self.soon::<()>(if taken == 0 { from.len() } else { taken });
                (at, Got::Bytes(taken))
            }
            _ => {
                self.said.mishaps.broken = true;
                (self.now, Got::Failed)
            }
        }
    }

    fn answer<S: FileSystem>(&mut self, ask: &Ask, fs: &S) -> Later<S::File> {
        if let Some(later) = self.nothing() {
            return later;
        }
        let mut got = fs.answer(ask);
        if self.weather.roll(|faults| faults.refuse) {
            let error = self.weather.random.pick(&[
                FsError::NotFound,
                FsError::Forbidden,
                FsError::NotPlain,
                FsError::Broken,
                FsError::Unsupported,
            ]);
            got = match ask {
                Ask::List(_) => Got::Listed(Err(error)),
                _ => Got::Opened(Err(error)),
            };
        }
        let number = self.said.asked.len();
        let (answer, got) = self.mark(got, number);
        let ask = ask.clone();
        self.said.asked.push(Asked { ask, answer });
        (self.weather.soon(self.now, self.by), got)
    }

    /// Puts a mark on what was opened.
    fn mark<F>(&self, got: Got<F>, number: usize) -> (Answer, Got<Held<F>>) {
        match got {
            Got::Opened(Ok(Opened::File {
                file,
                meta,
                sendable,
            })) => {
                let answer = Answer::File {
                    meta,
                    sendable,
                    seen: Vec::new(),
                };
                let file = self.tally.hold(file, number);
                let opened = Opened::File {
                    file,
                    meta,
                    sendable,
                };
                (answer, Got::Opened(Ok(opened)))
            }
            Got::Opened(Ok(Opened::Program(file))) => {
                let file = self.tally.hold(file, number);
                let answer = Answer::Program { seen: Vec::new() };
                (answer, Got::Opened(Ok(Opened::Program(file))))
            }
            Got::Opened(Ok(Opened::Directory)) => {
                (Answer::Directory, Got::Opened(Ok(Opened::Directory)))
            }
            Got::Opened(Err(error)) => (Answer::Failed(error), Got::Opened(Err(error))),
            Got::Listed(Ok(entries)) => (Answer::Listed(entries.clone()), Got::Listed(Ok(entries))),
            Got::Listed(Err(error)) => (Answer::Failed(error), Got::Listed(Err(error))),
            _ => panic!("a file system answered a question by something else"),
        }
    }
}

/// The address of the peer of connection `number`.
pub(super) fn address(number: usize) -> String {
    format!("192.0.2.{}", number + 1)
}

/// The most that is sent of a file at once.
const COPY_MAX: usize = 1 << 20;
