//! [`Peer`]: who is at the other end of the link: what it sends and when, and what it takes.

use std::time::Duration;

use super::Random;
use super::grammar::Requests;

/// The peer of one connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) requests: Requests,
    /// From that time on so many bytes have been sent, in ascending order.
    sent: Vec<(Duration, usize)>,
    /// How many bytes were consumed from it.
    pub(super) consumed: usize,
    /// Whether it ends its side after the last byte.
    pub(super) half_close: bool,
    /// The link fails when so many bytes have come from it.
    pub(super) resets_after_in: usize,
    /// The link fails when so many bytes have gone to it.
    pub(super) resets_after_out: usize,
    /// It takes no more than so many bytes.
    pub(super) accepts_max: usize,
}

impl Peer {
    /// A peer that sends these requests from time `start` on, in a few pieces.
    pub(super) fn new(random: &mut Random, requests: Requests, start: Duration) -> Peer {
        let (mut sent, mut at) = (Vec::new(), start);
        let pieces = random.pick(&[1, 1, 1, 2, 5, 20]);
        let len = requests.bytes.len();
        for piece in 1..=pieces {
            let upto = if piece == pieces {
                len
            } else {
                random.below(len + 1)
            };
            sent.push((at, upto));
            at += Duration::from_millis(match random.below(20) {
                0 => 3_000,
                1 => 20_000,
                2 if random.one_in(10) => 100_000,
                3..10 => random.number() % 300,
                _ => 0,
            });
        }
        // Each piece goes on where the one before it ended.
        let mut ends: Vec<usize> = sent.iter().map(|(_, upto)| *upto).collect();
        ends.sort_unstable();
        sent.iter_mut()
            .zip(ends)
            .for_each(|(piece, end)| piece.1 = end);
        Peer {
            requests,
            sent,
            consumed: 0,
            half_close: !random.one_in(3),
            resets_after_in: usize::MAX,
            resets_after_out: usize::MAX,
            accepts_max: usize::MAX,
        }
    }

    /// What has come by that time and was not consumed.
    pub(super) fn available(&self, now: Duration) -> &[u8] {
        let come = self.sent.iter().rev().find(|(at, _)| *at <= now);
        &self.requests.bytes[self.consumed..come.map_or(0, |(_, upto)| *upto).max(self.consumed)]
    }

    /// When something more comes, if nothing is here.
    pub(super) fn next_arrival(&self) -> Option<Duration> {
        let more = self.sent.iter().find(|(_, upto)| *upto > self.consumed);
        more.map(|(at, _)| *at)
    }

    /// How many requests were taken, if the last of them was consumed whole, with its content, and
    /// nothing after it.
    pub(super) fn whole_requests(&self) -> Option<usize> {
        let at = self
            .requests
            .ends
            .iter()
            .position(|end| *end == self.consumed);
        at.map(|before| before + 1)
    }
}
