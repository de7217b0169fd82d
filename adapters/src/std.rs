//! A connection over a socket of [`std::net`], its files from a [`Disk`]: the blocking loop.
//!
//! It serves one connection, on the thread that calls it. Listening, threads and the end of it all
//! are left to [`Server`](crate::Server).

mod link;

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Step, Want};

use self::link::Link;
use crate::{Disk, Open};

/// Serves one connection until it ends.
///
/// `log` is given finished lines, each ended by a newline; [`stderr`] is such a function. Once
/// `stop` is set the running reply is the last one. It is looked at between two operations, so
/// whoever sets it should also wake a connection that waits for a request, by a shutdown of the
/// socket's reading side.
///
/// # Errors
/// What went wrong with the link. A peer that goes away is such an error too, and nothing to worry
/// about.
pub fn serve<H: Handler>(
    socket: &TcpStream,
    disk: &Disk,
    config: Config,
    handler: H,
    log: &dyn Fn(&str),
    stop: &AtomicBool,
) -> io::Result<()> {
    let peer = socket.peer_addr()?.ip().to_string();
    // Replies leave in as few pieces as can be; to hold the last one back helps nobody.
    socket.set_nodelay(true)?;
    let mut link = Link::new(socket);
    let mut conn = Connection::<Open, H>::new(config, &peer, handler);
    let clock = Clock(Instant::now());
    let mut got = Got::Nothing;
    loop {
        if stop.load(Ordering::Relaxed) {
            conn.finish();
        }
        let now = clock.now();
        let Step { want, by } = conn.step(now, got);
        let left = by.map(|by| by.saturating_sub(now.tick));
        got = match want {
            Want::Read(into) => link.read(into, left),
            Want::Write(from) => link.write(from, left),
            Want::Fill { file, at, into } => disk.fill(file, at, into),
            Want::Copy { file, at, len } => link.copy(file, at, len, left),
            Want::Give { file, from } => disk.give(file, from),
            Want::Ask(ask) => disk.answer(ask),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                // A link that is gone already will show at the next read.
                let _ = socket.shutdown(Shutdown::Write);
                Got::Nothing
            }
            Want::Close => return link.end(),
        };
    }
}

/// Writes log lines to standard error, all at once. If nobody is there to read them, they are
/// lost: that is no reason to stop serving.
pub fn stderr(lines: &str) {
    let _ = io::stderr().write_all(lines.as_bytes());
}

/// Started with the connection; its moment is the zero of all ticks.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            tick: self.0.elapsed(),
            unix: unix.ok().map(|unix| unix.as_secs() as i64),
        }
    }
}
