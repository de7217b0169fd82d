//! [`Peer`]: the remote end of a connection: when the bytes of its input arrive, how many were read, and where the
//! transport fails or the peer stops reading.

use std::time::Duration;

use super::Random;
use super::input::Input;
use super::plan::ConnectionPlan;

/// The peer of one connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Where each request ends in what it sends.
    request_ends: Vec<usize>,
    /// The total number of bytes sent by each time, in ascending order.
    arrivals: Vec<(Duration, usize)>,
    /// The number of bytes that were read.
    pub(super) consumed: usize,
    /// Whether it half-closes after its last byte.
    pub(super) half_close: bool,
    /// The transport fails after this number of bytes from the peer.
    pub(super) resets_after_in: usize,
    /// The transport fails after this number of bytes to the peer.
    pub(super) resets_after_out: usize,
    /// The number of bytes after which the peer stops reading.
    pub(super) accepts_max: usize,
}

/// Where the transport fails or the peer stops reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// The transport fails after some bytes from the peer, chosen by this random number.
    AfterInput(u64),
    /// The transport fails after this number of bytes to the peer.
    AfterOutput(usize),
    /// The peer stops reading after this number of bytes.
    Accepts(usize),
}

impl Break {
    /// Returns a break, or none in most worlds.
    pub(super) fn draw(random: &mut Random) -> Option<Break> {
        match random.below(11) {
            0 => Some(Break::AfterInput(random.number())),
            1 => Some(Break::AfterOutput(random.below(2000))),
            2 => Some(Break::Accepts(random.below(2000))),
            _ => None,
        }
    }
}

/// A peer that sends more requests than this receives no more than `OUTPUT_MAX` bytes, which takes too long if the
/// replies are large.
const REQUESTS_MANY: usize = 50;
const OUTPUT_MAX: usize = 4 << 20;

/// Returns the pieces in which a peer sends its bytes: the time after the piece before, and a random number for where
/// it ends.
pub(super) fn pieces(random: &mut Random) -> Vec<(Duration, u64)> {
    let count = random.pick(&[1, 1, 1, 2, 5, 20]);
    let mut delay = Duration::ZERO;
    (0..count)
        .map(|_| {
            let after = Duration::from_millis(match random.below(20) {
                0 => 3_000,
                1 => 20_000,
                2 if random.one_in(10) => 100_000,
                3..10 => random.number() % 300,
                _ => 0,
            });
            (std::mem::replace(&mut delay, after), random.number())
        })
        .collect()
}

/// Returns the number from 0 to `max` that a random number chooses.
fn scaled(number: u64, max: usize) -> usize {
    ((u128::from(number) * (max as u128 + 1)) >> 64) as usize
}

impl Peer {
    /// Creates a peer that sends this input from `start` on.
    pub(super) fn new(plan: &ConnectionPlan, input: &Input, start: Duration) -> Peer {
        let len = input.bytes.len();
        let mut ends: Vec<usize> = plan
            .pieces
            .iter()
            .map(|(_, end)| scaled(*end, len))
            .collect();
        ends.sort_unstable();
        if let Some(last) = ends.last_mut() {
            *last = len;
        }
        let mut at = start;
        let times = plan.pieces.iter().map(|(after, _)| {
            at += *after;
            at
        });
        let mut peer = Peer {
            request_ends: input.ends.clone(),
            arrivals: times.zip(ends).collect(),
            consumed: 0,
            half_close: plan.half_close,
            resets_after_in: usize::MAX,
            resets_after_out: usize::MAX,
            accepts_max: usize::MAX,
        };
        match plan.breaks {
            Some(Break::AfterInput(number)) => peer.resets_after_in = scaled(number, len),
            Some(Break::AfterOutput(most)) => peer.resets_after_out = most,
            Some(Break::Accepts(most)) => peer.accepts_max = most,
            None => {}
        }
        if input.ends.len() > REQUESTS_MANY {
            peer.resets_after_out = peer.resets_after_out.min(OUTPUT_MAX);
        }
        peer
    }

    /// Returns the bytes of its `input` that have arrived and were not read.
    pub(super) fn available<'a>(&self, input: &'a [u8], now: Duration) -> &'a [u8] {
        let arrived = self.arrivals.iter().rev().find(|(at, _)| *at <= now);
        &input[self.consumed..arrived.map_or(0, |(_, total)| *total).max(self.consumed)]
    }

    /// Returns the time when more bytes arrive.
    pub(super) fn next_arrival(&self) -> Option<Duration> {
        let more = self
            .arrivals
            .iter()
            .find(|(_, total)| *total > self.consumed);
        more.map(|(at, _)| *at)
    }

    /// Returns the number of requests that were read, if the last of them was read exactly to its end.
    pub(super) fn whole_requests(&self) -> Option<usize> {
        let mut ends = self.request_ends.iter();
        let at = ends.position(|end| *end == self.consumed);
        at.map(|before| before + 1)
    }
}
