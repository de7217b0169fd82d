//! [`Peer`]: the remote end of a connection: what it sends and when, and how much it receives.

use std::time::Duration;

use super::Random;
use super::grammar::Requests;

/// The peer of one connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) requests: Requests,
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

impl Peer {
    /// Creates a peer that sends these requests from `start` on, in a few pieces.
    pub(super) fn new(random: &mut Random, requests: Requests, start: Duration) -> Peer {
        let (mut arrivals, mut at) = (Vec::new(), start);
        let pieces = random.pick(&[1, 1, 1, 2, 5, 20]);
        let len = requests.bytes.len();
        for piece in 1..=pieces {
            let total = if piece == pieces {
                len
            } else {
                random.below(len + 1)
            };
            arrivals.push((at, total));
            at += Duration::from_millis(match random.below(20) {
                0 => 3_000,
                1 => 20_000,
                2 if random.one_in(10) => 100_000,
                3..10 => random.number() % 300,
                _ => 0,
            });
        }
        // The totals must be ascending.
        let mut ends: Vec<usize> = arrivals.iter().map(|(_, total)| *total).collect();
        ends.sort_unstable();
        arrivals
            .iter_mut()
            .zip(ends)
            .for_each(|(piece, end)| piece.1 = end);
        Peer {
            requests,
            arrivals,
            consumed: 0,
            half_close: !random.one_in(3),
            resets_after_in: usize::MAX,
            resets_after_out: usize::MAX,
            accepts_max: usize::MAX,
        }
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
        let at = self
            .requests
            .ends
            .iter()
            .position(|end| *end == self.consumed);
        at.map(|before| before + 1)
    }
}
