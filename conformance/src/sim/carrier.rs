//! [`Carrier`]: one connection of a world and the loop around it. What is wanted goes to [`Hands`];
//! what can be seen from outside is counted here.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Step, Want};

use super::conversation::Conversation;
use super::faults::Weather;
use super::hands::Hands;
use super::held::{Held, Tally};
use super::peer::Peer;
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
            conn: Connection::new(said.config.clone(), &address(said.number), watch),
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
            self.finish(now);
        }
        let time = Now {
            tick: now,
            unix: self.said.unix,
        };
        let Step {
            want, deadline: by, ..
        } = self.conn.step(time, got);
        let waits = !matches!(
            want,
            Want::Log(_) | Want::Shutdown | Want::Upgrade | Want::Close
        );
        let counts = &mut self.said.counts;
        counts.steps += 1;
        counts.endless += u64::from(waits && by.is_none());
        counts.overdue += u64::from(by.is_some_and(|by| by <= now));
        self.by = by;
        if let Some(transcript) = &mut self.transcript {
            transcript.want(now, &want, self.by);
        }
        let mut hands = Hands {
            now,
            // One that is missing or has passed was counted, and must not end the world.
            by: by.unwrap_or_default().max(now + Duration::from_nanos(1)),
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

    /// Tells the connection to come to its end.
    fn finish(&mut self, now: Duration) {
        self.conn.finish();
        self.said.mishaps.finished = true;
        self.finished = Some(self.notes.borrow().requests.len());
        if let Some(transcript) = &mut self.transcript {
            transcript.finish(now);
        }
    }

    fn count(&mut self) {
        let notes = self.notes.borrow();
        let counts = &mut self.said.counts;
        counts.allocated = counts.allocated.max(self.conn.allocated());
        counts.content = notes.most_content;
        if notes.done {
            counts.lingered = counts.lingered.max(self.tally.get());
        }
        if let Some(before) = self.finished {
            counts.after_finish = (notes.requests.len() - before) as u64;
        }
    }
}

/// The address of the peer of connection `number`.
pub(super) fn address(number: usize) -> String {
    format!("192.0.2.{}", number + 1)
}
