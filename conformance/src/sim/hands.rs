//! [`Hands`]: what a want is seen to with, and here how the link is read and written. Files and
//! programs are in `shelf`.

use std::time::Duration;

use sanserve_core::{FileSystem, Got, Want};

use super::conversation::Conversation;
use super::faults::Weather;
use super::held::{Held, Tally};
use super::peer::Peer;
use super::reader::End;
use super::transcript::Transcript;

/// What a want is seen to with.
pub(super) struct Hands<'a> {
    pub(super) now: Duration,
    pub(super) by: Duration,
    pub(super) peer: &'a mut Peer,
    pub(super) weather: &'a mut Weather,
    pub(super) said: &'a mut Conversation,
    pub(super) tally: &'a Tally,
    pub(super) failed: &'a mut bool,
    pub(super) transcript: &'a mut Option<Transcript>,
    /// The peer has said all it will ever say: that a deadline passes now is no mishap.
    pub(super) silent: bool,
}

/// When the answer comes, and which.
pub(super) type Later<F> = (Duration, Got<Held<F>>);

impl Hands<'_> {
    pub(super) fn see_to<S: FileSystem>(
        &mut self,
        want: Want<'_, Held<S::File>>,
        fs: &S,
    ) -> Later<S::File> {
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
            Want::ReadFile { file, at, into } => self.fill(file, at, into, fs),
            Want::WriteFile { file, from } => self.give(file, from, fs),
            Want::Commit { file } => self.commit(file, fs),
            Want::Wait => self.wait(),
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Ask(ask) => self.answer(ask, fs),
        }
    }

    /// What came into the connection goes into the transcript.
    pub(super) fn write_down(&mut self, bytes: &[u8]) {
        if let Some(transcript) = self.transcript {
            transcript.bytes(bytes);
        }
    }

    fn use_link(&mut self) {
        self.said.counts.after_failure += u64::from(*self.failed);
    }

    pub(super) fn fail<F>(&mut self) -> Later<F> {
        *self.failed = true;
        self.said.mishaps.reset = true;
        (self.now, Got::Failed)
    }

    /// What goes wrong with every kind of want: nothing comes, for no reason or before it is too
    /// late.
    pub(super) fn nothing<F>(&mut self) -> Option<Later<F>> {
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

    /// Something wakes the handler, or nothing does.
    fn wait<F>(&mut self) -> Later<F> {
        match self.nothing() {
            Some(later) => later,
            None => (self.weather.soon(self.now, self.by), Got::Woken),
        }
    }

    pub(super) fn soon<F>(&mut self, n: usize) -> Later<F> {
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
    pub(super) fn takes<F>(&mut self, len: usize) -> Result<usize, Later<F>> {
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
}
