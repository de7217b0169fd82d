//! Serves one connection over two descriptors, such as standard input and output: for inetd, ssh, socat or a
//! shell. Unix only.

mod transport;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::fstat;
use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Step, Want};
use socket2::SockRef;

use self::transport::Transport;
use crate::Recorder;
use crate::ask;
use crate::blocking::{Clock, ThreadWaker};
use crate::recording::ConnectionRecorder;

/// Serves one connection over any descriptors that can be read and written: sockets, pipes, terminals. All
/// deadlines hold.
///
/// `files` and `log` are those of [`blocking::serve`](crate::blocking::serve). The peer's address is that of
/// `input`, if it is a socket with an IP address, otherwise `-`.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// use sanserve_server::{NoFiles, stdio};
/// use sanserve_core::{Config, Next, from_fn};
///
/// # fn main() -> std::io::Result<()> {
/// let (mut client, server) = UnixStream::pair()?;
/// client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// # client.shutdown(std::net::Shutdown::Write)?;
/// let handler = from_fn(|ex| ex.send_error(410, "Gone"));
/// let (input, output) = (server.try_clone()?.into(), server.into());
/// stdio::serve(input, output, &NoFiles, Config::default(), handler, &|_| ())?;
/// # let mut reply = String::new();
/// # client.read_to_string(&mut reply)?;
/// # assert!(reply.starts_with("HTTP/1.0 410 Gone\r\n"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The error of a descriptor. A peer that disconnects also causes one, which is normal.
pub fn serve<FS: FileSystem, H: Handler>(
    input: OwnedFd,
    output: OwnedFd,
    files: &FS,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &dyn Fn(&str),
) -> io::Result<()> {
    let (peer, recorder) = (peer(&input), ConnectionRecorder::default());
    let conn = Connection::new(config, &peer, handler);
    serve_connection(Transport::new(input, output)?, files, conn, log, recorder)
}

/// Serves one connection as [`serve`] does, and records it.
///
/// # Errors
/// The errors of [`serve`].
pub fn serve_recorded<FS: FileSystem, H: Handler>(
    input: OwnedFd,
    output: OwnedFd,
    files: &FS,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &dyn Fn(&str),
    recorder: &Recorder,
) -> io::Result<()> {
    let (peer, config) = (peer(&input), config.into());
    let recorder = recorder.connection(&peer, &config);
    let conn = Connection::new(config, &peer, handler);
    serve_connection(Transport::new(input, output)?, files, conn, log, recorder)
}

fn serve_connection<FS: FileSystem, H: Handler>(
    mut transport: Transport,
    files: &FS,
    mut conn: Connection<FS::File, H>,
    log: &dyn Fn(&str),
    mut recorder: ConnectionRecorder,
) -> io::Result<()> {
    let waker = ThreadWaker::new();
    conn.set_waker(waker.waker());
    let clock = Clock::start();
    let mut got = Got::Nothing;
    loop {
        if conn.awaits_work()
            && let Some(hang_up) = transport.hang_up()
        {
            recorder.called(hang_up.call());
            got = hang_up.notify(&mut conn, got);
        }
        let now = clock.now();
        transport.report_delivery(&mut conn, now);
        recorder.record(&mut conn, now, &mut got);
        let Step { want, deadline, .. } = conn.step(now, got);
        recorder.waits_until(deadline);
        let left = deadline.map(|deadline| deadline.saturating_sub(now.tick));
        got = match want {
            Want::Read(into) => transport.read(into, left),
            Want::Write(from) => transport.write(from, left),
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::Copy { file, at, len } => transport.copy(files, file, at, len, left),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => ask::answer(files, ask),
            Want::Wait => waker.wait(left),
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                transport.shutdown();
                Got::Nothing
            }
            Want::Close => {
                recorder.end(&mut conn, now);
                return transport.end();
            }
        };
    }
}

/// Takes standard input and output away from the process. Both are replaced by `/dev/null`, so that only
/// replies can reach the peer; so is standard error, if it is the same file as the output, as under inetd.
///
/// # Errors
/// The errors of the system.
pub fn take() -> io::Result<(OwnedFd, OwnedFd)> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    let (out, err) = (fstat(&output)?, fstat(io::stderr())?);
    if (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino) {
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok((input, output))
}

/// Returns the address of the peer as log lines show it.
fn peer(input: &OwnedFd) -> String {
    peer_addr(input).map_or("-".into(), |peer| peer.ip().to_string())
}

/// Returns the address of the peer, if this is a socket that has one.
fn peer_addr(file: &OwnedFd) -> Option<SocketAddr> {
    SockRef::from(file).peer_addr().ok()?.as_socket()
}
