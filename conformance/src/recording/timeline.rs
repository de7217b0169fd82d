//! [`Timeline`]: the recorded events of a connection by kind, in the order in which the replay takes them.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::{Answer, Call, Event, EventKind, Input, Sent, SourceEvent};

/// The events that were not taken yet. Each has its index in the recording.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    dates: VecDeque<At<i64>>,
    calls: VecDeque<At<(Call, usize)>>,
    deadlines: VecDeque<At<()>>,
    pub(super) inputs: VecDeque<At<Input>>,
    pub(super) answers: VecDeque<At<(String, Vec<u8>, Answer)>>,
    sources: VecDeque<At<SourceEvent>>,
    pub(super) wakes: VecDeque<At<()>>,
    /// The index after the last event that was taken.
    position: usize,
    /// The last date, and when it was recorded.
    unix: Option<(i64, Duration)>,
    pub(super) now: Duration,
}

/// An event, with its index and its time.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) index: usize,
    pub(super) tick: Duration,
    pub(super) event: T,
}

impl Timeline {
    pub(super) fn new(events: &[Event]) -> Timeline {
        let mut timeline = Timeline::default();
        // The number of heads, and the index after the last event that the replay takes from one of the queues.
        let (mut heads, mut index) = (0, 0);
        for Event { tick, kind } in events {
            let tick = *tick;
            match kind.clone() {
                EventKind::Sent(Sent::Head(_)) => heads += 1,
                EventKind::Sent(_) => {}
                EventKind::Date(event) => timeline.dates.push_back(At { index, tick, event }),
                EventKind::Call(call) => {
                    let event = (call, heads);
                    timeline.calls.push_back(At { index, tick, event });
                }
                kind => {
                    timeline.add(index, tick, kind);
                    index += 1;
                }
            }
        }
        timeline.now = events.first().map_or(Duration::ZERO, |event| event.tick);
        timeline
    }

    fn add(&mut self, index: usize, tick: Duration, kind: EventKind) {
        match kind {
            EventKind::Deadline => self.deadlines.push_back(At {
                index,
                tick,
                event: (),
            }),
            EventKind::Woken => self.wakes.push_back(At {
                index,
                tick,
                event: (),
            }),
            EventKind::Input(event) => self.inputs.push_back(At { index, tick, event }),
            EventKind::Answer {
                question,
                path,
                answer,
            } => self.answers.push_back(At {
                index,
                tick,
                event: (question, path, answer),
            }),
            EventKind::Source(event) => self.sources.push_back(At { index, tick, event }),
            EventKind::Sent(_) | EventKind::Date(_) | EventKind::Call(_) => {}
        }
    }

    /// Returns the date.
    pub(super) fn unix(&mut self) -> Option<i64> {
        while self.dates.front().is_some_and(|date| date.tick <= self.now) {
            self.unix = self.dates.pop_front().map(|date| (date.event, date.tick));
        }
        let (unix, since) = self.unix?;
        Some(unix + (self.now - since).as_secs() as i64)
    }

    /// Returns the next call, if everything that came before it has happened, or if nothing else can happen.
    pub(super) fn next_call(&mut self, heads: usize, is_stuck: bool) -> Option<Call> {
        let next = self.calls.front()?;
        let (call, heads_before) = next.event;
        if !is_stuck && (next.index > self.position || heads_before > heads) {
            return None;
        }
        if is_stuck {
            self.now = self.now.max(next.tick);
        }
        self.calls.pop_front();
        Some(call)
    }

    /// Moves the clock to an event that the connection waits for, and returns true; or to the deadline if that passes
    /// before, and returns false. `next` is the index and the time of the event.
    pub(super) fn wait(
        &mut self,
        next: Option<(usize, Duration)>,
        deadline: Option<Duration>,
    ) -> bool {
        if let Some(expired) = self.deadlines.front()
            && next.is_none_or(|(index, _)| expired.index < index)
        {
            self.now = self.now.max(expired.tick).max(deadline.unwrap_or_default());
            self.position = self.position.max(expired.index + 1);
            self.deadlines.pop_front();
            return false;
        }
        match (next, deadline) {
            // A busy server may have been late, but not by that much.
            (Some((_, tick)), Some(deadline)) if deadline + LATE <= tick => {
                self.now = self.now.max(deadline);
                false
            }
            (Some((index, tick)), _) => {
                self.now = self.now.max(tick);
                self.position = self.position.max(index + 1);
                true
            }
            (None, deadline) => {
                self.now = self.now.max(deadline.unwrap_or_default());
                false
            }
        }
    }

    /// Returns whether a deadline is recorded that was not taken yet.
    pub(super) fn has_deadline(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// Takes the events of a file or process that was opened by the answer at this index.
    pub(super) fn take_source(&mut self, index: usize) -> VecDeque<At<SourceEvent>> {
        let next = self
            .answers
            .front()
            .map_or(usize::MAX, |answer| answer.index);
        let mut events = VecDeque::new();
        while self.sources.front().is_some_and(|event| event.index < next) {
            events.extend(self.sources.pop_front());
        }
        events.retain(|event| event.index > index);
        events
    }
}

/// How late a server may have noticed an event.
const LATE: Duration = Duration::from_secs(1);
