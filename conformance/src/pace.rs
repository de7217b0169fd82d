//! [`Pace`]: the timing of a case: when its client sends, reads and disconnects, when its server is stopped, how long the
//! conversation may take, and whether a second client is connected at the same time.
//!
//! Most cases send at once and read everything immediately, so a port can pass them without deadlines and without ever
//! filling a buffer. The cases of `time.case` have a pace.

use std::time::Duration;

use crate::line::Line;

/// When the client of a case sends, reads and disconnects, and when its server is stopped. By default the client sends
/// and reads as fast as it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The pauses of the sender: the number of bytes after which it pauses, and until when.
    pub pauses: Vec<(usize, Pause)>,
    /// How long the client waits before it reads.
    pub first_read: Duration,
    /// The maximum number of bytes per read, and the pause after each.
    pub reads: Option<(usize, Duration)>,
    /// The number of bytes after which the client stops reading until the server has closed the connection. Meanwhile
    /// it continues to send, as that alone shows when the connection is closed.
    pub stops_reading: Option<usize>,
    /// After the request the client sends a byte every 20 ms, until the server has closed the connection.
    pub continues_to_send: bool,
    /// How long the client is silent after the request; by then the server must have closed the connection.
    pub closed_after: Option<Duration>,
    /// How the client disconnects, and the number of received bytes after which it does.
    pub hangs_up: Option<(usize, HangUp)>,
    /// The number of received bytes after which the server is told to stop.
    pub stop: Option<usize>,
    /// The time in which the conversation has to end; 20 seconds without data by default.
    pub within: Option<Duration>,
    /// A second client is connected at the same time.
    pub neighbour: Option<Neighbour>,
}

/// When a client continues to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// After this time.
    Time(Duration),
    /// When it has received this many bytes, or when the conversation has to end.
    Received(usize),
}

/// How a client disconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// It closes the connection.
    Closes,
    /// It resets the connection, or closes it if the transport has no reset.
    Resets,
}

/// A second client. It sends all but the last byte of its request before the client of the case is served, and that
/// byte afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// The request; if it is empty, the client sends nothing and must receive nothing.
    pub request: Vec<u8>,
    /// The end of the reply.
    pub reply_end: Vec<u8>,
}

impl Pace {
    /// Applies a line about the pace of a case whose request has `sent` bytes so far.
    pub(crate) fn add(&mut self, line: &mut Line<'_>, sent: usize) {
        match line.keyword {
            "pause" | "await" if self.pauses.last().is_some_and(|(at, _)| *at == sent) => {
                line.fail("the client must send something between two pauses");
            }
            "pause" => self.pauses.push((sent, Pause::Time(millis(line)))),
            "await" => {
                let received = number(line) as usize;
                self.pauses.push((sent, Pause::Received(received)));
            }
            "first-read" => self.first_read = millis(line),
            "reads" => self.reads = Some((number(line) as usize, millis(line))),
            "stops-reading" => self.stops_reading = Some(number(line) as usize),
            "continues-to-send" => self.continues_to_send = true,
            "closed-after" => self.closed_after = Some(millis(line)),
            "closes" => self.hangs_up = Some((number(line) as usize, HangUp::Closes)),
            "resets" => self.hangs_up = Some((number(line) as usize, HangUp::Resets)),
            "stop" => self.stop = Some(number(line) as usize),
            "within" => self.within = Some(millis(line)),
            "neighbour" => {
                let neighbour = self.neighbour.get_or_insert_default();
                neighbour.request.extend(line.bytes());
            }
            "neighbour-gets" => {
                let neighbour = self.neighbour.get_or_insert_default();
                neighbour.reply_end.extend(line.bytes());
            }
            _ => line.fail("unknown keyword"),
        }
    }

    /// Returns how many of the bytes after the first `sent` are sent before the next pause, and that pause.
    pub(crate) fn next_pause(&self, sent: usize) -> Option<(usize, Pause)> {
        let next = self.pauses.iter().find(|(at, _)| *at > sent);
        next.map(|(at, pause)| (at - sent, *pause))
    }

    /// Returns whether the client gets only the beginning of the reply.
    pub(crate) fn cuts_reply(&self) -> bool {
        self.stops_reading.is_some() || self.hangs_up.is_some()
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
