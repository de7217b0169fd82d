//! [`Pace`]: the timing of a case: when its client sends and reads, how long the conversation may take, and whether a
//! second client is connected at the same time.
//!
//! Most cases send at once and read everything immediately, so a port can pass them without deadlines and without ever
//! filling a buffer. The cases of `time.case` have a pace.

use std::time::Duration;

use crate::line::Line;

/// When the client of a case sends and reads. By default it does both as fast as it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The pauses of the sender: the number of bytes after which it pauses, and for how long.
    pub pauses: Vec<(usize, Duration)>,
    /// How long the client waits before it reads.
    pub first_read: Duration,
    /// The maximum number of bytes per read, and the pause after each.
    pub reads: Option<(usize, Duration)>,
    /// The time in which the conversation has to end; 20 seconds without data by default.
    pub within: Option<Duration>,
    /// A second client is connected at the same time. It sends nothing, and must receive nothing.
    pub neighbour: bool,
}

impl Pace {
    /// Applies a line about the pace of a case whose request has `sent` bytes so far.
    pub(crate) fn add(&mut self, line: &mut Line<'_>, sent: usize) {
        match line.keyword {
            "pause" => self.pauses.push((sent, millis(line))),
            "first-read" => self.first_read = millis(line),
            "reads" => self.reads = Some((number(line) as usize, millis(line))),
            "within" => self.within = Some(millis(line)),
            "neighbour" => self.neighbour = true,
            _ => line.fail("unknown keyword"),
        }
    }

    /// Returns how many of the bytes after the first `sent` are sent before the next pause, and that pause.
    pub(crate) fn next_pause(&self, sent: usize) -> Option<(usize, Duration)> {
        let next = self.pauses.iter().find(|(at, _)| *at > sent);
        next.map(|(at, pause)| (at - sent, *pause))
    }
}

fn number(line: &mut Line<'_>) -> u64 {
    let word = line.next_word();
    word.parse()
        .unwrap_or_else(|_| line.fail("expected a number"))
}

fn millis(line: &mut Line<'_>) -> Duration {
    Duration::from_millis(number(line))
}
