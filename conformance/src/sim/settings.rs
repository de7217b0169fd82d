//! Chooses the random settings of a world: connections, limits and timeouts. Most are small.

use std::time::Duration;

use sanserve_core::{Config, Limits, Protocol, Timeouts};

use super::Random;
use super::peer::Peer;

/// Returns the number of connections.
pub(super) fn connections(random: &mut Random) -> usize {
    match random.below(400) {
        0 => 20,
        1..100 => 2,
        100..130 => 4,
        _ => 1,
    }
}

/// Returns the time when a connection begins.
pub(super) fn start(random: &mut Random) -> Duration {
    Duration::from_millis(random.pick(&[0, 0, 1, 200, 5000]))
}

/// Sets where the transport fails or the peer stops reading, if at all.
pub(super) fn break_transport(peer: &mut Peer, random: &mut Random) {
    match random.below(16) {
        0 => peer.resets_after_in = random.below(peer.requests.bytes.len() + 1),
        1 => peer.resets_after_out = random.below(2000),
        2 => peer.accepts_max = random.below(2000),
        _ => {}
    }
    if peer.requests.ends.len() > REQUESTS_MANY {
        peer.resets_after_out = peer.resets_after_out.min(OUTPUT_MAX);
    }
}

/// A peer that sends more requests than this receives no more than `OUTPUT_MAX` bytes, which takes too long if the replies
/// are large.
const REQUESTS_MANY: usize = 50;
const OUTPUT_MAX: usize = 4 << 20;

/// Returns a configuration with limits and timeouts that are the default or another value.
pub(super) fn config(random: &mut Random) -> Config {
    let (limits, timeouts) = (Limits::default(), Timeouts::default());
    let mut time = |usual: Duration| {
        let other = Duration::from_millis(random.pick(&[1, 50, 1000, 10_000]));
        if random.one_in(6) { other } else { usual }
    };
    let timeouts = timeouts
        .with_idle(time(timeouts.idle))
        .with_park(time(timeouts.park))
        .with_head(time(timeouts.head))
        .with_grace(time(timeouts.grace))
        .with_linger(time(timeouts.linger))
        .with_ask(time(timeouts.ask));
    let protocol = random.pick(&[Protocol::Http11, Protocol::Http11, Protocol::Http10]);
    let head = limits
        .head
        .with_request_line(random.pick(&[65_536, 65_536, 65_536, 200, 40]))
        .with_field_bytes(random.pick(&[65_536, 65_536, 65_536, 1000, 60]));
    let limits = limits
        .with_head(head)
        .with_content(random.pick(&[limits.content, limits.content, 1000, 10]))
        .with_drain(random.pick(&[limits.drain, limits.drain, 1000, 10, 0]))
        .with_requests(random.pick(&[limits.requests, limits.requests, 3, 2, 1]))
        .with_outbox(random.pick(&[512, 512, 700, 1024, 4096, limits.outbox]));
    let rates = [timeouts.rate, timeouts.rate, 1, 1_000_000];
    Config::default()
        .with_protocol(protocol)
        .with_limits(limits)
        .with_timeouts(timeouts.with_rate(random.pick(&rates)))
}
