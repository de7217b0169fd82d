//! How worlds are set up: how many connections, which limits, how much timeouts. Most are small.

use std::time::Duration;

use sanserve_core::{Config, Limits, Protocol, Timeouts};

use super::Random;
use super::peer::Peer;

/// How many connections there are.
pub(super) fn connections(random: &mut Random) -> usize {
    match random.below(400) {
        0 => 20,
        1..100 => 2,
        100..130 => 4,
        _ => 1,
    }
}

/// When a connection begins.
pub(super) fn start(random: &mut Random) -> Duration {
    Duration::from_millis(random.pick(&[0, 0, 1, 200, 5000]))
}

/// Where the link breaks or the peer takes no more, if it does.
pub(super) fn break_link(peer: &mut Peer, random: &mut Random) {
    match random.below(16) {
        0 => peer.breaks_in = random.below(peer.requests.bytes.len() + 1),
        1 => peer.breaks_out = random.below(2000),
        2 => peer.takes = random.below(2000),
        _ => {}
    }
}

/// Limits and timeouts, each what it is by default or something else.
pub(super) fn config(random: &mut Random) -> Config {
    let (limits, timeouts) = (Limits::default(), Timeouts::default());
    let mut time = |usual: Duration| {
        let other = Duration::from_millis(random.pick(&[1, 50, 1000, 10_000]));
        if random.one_in(6) { other } else { usual }
    };
    let timeouts = Timeouts {
        idle: time(timeouts.idle),
        rest: time(timeouts.rest),
        head: time(timeouts.head),
        grace: time(timeouts.grace),
        linger: time(timeouts.linger),
        ask: time(timeouts.ask),
        half_closed: timeouts.half_closed,
        receive_buffer: timeouts.receive_buffer,
        rate: timeouts.rate,
        work: timeouts.work,
    };
    Config {
        protocol: random.pick(&[Protocol::Http11, Protocol::Http11, Protocol::Http10]),
        limits: Limits {
            head: limits
                .head
                .with_request_line(random.pick(&[65_536, 65_536, 65_536, 200, 40]))
                .with_fields(random.pick(&[65_536, 65_536, 65_536, 1000, 60])),
            content: random.pick(&[limits.content, limits.content, 1000, 10]),
            drain: random.pick(&[limits.drain, limits.drain, 1000, 10, 0]),
            requests: random.pick(&[limits.requests, limits.requests, 3, 2, 1]),
            outbox: random.pick(&[512, 512, 700, 1024, 4096, limits.outbox]),
        },
        timeouts: Timeouts {
            rate: random.pick(&[timeouts.rate, timeouts.rate, 1, 1_000_000]),
            ..timeouts
        },
        ..Config::default()
    }
}
