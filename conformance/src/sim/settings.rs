//! Chooses the random settings of a world: connections, limits and timeouts. Most are small.

use std::time::Duration;

use sanserve_core::{Config, Limits, Protocol, Timeouts};

use super::Random;
use super::grammar;

/// Returns the number of connections.
pub(super) fn connections(random: &mut Random) -> usize {
    match random.below(400) {
        0 => 20,
        1..100 => 2,
        100..130 => 4,
        _ => 1,
    }
}

/// Returns the time when a connection begins, from the start of the world.
pub(super) fn start(random: &mut Random) -> Duration {
    Duration::from_millis(random.pick(&[0, 0, 1, 200, 5000]))
}

/// What the connections of a world have in common. Each kind of trouble is missing in a third of the worlds, so that
/// they show what happens without it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorldSettings {
    /// The limit of content: small in most worlds, and megabytes in a few.
    pub(super) content_max: usize,
    /// Whether limits and timeouts are random.
    pub(super) has_limits: bool,
    /// Whether the bytes of some peers are changed or end early.
    pub(super) has_damage: bool,
    /// Whether some transports fail, and some peers stop reading.
    pub(super) has_breaks: bool,
}

impl WorldSettings {
    pub(super) fn draw(random: &mut Random) -> WorldSettings {
        WorldSettings {
            content_max: match random.below(64) {
                0..2 => 4 << 20,
                2..10 => 60,
                _ => grammar::CONTENT_SMALL,
            },
            has_limits: !random.one_in(3),
            has_damage: !random.one_in(3),
            has_breaks: !random.one_in(3),
        }
    }
}

/// Returns a version of HTTP.
fn protocol(random: &mut Random) -> Protocol {
    random.pick(&[Protocol::Http11, Protocol::Http11, Protocol::Http10])
}

/// Returns the default configuration with a random version of HTTP.
pub(super) fn default_config(random: &mut Random) -> Config {
    Config::default().with_protocol(protocol(random))
}

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
    let protocol = protocol(random);
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
