//! A connection over a socket of [`std::net`], its files from a [`Disk`](crate::Disk): the blocking
//! loop.
//!
//! It serves one connection, on the thread that calls it. Listening, threads and the end of it all
//! are left to [servers](crate::ThreadingHTTPServer).

mod link;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Step, Want};

#[cfg(any(feature = "tls", all(unix, feature = "mio")))]
pub(crate) use self::link::Layer;
pub use self::link::Link;
#[cfg(unix)]
use crate::hang_up::HangUp;
use crate::{Open, got};

/// Serves one connection until it ends.
///
/// `link` is a [`TcpStream`](std::net::TcpStream) by reference, or what
#[cfg_attr(feature = "tls", doc = "[`Tls::link`](crate::Tls::link)")]
#[cfg_attr(not(feature = "tls"), doc = "`Tls::link`")]
/// makes of one. `files` is a [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles), or something of
/// yours that opens the same files in its own way.
///
/// `log` is given finished lines, each ended by a newline; [`stderr`] is such a function. Once
/// `stop` is set the running reply is the last one. It is looked at between two operations, so
/// whoever sets it should also wake a connection that waits for a request, by a shutdown of the
/// socket's reading side. A script whose client goes is ended.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::sync::atomic::AtomicBool;
///
/// use sanserve::{Disk, std::{serve, stderr}};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let (disk, stop) = (Disk::open(".")?, AtomicBool::new(false));
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let client = TcpStream::connect(listener.local_addr()?)?;
/// # client.shutdown(std::net::Shutdown::Write)?;
/// let (socket, _) = listener.accept()?;
/// serve(&socket, &disk, Config::default(), Files::new(), &stderr, &stop)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What went wrong with the link. A peer that goes away is such an error too, and nothing to worry
/// about.
pub fn serve<'a, H: Handler>(
    link: impl Into<Link<'a>>,
    files: &impl FileSystem<File = Open>,
    config: Config,
    handler: H,
    log: &dyn Fn(&str),
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut link = link.into();
    let peer = link.begin()?.to_string();
    let mut conn = Connection::<Open, H>::new(config, &peer, handler);
    let clock = Clock::start();
    let mut got = Got::Nothing;
    loop {
        if stop.load(Ordering::Relaxed) {
            conn.finish();
        }
        #[cfg(unix)]
        if conn.awaits_work()
            && let Some(hang_up) = link.hang_up()
            // The server may have closed the side of the peer itself.
            && (hang_up == HangUp::Reset || !stop.load(Ordering::Relaxed))
        {
            got = hang_up.tell(&mut conn, got);
        }
        let now = clock.now();
        let Step { want, by, .. } = conn.step(now, got);
        let left = by.map(|by| by.saturating_sub(now.tick));
        got = match want {
            Want::Read(into) => link.read(into, left),
            Want::Write(from) => link.write(from, left),
            Want::Fill { file, at, into } => files.fill(file, at, into),
            Want::Copy { file, at, len } => link.copy(files, file, at, len, left),
            Want::Give { file, from } => files.give(file, from),
            Want::Ask(ask) => got::answer(files, ask),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                link.shutdown();
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

/// Its start is the zero of all ticks.
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(&self) -> Now {
        now(self.0.elapsed())
    }
}

/// What time it is, by the date of this machine, and so long after a clock's start.
pub(crate) fn now(tick: Duration) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        tick,
        unix: unix.ok().map(|unix| unix.as_secs() as i64),
    }
}
